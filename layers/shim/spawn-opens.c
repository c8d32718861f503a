/* Files that posix_spawn opens in the child, with libc's own calls: told by the parent, in the name of the child. */
#include "real.h"

#include "path.h"
#include "process.h"
#include "ring.h"
#include "self.h"
#include "sys.h"

#define OPENS 32
#define PATH_MOST 1024
/* Best effort: more than this many prepared at a time, or longer names, go unreported. */
static struct {
    const void *actions; /* NULL: free */
    int fd, flags;
    char path[PATH_MOST];
} opens[OPENS];

static void forget(const void *actions) {
    for (int i = 0; i < OPENS; i++)
        if (__atomic_load_n(&opens[i].actions, __ATOMIC_ACQUIRE) == actions) __atomic_store_n(&opens[i].actions, NULL, __ATOMIC_RELEASE);
}

HOOK int posix_spawn_file_actions_addopen(posix_spawn_file_actions_t *actions, int fd, const char *path, int flags, mode_t mode) {
    static const char taken;
    shim_ready();
    int result = real.posix_spawn_file_actions_addopen(actions, fd, path, flags, mode);
    size_t length = result == 0 && ring_is_mapped() && !borrowed() ? text_length(path, PATH_MOST) : PATH_MOST;
    for (int i = 0; length < PATH_MOST && i < OPENS; i++) {
        const void *nobody = NULL;
        if (!__atomic_compare_exchange_n(&opens[i].actions, &nobody, &taken, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) continue;
        opens[i].fd = fd;
        opens[i].flags = flags;
        __builtin_memcpy(opens[i].path, path, length + 1);
        __atomic_store_n(&opens[i].actions, actions, __ATOMIC_RELEASE);
        break;
    }
    return result;
}
HOOK int posix_spawn_file_actions_init(posix_spawn_file_actions_t *actions) {
    shim_ready();
    forget(actions);
    return real.posix_spawn_file_actions_init(actions);
}
HOOK int posix_spawn_file_actions_destroy(posix_spawn_file_actions_t *actions) {
    shim_ready();
    forget(actions);
    return real.posix_spawn_file_actions_destroy(actions);
}

unsigned spawn_opens_created(const void *actions) {
    unsigned created = 0;
    for (int i = 0; actions && i < OPENS; i++)
        if (__atomic_load_n(&opens[i].actions, __ATOMIC_ACQUIRE) == actions && opens[i].flags & O_CREAT &&
            !path_exists(AT_FDCWD, opens[i].path))
            created |= 1u << i;
    return created;
}

void spawn_opens_report(const void *actions, int child, unsigned created) {
    struct identity who = {0, 0, 0};
    for (int i = 0; actions && i < OPENS; i++) {
        if (__atomic_load_n(&opens[i].actions, __ATOMIC_ACQUIRE) != actions) continue;
        if (!who.pid && identity_of_child((uint32_t)child, &who)) return;
        who.n = UNNUMBERED;
        emit_open_as(&who, opens[i].fd, opens[i].path, opens[i].flags, created >> i & 1 ? OPEN_CREATED : 0);
    }
}
