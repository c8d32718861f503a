/* Opening, closing and duplicating descriptors. */
#include "real.h"

#include <errno.h>
#include <stdarg.h>

#include "path.h"
#include "self.h"
#include "sys.h"
#include "table.h"

#define CREATES(flags) ((flags) & O_CREAT || ((flags) & O_TMPFILE) == O_TMPFILE)

static int wants_mode(int flags) { return CREATES(flags); }

/* Asked before the open: did it create the file? Only then is there anything to ask. */
static int would_create(int dirfd, const char *path, int flags) {
    if (!(flags & O_CREAT) || !ring_is_mapped() || !path) return 0;
    return flags & O_EXCL || !path_exists(dirfd, path) ? OPEN_CREATED : 0;
}

static int open_at(int dirfd, const char *path, int flags, mode_t mode) {
    shim_ready();
    int how = would_create(dirfd, path, flags);
    int fd = dirfd == AT_FDCWD ? real.open(path, flags, mode) : real.openat(dirfd, path, flags, mode);
    if (fd < 0) return fd;
    /* A nameless file: `path` is only the folder whose disk it is on. */
    if (UNLIKELY((flags & O_TMPFILE) == O_TMPFILE)) emit_open_unnamed(fd, flags);
    else emit_open(fd, dirfd, path, flags, how);
    return fd;
}

#define MODE_ARGUMENT(flags, mode)                                                                                             \
    mode_t mode = 0;                                                                                                           \
    if (wants_mode(flags)) {                                                                                                   \
        va_list list;                                                                                                          \
        va_start(list, flags);                                                                                                 \
        mode = (mode_t)va_arg(list, int);                                                                                      \
        va_end(list);                                                                                                          \
    }

