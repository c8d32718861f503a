/* Ends: our own with the code, and those of children that a signal killed and that could not report themselves. */
#include "real.h"

#include "process.h"
#include "ring.h"
#include "self.h"
#include "sys.h"
#include "table.h"

static uint32_t reported_by; /* pid, so that a child of fork reports its own exit again */

void exit_report(int code) {
    if (!ring_is_mapped()) return;
    uint32_t pid = self_identity()->pid;
    if (!borrowed()) {
        if (__atomic_exchange_n(&reported_by, pid, __ATOMIC_RELAXED) == pid) return;
        table_report_all();
    }
    /* 0: not known; otherwise the code as the parent will see it, plus one. */
    emit(EV_PROCESS_EXIT, code < 0 ? 0 : (uint64_t)(code & 0xff) + 1, 0, 0, 0, NULL, 0);
}

static void at_exit(int code, void *ignored) {
    (void)ignored;
    exit_report(code & 0xff);
}

void exit_begin(void) {
    /* Registered first, so run last. exit() alone could be hooked, but not main's return. */
    if (real.on_exit) real.on_exit(at_exit, NULL);
}

void exit_unload(void) {
    if (!real.on_exit) exit_report(-1);
}

HOOK void _exit(int code) {
    shim_ready();
    exit_report(code & 0xff);
    if (real._exit) real._exit(code);
    for (;;) RAW1(SYS_exit_group, code);
}
HOOK void _Exit(int code) { _exit(code); }
HOOK void quick_exit(int code) {
    shim_ready();
    exit_report(code & 0xff);
    real.quick_exit(code);
    for (;;) RAW1(SYS_exit_group, code);
}

static pid_t waited(pid_t child, const int *status) {
    if (child > 0 && WIFSIGNALED(*status)) emit(EV_PROCESS_EXIT, 0, (uint64_t)WTERMSIG(*status), (uint64_t)child, 0, NULL, 0);
    return child;
}
/* The caller may not want the status; we do. */
#define WAIT(name, parameters, call)                                                                                           \
    HOOK pid_t name parameters {                                                                                               \
        int own = 0, *at = status ? status : &own;                                                                             \
        shim_ready();                                                                                                          \
        return waited(real.call, at);                                                                                          \
    }
WAIT(wait, (int *status), wait(at))
WAIT(waitpid, (pid_t pid, int *status, int options), waitpid(pid, at, options))
WAIT(wait3, (int *status, int options, struct rusage *usage), wait3(at, options, usage))
WAIT(wait4, (pid_t pid, int *status, int options, struct rusage *usage), wait4(pid, at, options, usage))

HOOK int waitid(idtype_t type, id_t id, siginfo_t *info, int options) {
    shim_ready();
    int result = real.waitid(type, id, info, options);
    if (result == 0 && info && !(options & WNOWAIT) && info->si_pid > 0 &&
        (info->si_code == CLD_KILLED || info->si_code == CLD_DUMPED))
        emit(EV_PROCESS_EXIT, 0, (uint64_t)info->si_status, (uint64_t)info->si_pid, 0, NULL, 0);
    return result;
}
