/* The C side of entry.S: calls made through libc's syscall(), and libraries loaded at run time. */
#include "real.h"

#include "path.h"
#include "process.h"
#include "ring.h"
#include "self.h"
#include "sys.h"
#include "table.h"

#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#define SYS_io_uring_setup_ 425

/* 1 where a call has a meaning for us. All others never leave the assembly. */
unsigned char hooked_calls[512] = {
#ifdef SYS_open
    [SYS_open] = 1,   [SYS_dup2] = 1,     [SYS_unlink] = 1,   [SYS_rename] = 1,
    [SYS_chmod] = 1,  [SYS_mkdir] = 1,    [SYS_rmdir] = 1,    [SYS_creat] = 1,
    [SYS_link] = 1,   [SYS_symlink] = 1,  [SYS_chown] = 1,    [SYS_lchown] = 1,
    [SYS_pipe] = 1,
#endif
    [SYS_openat] = 1, [SYS_close] = 1,    [SYS_close_range] = 1,     [SYS_dup] = 1,       [SYS_dup3] = 1,
    [SYS_read] = 1,   [SYS_write] = 1,    [SYS_pread64] = 1,         [SYS_pwrite64] = 1,  [SYS_readv] = 1,
    [SYS_writev] = 1, [SYS_sendfile] = 1, [SYS_copy_file_range] = 1, [SYS_splice] = 1,    [SYS_connect] = 1,
    [SYS_accept4] = 1, [SYS_sendto] = 1,  [SYS_recvfrom] = 1,        [SYS_sendmsg] = 1,   [SYS_recvmsg] = 1,
    [SYS_execve] = 1, [SYS_execveat] = 1, [SYS_unlinkat] = 1,        [SYS_renameat2] = 1, [SYS_memfd_create] = 1,
    [SYS_mkdirat] = 1, [SYS_renameat] = 1, [SYS_linkat] = 1,         [SYS_symlinkat] = 1,  [SYS_truncate] = 1,
    [SYS_ftruncate] = 1, [SYS_fchmod] = 1, [SYS_fchmodat] = 1,       [SYS_fchown] = 1,     [SYS_fchownat] = 1,
    [SYS_socket] = 1, [SYS_socketpair] = 1, [SYS_bind] = 1,          [SYS_accept] = 1,     [SYS_preadv] = 1,
    [SYS_pwritev] = 1, [SYS_pipe2] = 1,
    [SYS_exit_group] = 1, [SYS_io_uring_setup_] = 1,
};
/* Set once the shim is ready; until then every call goes to call_hooked, which can do without libc. */
long (*real_syscall)(long, ...);

/* libuv always makes a ring for epoll, which tells nothing; one polled by the kernel is what it does file operations with. */
static void report_io_uring(const uint32_t *parameters) {
    if (!parameters || !(parameters[2] & 2 /* IORING_SETUP_SQPOLL */)) return;
    static const char what[] = "io_uring: file and network operations that no library call shows";
    struct piece text = piece_of(what, sizeof what - 1);
    emit(EV_UNOBSERVED, UNOBSERVED_PROCESS, 0, 0, 0, &text, 1);
}

