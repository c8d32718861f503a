#define _GNU_SOURCE
#include "self.h"

#include <fcntl.h>
#include <sys/mman.h>

#include "claim.h"
#include "inject.h"
#include "place.h"
#include "process.h"
#include "real.h"
#include "ring.h"
#include "steer.h"
#include "sys.h"
#include "table.h"
#include "wire.h"

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

int shim_state;
__thread int vfork_depth __attribute__((tls_model("initial-exec")));
static __thread struct identity borrower __attribute__((tls_model("initial-exec")));
static struct identity own;

/* The kernel zeroes this word in every child of fork, also when libc's fork was not used: the cheapest pid check there is. */
static uint32_t not_wiped = 1;
static uint32_t *alive = &not_wiped;

/* Field 4 (parent) and 22 (start time in ticks) of /proc/<pid>/stat; `pid` 0 is ourselves. proc(5). */
static int read_stat(uint32_t pid, uint32_t *parent, uint64_t *start) {
    char text[512], path[40] = "/proc/self/stat";
    if (pid) {
        size_t length = print_number(path + 6, pid);
        __builtin_memcpy(path + 6 + length, "/stat", 6);
    }
    long fd = RAW4(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0) return -1;
    long got = RAW3(SYS_read, fd, text, sizeof text - 1);
    RAW1(SYS_close, fd);
    if (got <= 0) return -1;
    text[got] = 0;
    /* The name in field 2 may hold blanks and brackets: count from the last closing one. */
    long at = got;
    while (at > 0 && text[at] != ')') at--;
    for (int field = 2; at < got && field < 22; at++) {
        if (text[at] != ' ') continue;
        field++;
        if (field == 4) *parent = (uint32_t)parse_number(text + at + 1);
        if (field == 22) *start = parse_number(text + at + 1);
    }
    return 0;
}

int identity_of_child(uint32_t pid, struct identity *out) {
    uint32_t ignored = 0;
    out->pid = pid;
    out->n = UNNUMBERED;
    return read_stat(pid, &ignored, &out->start);
}

static void report_start(uint32_t parent, uint64_t parent_start, enum how how) {
    char exe[1024];
    long length = RAW4(SYS_readlinkat, AT_FDCWD, "/proc/self/exe", exe, sizeof exe);
    struct piece text = piece_of(exe, length > 0 ? (uint32_t)length : 0);
    emit(EV_PROCESS_START, parent, parent_start, how, 0, &text, 1);
}

static struct identity *of_vfork_child(void) {
    uint32_t pid = (uint32_t)RAW1(SYS_getpid, 0);
    if (pid == own.pid) return &own; /* the parent, just before or after the call itself */
    if (borrower.pid != pid) {
        uint32_t parent = 0;
        borrower.pid = pid;
        borrower.n = 0;
        borrower.start = 0;
        read_stat(0, &parent, &borrower.start);
    }
    return &borrower;
}

struct identity *self_identity(void) {
    if (borrowed()) return of_vfork_child();
    if (UNLIKELY(!__atomic_load_n(alive, __ATOMIC_RELAXED))) self_forked();
    return &own;
}

void self_forked(void) {
    uint32_t pid = (uint32_t)RAW1(SYS_getpid, 0), parent = own.pid;
    uint64_t parent_start = own.start;
    /* Called by the fork handler and, for forks it does not see, by the first event: once is enough. (A child in a new
     * pid namespace may have the very pid of its parent, so where the kernel tells, the pid does not decide.) */
    if (alive == &not_wiped ? pid == own.pid : __atomic_exchange_n(alive, 1, __ATOMIC_RELAXED)) return;
    if (vfork_depth) { /* forked by a child of vfork */
        parent = borrower.pid;
        parent_start = borrower.start;
        vfork_depth = 0;
    }
    uint32_t ignored = 0;
    own.pid = pid;
    own.n = 0;
    own.start = 0;
    read_stat(0, &ignored, &own.start);
    table_forget_totals();
    wire_forked();
    if (ring_is_mapped()) report_start(parent, parent_start, HOW_FORK);
}

void vfork_begin(void) {
    shim_ready();
    table_shared();
    borrower.pid = 0;
    vfork_depth++;
}

/* Runs twice: in the child first, then, when the child has gone its way, in the parent. */
long vfork_end(long answer) {
    if (answer == 0) {
        if (ring_is_mapped()) {
            of_vfork_child();
            report_start(own.pid, own.start, HOW_VFORK);
        }
        return 0;
    }
    vfork_depth--;
    return as_libc(answer);
}

static void begin_identity(void) {
    uint32_t parent = 0, ignored = 0;
    uint64_t parent_start = 0;
    own.pid = (uint32_t)RAW1(SYS_getpid, 0);
    read_stat(0, &parent, &own.start);
    if (parent) read_stat(parent, &ignored, &parent_start);
    long page = RAW6(SYS_mmap, 0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page > 0 || page < -4095) {
        if (RAW3(SYS_madvise, page, 4096, MADV_WIPEONFORK) == 0) {
            alive = (uint32_t *)page;
            *alive = 1;
        } else {
            RAW2(SYS_munmap, page, 4096); /* before Linux 4.14: the fork handler alone must do */
        }
    }
    report_start(parent_start ? parent : 0, parent_start, HOW_IMAGE);
    table_begin();
    report_libraries();
}

static char **start_environment;

void shim_begin(void) {
    int expected = 0;
    if (!__atomic_compare_exchange_n(&shim_state, &expected, 1, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) return;
    real_resolve();
    char **env = environ ? environ : start_environment;
    if (env && inject_remember(env) == 0 && ring_map(inject_ring_path()) == 0) {
        steer_begin(inject_value("ALASTOR_PROXY_PORT"));
        places_begin(inject_value("ALASTOR_STEER"));
        claim_begin(env);
        begin_identity();
        exit_begin();
        /* musl has the public name, glibc before 2.34 only the private one as a shared symbol. */
        if (real.__register_atfork) real.__register_atfork(table_shared, NULL, self_forked, NULL);
        else if (real.pthread_atfork) real.pthread_atfork(table_shared, NULL, self_forked);
    }
    __atomic_store_n(&shim_state, 2, __ATOMIC_RELEASE);
}

/* glibc hands argc, argv and envp to constructors; we depend on no library, so ours may run before libc has set environ. */
__attribute__((constructor)) static void at_load(int argc, char **argv, char **envp) {
    (void)argc;
    (void)argv;
#ifdef __GLIBC__
    start_environment = envp;
#else
    (void)envp;
#endif
    shim_ready();
}

__attribute__((destructor)) static void at_unload(void) { exit_unload(); }
