/* Functions of libc that fork inside themselves: system, popen, daemon. */
#include "real.h"

#include <errno.h>
#include <signal.h>

#include "inject.h"
#include "process.h"
#include "ring.h"
#include "self.h"
#include "sys.h"
#include "table.h"

/* While commands run, the caller ignores SIGINT and SIGQUIT (POSIX); the first to come saves, the last to go restores. */
static int waiting, waiting_lock;
static struct sigaction old_interrupt, old_quit;

/* Bounded: whoever held it may have been left behind by a fork. */
static void lock(void) {
    for (int tries = 0; tries < 10000 && __atomic_exchange_n(&waiting_lock, 1, __ATOMIC_ACQUIRE); tries++) RAW1(SYS_sched_yield, 0);
}
static void unlock(void) { __atomic_store_n(&waiting_lock, 0, __ATOMIC_RELEASE); }

static void ignore_signals(sigset_t *reset) {
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    lock();
    if (waiting++ == 0) {
        sigaction(SIGINT, &ignore, &old_interrupt);
        sigaction(SIGQUIT, &ignore, &old_quit);
    }
    sigemptyset(reset);
    if (old_interrupt.sa_handler != SIG_IGN) sigaddset(reset, SIGINT);
    if (old_quit.sa_handler != SIG_IGN) sigaddset(reset, SIGQUIT);
    unlock();
}
static void restore_signals(void) {
    lock();
    if (--waiting == 0) {
        sigaction(SIGINT, &old_interrupt, NULL);
        sigaction(SIGQUIT, &old_quit, NULL);
    }
    unlock();
}

/*
 * As POSIX describes it, through our own posix_spawn and waitpid: libc's would tell neither the child's number nor how it
 * ended. (Unlike glibc's it is no cancellation point.)
 */
HOOK int system(const char *command) {
    sigset_t child_ends, before, reset;
    posix_spawnattr_t attributes;
    pid_t child;
    int status = -1;
    shim_ready();
    if (!command || !ring_is_mapped() || borrowed()) return real.system(command);
    char *argv[] = {"sh", "-c", (char *)command, NULL};
    ignore_signals(&reset);
    sigemptyset(&child_ends);
    sigaddset(&child_ends, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child_ends, &before);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &before);
    posix_spawnattr_setsigdefault(&attributes, &reset);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    int failure = posix_spawn(&child, "/bin/sh", NULL, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    if (failure) {
        status = 127 << 8; /* as if the shell could not be executed */
    } else {
        while (waitpid(child, &status, 0) < 0) {
            if (errno == EINTR) continue;
            failure = errno;
            status = -1;
            break;
        }
    }
    restore_signals();
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (failure) errno = failure;
    return status;
}

/* The child made last by this thread (proc(5)); 0 where the kernel does not list them. */
static SLOW int last_child(void) {
    char text[512];
    long fd = RAW4(SYS_openat, AT_FDCWD, "/proc/thread-self/children", O_RDONLY | O_CLOEXEC, 0), got;
    uint64_t number = 0, last = 0;
    if (fd < 0) return 0;
    while ((got = RAW3(SYS_read, fd, text, sizeof text)) > 0)
        for (long i = 0; i < got; i++) {
            if (text[i] >= '0' && text[i] <= '9') number = number * 10 + (uint64_t)(text[i] - '0');
            else if (number) last = number, number = 0;
        }
    RAW1(SYS_close, fd);
    return (int)(number ? number : last);
}

#define STREAMS 32
static struct {
    FILE *stream;
    int child;
} streams[STREAMS]; /* best effort: beyond that many, a command killed by a signal is not reported as such */

HOOK FILE *popen(const char *command, const char *mode) {
    shim_ready();
    if (!command || !ring_is_mapped()) return real.popen(command, mode);
    /* popen gives the child whatever `environ` points to. If the application has cleared that, it is put back with ours in
     * it for the duration of the call; the only time the shim touches the application's own data. */
    char **theirs = environ;
    INJECT(theirs, with_ours);
    table_shared();
    report_if_closed(AT_FDCWD, "/bin/sh");
    if (with_ours != theirs) environ = with_ours;
    FILE *stream = real.popen(command, mode);
    if (with_ours != theirs && environ == with_ours) environ = theirs;
    if (!stream) return NULL;
    int error = errno, child = last_child();
    char *argv[] = {"sh", "-c", (char *)command, NULL};
    report_exec(AT_FDCWD, "/bin/sh", argv, child, 1);
    table_reset(fileno(stream));
    for (int i = 0; i < STREAMS; i++) {
        FILE *nobody = NULL;
        if (!__atomic_compare_exchange_n(&streams[i].stream, &nobody, stream, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) continue;
        streams[i].child = child;
        break;
    }
    errno = error;
    return stream;
}

HOOK int pclose(FILE *stream) {
    int child = 0;
    shim_ready();
    if (stream) {
        table_closing(fileno(stream));
        for (int i = 0; i < STREAMS; i++) {
            if (streams[i].stream != stream) continue;
            child = streams[i].child;
            __atomic_store_n(&streams[i].stream, NULL, __ATOMIC_RELEASE);
            break;
        }
    }
    int status = real.pclose(stream);
    if (child && status != -1 && WIFSIGNALED(status)) emit(EV_PROCESS_EXIT, 0, (uint64_t)WTERMSIG(status), (uint64_t)child, 0, NULL, 0);
    return status;
}

/* As in glibc; there the end of the first process would not be seen. */
HOOK int daemon(int keep_folder, int keep_streams) {
    shim_ready();
    if (!ring_is_mapped()) return real.daemon(keep_folder, keep_streams);
    pid_t child = fork();
    if (child < 0) return -1;
    if (child > 0) _exit(0);
    if (setsid() < 0) return -1;
    if (!keep_folder && chdir("/")) return -1;
    if (!keep_streams) {
        int fd = open("/dev/null", O_RDWR);
        if (fd < 0) return -1;
        dup2(fd, 0);
        dup2(fd, 1);
        dup2(fd, 2);
        if (fd > 2) close(fd);
    }
    return 0;
}