/* Goes through our own functions of the same meaning, so that each is reported in one way only. */
long call_hooked(long number, long a, long b, long c, long d, long e, long f) {
    shim_ready();
    if (!real_syscall) real_syscall = real.syscall;
    switch (number) {
#ifdef SYS_open
    case SYS_open: return open((const char *)a, (int)b, (mode_t)c);
    case SYS_creat: return creat((const char *)a, (mode_t)b);
    case SYS_dup2: return dup2((int)a, (int)b);
    case SYS_unlink: return unlink((const char *)a);
    case SYS_rename: return rename((const char *)a, (const char *)b);
    case SYS_chmod: return chmod((const char *)a, (mode_t)b);
    case SYS_mkdir: return mkdir((const char *)a, (mode_t)b);
    case SYS_rmdir: return rmdir((const char *)a);
    case SYS_link: return link((const char *)a, (const char *)b);
    case SYS_symlink: return symlink((const char *)a, (const char *)b);
    case SYS_chown: return chown((const char *)a, (uid_t)b, (gid_t)c);
    case SYS_lchown: return lchown((const char *)a, (uid_t)b, (gid_t)c);
    case SYS_pipe: return pipe((int *)a);
#endif
    case SYS_mkdirat: return mkdirat((int)a, (const char *)b, (mode_t)c);
    case SYS_renameat: return renameat((int)a, (const char *)b, (int)c, (const char *)d);
    case SYS_linkat: return linkat((int)a, (const char *)b, (int)c, (const char *)d, (int)e);
    case SYS_symlinkat: return symlinkat((const char *)a, (int)b, (const char *)c);
    case SYS_truncate: return truncate((const char *)a, b);
    case SYS_ftruncate: return ftruncate((int)a, b);
    case SYS_fchmod: return fchmod((int)a, (mode_t)b);
    case SYS_fchmodat: return fchmodat((int)a, (const char *)b, (mode_t)c, 0); /* the call itself has no flags */
    case SYS_fchown: return fchown((int)a, (uid_t)b, (gid_t)c);
    case SYS_fchownat: return fchownat((int)a, (const char *)b, (uid_t)c, (gid_t)d, (int)e);
    case SYS_socket: return socket((int)a, (int)b, (int)c);
    case SYS_socketpair: return socketpair((int)a, (int)b, (int)c, (int *)d);
    case SYS_bind: return bind((int)a, (const struct sockaddr *)b, (socklen_t)c);
    case SYS_accept: return accept((int)a, (struct sockaddr *)b, (socklen_t *)c);
    case SYS_preadv: return preadv((int)a, (const struct iovec *)b, (int)c, d);
    case SYS_pwritev: return pwritev((int)a, (const struct iovec *)b, (int)c, d);
    case SYS_pipe2: return pipe2((int *)a, (int)b);
    case SYS_openat: return openat((int)a, (const char *)b, (int)c, (mode_t)d);
    case SYS_close: return close((int)a);
    case SYS_close_range: return close_range((unsigned)a, (unsigned)b, (int)c);
    case SYS_dup: return dup((int)a);
    case SYS_dup3: return dup3((int)a, (int)b, (int)c);
    case SYS_read: return read((int)a, (void *)b, (size_t)c);
    case SYS_write: return write((int)a, (const void *)b, (size_t)c);
    case SYS_pread64: return pread((int)a, (void *)b, (size_t)c, d);
    case SYS_pwrite64: return pwrite((int)a, (const void *)b, (size_t)c, d);
    case SYS_readv: return readv((int)a, (const struct iovec *)b, (int)c);
    case SYS_writev: return writev((int)a, (const struct iovec *)b, (int)c);
    case SYS_sendfile: return sendfile((int)a, (int)b, (off_t *)c, (size_t)d);
    case SYS_copy_file_range: return copy_file_range((int)a, (off64_t *)b, (int)c, (off64_t *)d, (size_t)e, (unsigned)f);
    case SYS_splice: return splice((int)a, (off64_t *)b, (int)c, (off64_t *)d, (size_t)e, (unsigned)f);
    case SYS_connect: return connect((int)a, (const struct sockaddr *)b, (socklen_t)c);
    case SYS_accept4: return accept4((int)a, (struct sockaddr *)b, (socklen_t *)c, (int)d);
    case SYS_sendto: return sendto((int)a, (const void *)b, (size_t)c, (int)d, (const struct sockaddr *)e, (socklen_t)f);
    case SYS_recvfrom: return recvfrom((int)a, (void *)b, (size_t)c, (int)d, (struct sockaddr *)e, (socklen_t *)f);
    case SYS_sendmsg: return sendmsg((int)a, (const struct msghdr *)b, (int)c);
    case SYS_recvmsg: return recvmsg((int)a, (struct msghdr *)b, (int)c);
    case SYS_execve: return execve((const char *)a, (char *const *)b, (char *const *)c);
    case SYS_execveat: return execveat((int)a, (const char *)b, (char *const *)c, (char *const *)d, (int)e);
    case SYS_unlinkat: return unlinkat((int)a, (const char *)b, (int)c);
    case SYS_renameat2: return renameat2((int)a, (const char *)b, (int)c, (const char *)d, (unsigned)e);
    case SYS_memfd_create: return memfd_create((const char *)a, (unsigned)b);
    case SYS_exit_group: exit_report((int)a & 0xff); break;
    default: break;
    }
    long result = as_libc(raw6(number, a, b, c, d, e, f));
    if (number == SYS_io_uring_setup_ && result >= 0) report_io_uring((const uint32_t *)b);
    return result;
}

/* Answers the real dlopen, which the assembly then jumps to. Names without a slash are found in the system's folders. */
void *note_dlopen(const char *file) {
    shim_ready();
    if (!real.dlopen) real_resolve(); /* before glibc 2.34 it lives in libdl, which may have been loaded since */
    if (file && ring_is_mapped()) {
        report_libraries(); /* what earlier calls have drawn in */
        size_t length = text_length(file, TEXT_MAX);
        for (size_t i = 0; i < length; i++) {
            if (file[i] != '/') continue;
            if (path_exists(AT_FDCWD, file)) emit_open(-1, AT_FDCWD, file, O_RDONLY, 0);
            break;
        }
    }
    return real.dlopen;
}
