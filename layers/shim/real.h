/*
 * The functions that the hooks replace, found behind us in the link map (what dlsym(RTLD_NEXT) would find).
 *
 * Not dlsym: it may allocate and lock, needs libdl before glibc 2.34, and is itself something applications replace. All are
 * looked up once at load, so no hook ever takes the dynamic linker's lock. A function that this libc lacks stays NULL.
 */
#ifndef ALASTOR_REAL_H
#define ALASTOR_REAL_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

/* Not in every libc's headers: fortified forms, and functions newer than glibc 2.26. */
int __register_atfork(void (*)(void), void (*)(void), void (*)(void), void *);
int close_range(unsigned, unsigned, int);
void closefrom(int);
ssize_t copy_file_range(int, off64_t *, int, off64_t *, size_t, unsigned);
int execveat(int, const char *, char *const[], char *const[], int);
int memfd_create(const char *, unsigned);
size_t __fread_chk(void *, size_t, size_t, size_t, FILE *);
char *__fgets_chk(char *, size_t, int, FILE *);
int __vfprintf_chk(FILE *, int, const char *, __builtin_va_list);
ssize_t __read_chk(int, void *, size_t, size_t);
ssize_t __pread_chk(int, void *, size_t, off64_t, size_t);
ssize_t __recv_chk(int, void *, size_t, size_t, int);
ssize_t __recvfrom_chk(int, void *, size_t, size_t, int, struct sockaddr *, socklen_t *);
int __overflow(FILE *, int);
int __uflow(FILE *);
int __underflow(FILE *);
int renameat2(int, const char *, int, const char *, unsigned);

#define REALS(X)                                                                                                               \
    X(open) X(openat) X(creat) X(fopen) X(freopen) X(tmpfile) X(mkstemp) X(mkostemp) X(mkstemps) X(mkostemps)                  \
    X(memfd_create) X(close) X(fclose) X(dup) X(dup2) X(dup3) X(fcntl) X(close_range) X(closefrom)                             \
    X(read) X(pread) X(readv) X(preadv) X(preadv2) X(write) X(pwrite) X(writev) X(pwritev) X(pwritev2)                         \
    X(sendfile) X(copy_file_range) X(splice)                                                                                   \
    X(fread) X(fwrite) X(fread_unlocked) X(fwrite_unlocked) X(fputs) X(fputs_unlocked) X(puts) X(fgets) X(fgets_unlocked)      \
    X(getline) X(getdelim) X(vfprintf) X(__fread_chk) X(__fgets_chk) X(__vfprintf_chk) X(__read_chk) X(__pread_chk)             \
    X(__recv_chk) X(__recvfrom_chk)                                                                                         \
    X(unlink) X(unlinkat) X(remove) X(rename) X(renameat) X(renameat2) X(link) X(linkat) X(symlink) X(symlinkat)               \
    X(mkdir) X(mkdirat) X(mkdtemp) X(shm_open) X(shm_unlink) X(rmdir) X(chmod) X(fchmod) X(fchmodat) X(chown) X(lchown) X(fchown) X(fchownat)                       \
    X(truncate) X(ftruncate)                                                                                                   \
    X(socket) X(socketpair) X(pipe) X(pipe2) X(connect) X(bind) X(accept) X(accept4) X(getpeername)                            \
    X(send) X(sendto) X(sendmsg) X(sendmmsg) X(recv) X(recvfrom) X(recvmsg) X(recvmmsg)                                        \
    X(getaddrinfo) X(gethostbyname) X(gethostbyname2) X(gethostbyname_r) X(gethostbyname2_r)                                   \
    X(execve) X(execvpe) X(fexecve) X(execveat) X(posix_spawn) X(posix_spawn_file_actions_addopen)                               \
    X(posix_spawn_file_actions_init) X(posix_spawn_file_actions_destroy) X(posix_spawnp) X(system) X(popen) X(pclose)                    \
    X(_exit) X(quick_exit) X(wait) X(wait3) X(wait4) X(waitpid) X(waitid) X(clone) X(_Fork)                                    \
    X(daemon) X(dlclose) X(putc) X(putchar) X(getc) X(getchar) X(fputc) X(fgetc) X(__overflow) X(__uflow) X(__underflow) X(perror)         \
    X(on_exit) X(pthread_atfork) X(__register_atfork) X(dlopen) X(syscall)

pid_t _Fork(void);

struct reals {
#define X(name) __typeof__(&name) name;
    REALS(X)
#undef X
};
extern struct reals real;
void real_resolve(void);

#endif
