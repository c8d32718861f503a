#define _GNU_SOURCE
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/stat.h>
#include <unistd.h>

#include "path.h"
#include "process.h"
#include "ring.h"
#include "sys.h"

#define ARGUMENTS 64
#define ARGUMENTS_BYTES 4096u

static SLOW void report(int dirfd, const char *path, char *const argv[], int child, int ok) {
    char room[TEXT_MAX], here[TEXT_MAX];
    struct piece all[PATH_PIECES + 1 + ARGUMENTS];
    unsigned used = path_pieces(dirfd, path, room, all);
    long got = RAW2(SYS_getcwd, here, sizeof here);
    all[used++] = piece_of(here, got > 1 ? (uint32_t)got - 1 : 0);
    uint32_t left = ARGUMENTS_BYTES;
    for (unsigned i = 0; argv && i < ARGUMENTS && argv[i] && left; i++) {
        uint32_t length = (uint32_t)text_length(argv[i], left);
        all[used++] = piece_of(argv[i], length);
        left -= length;
    }
    emit(EV_PROCESS_EXEC, (uint64_t)child, (uint64_t)ok, 0, 0, all, used);
}

void report_exec(int dirfd, const char *path, char *const argv[], int child, int ok) {
    char target[512], link[64] = "";
    if (!ring_is_mapped() || !path) return;
    /* A program handed over as an open descriptor, often one that never had a name: say what it really is. */
    if (same_bytes(path, "/proc/self/fd/", text_length(path, 14)) || same_bytes(path, "/dev/fd/", text_length(path, 8))) {
        size_t length = text_length(path, sizeof link - 1);
        __builtin_memcpy(link, path, length);
        long got = length > 8 ? RAW4(SYS_readlinkat, AT_FDCWD, link, target, sizeof target - 1) : -1;
        if (got > 0) {
            target[got] = 0;
            path = target;
        }
    }
    report(dirfd, path, argv, child, ok);
}

static const char *path_variable(void) {
    for (char **env = environ; env && *env; env++)
        if (same_bytes(*env, "PATH=", text_length(*env, 5)) && text_length(*env, 5) == 5) return *env + 5;
    return "/bin:/usr/bin";
}

const char *search_program(const char *file, char *room) {
    if (!file || !*file) return NULL;
    size_t length = text_length(file, TEXT_MAX);
    for (size_t i = 0; i < length; i++)
        if (file[i] == '/') return file;
    const char *at = path_variable();
    for (int tries = 0; tries < 64; tries++) {
        size_t n = 0;
        while (at[n] && at[n] != ':') n++;
        if (n + length + 2 < TEXT_MAX) {
            size_t used = 0;
            if (n) {
                __builtin_memcpy(room, at, n);
                room[n] = '/';
                used = n + 1;
            }
            __builtin_memcpy(room + used, file, length);
            room[used + length] = 0;
            if (RAW3(SYS_faccessat, AT_FDCWD, room, 1 /* X_OK */) == 0) return room;
        }
        if (!at[n]) break;
        at += n + 1;
    }
    return NULL;
}

enum verdict { OPEN_TO_US, CLOSED, SCRIPT };

/* `script` receives the interpreter of a `#!` line. */
static enum verdict examine(int dirfd, const char *path, char script[256]) {
    union {
        ElfW(Ehdr) elf;
        char text[256];
    } head;
    ElfW(Phdr) programs[24];
    struct stat info;
    enum verdict verdict = OPEN_TO_US;
    long fd = RAW4(SYS_openat, dirfd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
    if (fd < 0) return OPEN_TO_US; /* not readable, or gone: exec will tell */
    long got = RAW4(SYS_pread64, fd, &head, sizeof head, 0);
    if (got >= (long)sizeof head.elf && same_bytes(head.text, ELFMAG, SELFMAG)) {
        unsigned count = head.elf.e_phnum < 24 ? head.elf.e_phnum : 24;
        long size = (long)(count * sizeof *programs);
        int interpreted = 0;
        if (head.elf.e_ident[EI_CLASS] == (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32) &&
            RAW4(SYS_pread64, fd, programs, size, head.elf.e_phoff) == size)
            for (unsigned i = 0; i < count; i++) interpreted |= programs[i].p_type == PT_INTERP;
        if (!interpreted) verdict = CLOSED;
        /* The dynamic linker ignores LD_PRELOAD when a program gains privileges (ld.so(8)). */
        if (RAW2(SYS_fstat, fd, &info) == 0 && info.st_mode & S_ISUID && info.st_uid != (uid_t)RAW1(SYS_geteuid, 0)) verdict = CLOSED;
    } else if (got > 3 && head.text[0] == '#' && head.text[1] == '!') {
        long from = 2, to;
        while (from < got && (head.text[from] == ' ' || head.text[from] == '\t')) from++;
        for (to = from; to < got && to < 250 && head.text[to] != ' ' && head.text[to] != '\t' && head.text[to] != '\n';) to++;
        __builtin_memcpy(script, head.text + from, (size_t)(to - from));
        script[to - from] = 0;
        verdict = SCRIPT;
    }
    RAW1(SYS_close, fd);
    return verdict;
}

SLOW void report_if_closed(int dirfd, const char *path) {
    char script[256], ignored[256];
    if (!ring_is_mapped() || !path) return;
    enum verdict verdict = examine(dirfd, path, script);
    if (verdict == SCRIPT) {
        path = script;
        dirfd = AT_FDCWD;
        verdict = examine(dirfd, path, ignored);
    }
    if (verdict != CLOSED) return;
    char room[TEXT_MAX];
    struct piece pieces[PATH_PIECES];
    unsigned count = path_pieces(dirfd, path, room, pieces);
    emit(EV_UNOBSERVED, UNOBSERVED_PROGRAM, 0, 0, 0, pieces, count);
}
