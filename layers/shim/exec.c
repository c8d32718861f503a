/*
 * The exec family. Each form is hooked itself: libc's own calls among them do not pass through us. All of them may run in a
 * child of vfork, where nothing but the stack is ours to write.
 */
#include "real.h"

#include <errno.h>
#include <stdarg.h>

#include "inject.h"
#include "path.h"
#include "process.h"
#include "ring.h"
#include "self.h"
#include "sys.h"
#include "table.h"

/* Before the image is replaced. 0: it will fail for want of such a program, the commonest failure and no event
 * (PATH searches try every folder). */
static int announce(int dirfd, const char *path, char *const argv[], int flags) {
    if (!ring_is_mapped() || !path) return 0;
    if (RAW3(SYS_faccessat, dirfd, path[0] ? path : "/", 1 /* X_OK */)) return 0;
    report_exec(dirfd, path, argv, 0, 1);
    if (path[0] || !(flags & AT_EMPTY_PATH)) report_if_closed(dirfd, path);
    table_report_all();
    return 1;
}

/* Only reached when exec has failed. */
static int failed(int announced, int dirfd, const char *path, char *const argv[], int result) {
    int error = errno;
    if (announced) report_exec(dirfd, path, argv, 0, 0);
    errno = error;
    return result;
}

HOOK int execve(const char *path, char *const argv[], char *const env[]) {
    shim_ready();
    int announced = announce(AT_FDCWD, path, argv, 0);
    INJECT(env, with_ours);
    return failed(announced, AT_FDCWD, path, argv, real.execve(path, argv, with_ours));
}
HOOK int execv(const char *path, char *const argv[]) { return execve(path, argv, environ); }

HOOK int execvpe(const char *file, char *const argv[], char *const env[]) {
    char room[TEXT_MAX];
    shim_ready();
    const char *path = ring_is_mapped() ? search_program(file, room) : NULL;
    int announced = path ? announce(AT_FDCWD, path, argv, 0) : 0;
    INJECT(env, with_ours);
    return failed(announced, AT_FDCWD, path, argv, real.execvpe(file, argv, with_ours));
}
HOOK int execvp(const char *file, char *const argv[]) { return execvpe(file, argv, environ); }

/* The list forms become vectors, as in libc. `env_follows`: execle's environment comes after the closing NULL. */
#define LIST_TO_VECTOR(first, argv, env_out)                                                                                   \
    va_list list, again;                                                                                                       \
    size_t count = 1;                                                                                                          \
    va_start(list, first);                                                                                                     \
    va_copy(again, list);                                                                                                      \
    if (first)                                                                                                                 \
        while (va_arg(list, const char *)) count++;                                                                            \
    char **argv = __builtin_alloca((count + 1) * sizeof *argv);                                                                \
    argv[0] = (char *)first;                                                                                                   \
    for (size_t i = 1; i < count; i++) argv[i] = va_arg(again, char *);                                                        \
    argv[count] = NULL;                                                                                                        \
    if (first) (void)va_arg(again, char *);                                                                                    \
    char *const *env_out __attribute__((unused)) = NULL;

HOOK int execl(const char *path, const char *first, ...) {
    LIST_TO_VECTOR(first, argv, env)
    va_end(list);
    va_end(again);
    return execve(path, argv, environ);
}
HOOK int execlp(const char *file, const char *first, ...) {
    LIST_TO_VECTOR(first, argv, env)
    va_end(list);
    va_end(again);
    return execvpe(file, argv, environ);
}
HOOK int execle(const char *path, const char *first, ...) {
    LIST_TO_VECTOR(first, argv, env)
    env = va_arg(again, char *const *);
    va_end(list);
    va_end(again);
    return execve(path, argv, env);
}

HOOK int execveat(int dirfd, const char *path, char *const argv[], char *const env[], int flags) {
    shim_ready();
    int announced = announce(dirfd, path, argv, flags);
    INJECT(env, with_ours);
    int result = real.execveat ? real.execveat(dirfd, path, argv, with_ours, flags)
                               : (int)as_libc(RAW5(SYS_execveat, dirfd, path, argv, with_ours, flags));
    return failed(announced, dirfd, path, argv, result);
}

HOOK int fexecve(int fd, char *const argv[], char *const env[]) {
    char link[40] = "/proc/self/fd/";
    shim_ready();
    print_number(link + 14, (uint64_t)(unsigned)fd);
    int announced = fd >= 0 ? announce(AT_FDCWD, link, argv, 0) : 0;
    INJECT(env, with_ours);
    return failed(announced, AT_FDCWD, link, argv, real.fexecve(fd, argv, with_ours));
}
