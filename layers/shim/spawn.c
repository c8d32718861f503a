/* Programs started by functions of libc that fork and exec inside themselves. */
#include "real.h"

#include <errno.h>
#include <signal.h>

#include "inject.h"
#include "process.h"
#include "ring.h"
#include "self.h"
#include "sys.h"
#include "table.h"

static void spawned(int result, const pid_t *child, const char *path, char *const argv[]) {
    if (path && result != ENOENT) report_exec(AT_FDCWD, path, argv, result == 0 ? (int)*child : 0, result == 0);
}

HOOK int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes,
                     char *const argv[], char *const env[]) {
    pid_t child = 0;
    shim_ready();
    INJECT(env, with_ours);
    table_shared();
    report_if_closed(AT_FDCWD, path);
    unsigned created = spawn_opens_created(actions);
    int result = real.posix_spawn(&child, path, actions, attributes, argv, with_ours);
    if (pid && result == 0) *pid = child;
    if (result == 0) spawn_opens_report(actions, child, created);
    spawned(result, &child, path, argv);
    return result;
}

HOOK int posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
                      const posix_spawnattr_t *attributes, char *const argv[], char *const env[]) {
    char room[TEXT_MAX];
    pid_t child = 0;
    shim_ready();
    INJECT(env, with_ours);
    table_shared();
    const char *path = ring_is_mapped() ? search_program(file, room) : NULL;
    report_if_closed(AT_FDCWD, path);
    unsigned created = spawn_opens_created(actions);
    int result = real.posix_spawnp(&child, file, actions, attributes, argv, with_ours);
    if (pid && result == 0) *pid = child;
    if (result == 0) spawn_opens_report(actions, child, created);
    spawned(result, &child, path, argv);
    return result;
}

/* clone(2) as a function: the child runs `run` on a stack of its own, so it can be met there. */
struct start {
    int (*run)(void *);
    void *argument;
    int shares_memory;
};
static int child_of_clone(void *data) {
    struct start start = *(struct start *)data;
    if (start.shares_memory) vfork_end(0);
    else self_forked();
    int code = start.run(start.argument);
    exit_report(code & 0xff); /* libc ends the child with a call of its own */
    return code;
}

HOOK int clone(int (*run)(void *), void *stack, int flags, void *argument, ...) {
    __builtin_va_list list;
    shim_ready();
    __builtin_va_start(list, argument);
    pid_t *parent_tid = __builtin_va_arg(list, pid_t *);
    void *tls = __builtin_va_arg(list, void *);
    pid_t *child_tid = __builtin_va_arg(list, pid_t *);
    __builtin_va_end(list);
    int like_vfork = flags & CLONE_VM && flags & CLONE_VFORK && !(flags & (CLONE_THREAD | CLONE_SETTLS));
    /* Threads made by hand, and processes that go on sharing our memory, are left alone: their events are the caller's. */
    if (!run || !ring_is_mapped() || (flags & CLONE_VM && !like_vfork))
        return real.clone(run, stack, flags, argument, parent_tid, tls, child_tid);
    struct start start = {run, argument, like_vfork};
    if (like_vfork) vfork_begin();
    int child = real.clone(child_of_clone, stack, flags, &start, parent_tid, tls, child_tid);
    if (like_vfork) {
        int error = errno;
        vfork_end(child > 0 ? child : -error);
        errno = error;
    }
    return child;
}

/* fork that skips the handlers of pthread_atfork (glibc 2.34). */
HOOK pid_t _Fork(void) {
    shim_ready();
    pid_t child = real._Fork ? real._Fork() : (pid_t)as_libc(RAW5(SYS_clone, SIGCHLD, 0, 0, 0, 0));
    if (child == 0) self_forked();
    return child;
}