HOOK int open(const char *path, int flags, ...) {
    MODE_ARGUMENT(flags, mode)
    return open_at(AT_FDCWD, path, flags, mode);
}
HOOK int open64(const char *path, int flags, ...) {
    MODE_ARGUMENT(flags, mode)
    return open_at(AT_FDCWD, path, flags, mode);
}
HOOK int openat(int dirfd, const char *path, int flags, ...) {
    MODE_ARGUMENT(flags, mode)
    return open_at(dirfd, path, flags, mode);
}
HOOK int openat64(int dirfd, const char *path, int flags, ...) {
    MODE_ARGUMENT(flags, mode)
    return open_at(dirfd, path, flags, mode);
}
/* The forms that _FORTIFY_SOURCE compiles to. */
HOOK int __open_2(const char *path, int flags) { return open_at(AT_FDCWD, path, flags, 0); }
HOOK int __open64_2(const char *path, int flags) { return open_at(AT_FDCWD, path, flags, 0); }
HOOK int __openat_2(int dirfd, const char *path, int flags) { return open_at(dirfd, path, flags, 0); }
HOOK int __openat64_2(int dirfd, const char *path, int flags) { return open_at(dirfd, path, flags, 0); }
HOOK int creat(const char *path, mode_t mode) { return open_at(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
HOOK int creat64(const char *path, mode_t mode) { return open_at(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }

static int made(int fd, const char *name, int flags) {
    if (fd >= 0) emit_open(fd, AT_FDCWD, name, flags | O_RDWR | O_CREAT | O_EXCL, OPEN_CREATED);
    return fd;
}
#define MAKES(name, parameters, call, flags)                                                                                   \
    HOOK int name parameters {                                                                                                 \
        shim_ready();                                                                                                          \
        return made(real.call, template, flags);                                                                               \
    }
MAKES(mkstemp, (char *template), mkstemp(template), 0)
MAKES(mkstemp64, (char *template), mkstemp(template), 0)
MAKES(mkostemp, (char *template, int flags), mkostemp(template, flags), flags)
MAKES(mkostemp64, (char *template, int flags), mkostemp(template, flags), flags)
MAKES(mkstemps, (char *template, int suffix), mkstemps(template, suffix), 0)
MAKES(mkstemps64, (char *template, int suffix), mkstemps(template, suffix), 0)
MAKES(mkostemps, (char *template, int suffix, int flags), mkostemps(template, suffix, flags), flags)
MAKES(mkostemps64, (char *template, int suffix, int flags), mkostemps(template, suffix, flags), flags)

/* Shared memory is a file below /dev/shm (shm_overview(7)). Before glibc 2.34 it lives in librt. */
static const char *shared_path(const char *name, char *room) {
    while (*name == '/') name++;
    size_t length = text_length(name, 255);
    __builtin_memcpy(room, "/dev/shm/", 9);
    __builtin_memcpy(room + 9, name, length);
    room[9 + length] = 0;
    return room;
}
HOOK int shm_open(const char *name, int flags, mode_t mode) {
    char room[272];
    shim_ready();
    if (!real.shm_open) real_resolve();
    if (!real.shm_open) return (int)as_libc(-ENOSYS);
    const char *path = name ? shared_path(name, room) : NULL;
    int how = would_create(AT_FDCWD, path, flags);
    int fd = real.shm_open(name, flags, mode);
    if (fd >= 0) emit_open(fd, AT_FDCWD, path, flags, how);
    return fd;
}
HOOK int shm_unlink(const char *name) {
    char room[272];
    shim_ready();
    if (!real.shm_unlink) real_resolve();
    if (!real.shm_unlink) return (int)as_libc(-ENOSYS);
    int result = real.shm_unlink(name);
    if (result == 0) emit_change(OP_UNLINK, 0, AT_FDCWD, shared_path(name, room), 0, NULL);
    return result;
}

/* A file that is only memory: what is written to it can be executed without ever having had a name. */
HOOK int memfd_create(const char *name, unsigned flags) {
    shim_ready();
    int fd = real.memfd_create ? real.memfd_create(name, flags) : (int)as_libc(RAW2(SYS_memfd_create, name, flags));
    if (fd >= 0) emit_open_unnamed(fd, O_RDWR | O_CREAT);
    return fd;
}

HOOK int close(int fd) {
    shim_ready();
    table_closing(fd);
    return real.close(fd);
}

HOOK int close_range(unsigned first, unsigned last, int flags) {
    shim_ready();
    if (!(flags & 4 /* CLOSE_RANGE_CLOEXEC: closes nothing yet */) && first <= last) table_closing_range(first, last);
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
    return real.close_range ? real.close_range(first, last, flags) : (int)as_libc(RAW3(SYS_close_range, first, last, flags));
}

HOOK void closefrom(int first) {
    shim_ready();
    table_closing_range(first < 0 ? 0 : (uint32_t)first, UINT32_MAX);
    if (real.closefrom) real.closefrom(first);
}

HOOK int dup(int fd) {
    shim_ready();
    int copy = real.dup(fd);
    if (copy >= 0) table_copy(fd, copy);
    return copy;
}

/* The target is closed silently by the call, so its totals are reported before. */
HOOK int dup2(int fd, int target) {
    shim_ready();
    if (fd != target) table_closing(target);
    int copy = real.dup2(fd, target);
    if (copy >= 0) table_copy(fd, copy);
    return copy;
}

HOOK int dup3(int fd, int target, int flags) {
    shim_ready();
    if (fd != target) table_closing(target);
    int copy = real.dup3(fd, target, flags);
    if (copy >= 0) table_copy(fd, copy);
    return copy;
}

static int control(int fd, int command, void *argument) {
    shim_ready();
    int result = real.fcntl(fd, command, argument);
    if (result >= 0 && (command == F_DUPFD || command == F_DUPFD_CLOEXEC)) table_copy(fd, result);
    return result;
}
#define POINTER_ARGUMENT(last, out)                                                                                            \
    va_list list;                                                                                                              \
    va_start(list, last);                                                                                                      \
    void *out = va_arg(list, void *);                                                                                          \
    va_end(list);
HOOK int fcntl(int fd, int command, ...) {
    POINTER_ARGUMENT(command, argument)
    return control(fd, command, argument);
}
HOOK int fcntl64(int fd, int command, ...) {
    POINTER_ARGUMENT(command, argument)
    return control(fd, command, argument);
}

/* New descriptors that are no files: whatever was known of the number belonged to something closed inside libc. */
HOOK int pipe(int fds[2]) {
    shim_ready();
    int result = real.pipe(fds);
    if (result == 0) table_reset(fds[0]), table_reset(fds[1]);
    return result;
}
HOOK int pipe2(int fds[2], int flags) {
    shim_ready();
    int result = real.pipe2(fds, flags);
    if (result == 0) table_reset(fds[0]), table_reset(fds[1]);
    return result;
}
