/* Reading and writing: only sums are kept, so these hooks cost an addition. */
#include "real.h"

#include "self.h"
#include "socket.h"
#include "sys.h"
#include "table.h"
#include "tap.h"

static ssize_t in(int fd, ssize_t bytes) {
    count_received(fd, bytes);
    return bytes;
}
static ssize_t out(int fd, ssize_t bytes) {
    count_sent(fd, bytes);
    return bytes;
}
#define TRANSFER(name, direction, parameters, call)                                                                            \
    HOOK ssize_t name parameters {                                                                                             \
        shim_ready();                                                                                                          \
        return direction(fd, real.call);                                                                                       \
    }
TRANSFER(read, in, (int fd, void *to, size_t size), read(fd, to, size))
TRANSFER(pread, in, (int fd, void *to, size_t size, off_t at), pread(fd, to, size, at))
TRANSFER(pread64, in, (int fd, void *to, size_t size, off64_t at), pread(fd, to, size, at))
TRANSFER(readv, in, (int fd, const struct iovec *to, int count), readv(fd, to, count))
TRANSFER(preadv, in, (int fd, const struct iovec *to, int count, off_t at), preadv(fd, to, count, at))
TRANSFER(preadv64, in, (int fd, const struct iovec *to, int count, off64_t at), preadv(fd, to, count, at))
TRANSFER(preadv2, in, (int fd, const struct iovec *to, int count, off_t at, int flags), preadv2(fd, to, count, at, flags))
TRANSFER(preadv64v2, in, (int fd, const struct iovec *to, int count, off64_t at, int flags), preadv2(fd, to, count, at, flags))
TRANSFER(__read_chk, in, (int fd, void *to, size_t size, size_t room), __read_chk(fd, to, size, room))
TRANSFER(__pread_chk, in, (int fd, void *to, size_t size, off64_t at, size_t room), __pread_chk(fd, to, size, at, room))
TRANSFER(__pread64_chk, in, (int fd, void *to, size_t size, off64_t at, size_t room), __pread_chk(fd, to, size, at, room))
TRANSFER(pwrite, out, (int fd, const void *from, size_t size, off_t at), pwrite(fd, from, size, at))
TRANSFER(pwrite64, out, (int fd, const void *from, size_t size, off64_t at), pwrite(fd, from, size, at))
TRANSFER(writev, out, (int fd, const struct iovec *from, int count), writev(fd, from, count))
TRANSFER(pwritev, out, (int fd, const struct iovec *from, int count, off_t at), pwritev(fd, from, count, at))
TRANSFER(pwritev64, out, (int fd, const struct iovec *from, int count, off64_t at), pwritev(fd, from, count, at))
TRANSFER(pwritev2, out, (int fd, const struct iovec *from, int count, off_t at, int flags), pwritev2(fd, from, count, at, flags))
TRANSFER(pwritev64v2, out, (int fd, const struct iovec *from, int count, off64_t at, int flags),
         pwritev2(fd, from, count, at, flags))
TRANSFER(send, out, (int fd, const void *from, size_t size, int flags), send(fd, from, size, flags))
TRANSFER(recv, in, (int fd, void *to, size_t size, int flags), recv(fd, to, size, flags))
TRANSFER(__recv_chk, in, (int fd, void *to, size_t size, size_t room, int flags), __recv_chk(fd, to, size, room, flags))
HOOK ssize_t recvmsg(int fd, struct msghdr *message, int flags) {
    shim_ready();
    ssize_t got = real.recvmsg(fd, message, flags);
    if (got >= 0 && !(flags & MSG_ERRQUEUE)) socket_heard(fd, message->msg_name, message->msg_namelen);
    return in(fd, got);
}

HOOK ssize_t write(int fd, const void *from, size_t size) {
    shim_ready();
    if (UNLIKELY(fd == TAP_DESCRIPTOR)) return tap_write(from, size);
    return out(fd, real.write(fd, from, size));
}

HOOK ssize_t recvfrom(int fd, void *to, size_t size, int flags, struct sockaddr *from, socklen_t *length) {
    shim_ready();
    ssize_t got = real.recvfrom(fd, to, size, flags, from, length);
    if (got >= 0 && from && length) socket_heard(fd, from, *length);
    return in(fd, got);
}
HOOK ssize_t __recvfrom_chk(int fd, void *to, size_t size, size_t room, int flags, struct sockaddr *from, socklen_t *length) {
    shim_ready();
    ssize_t got = real.__recvfrom_chk(fd, to, size, room, flags, from, length);
    if (got >= 0 && from && length) socket_heard(fd, from, *length);
    return in(fd, got);
}
HOOK int recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *limit) {
    shim_ready();
    int got = real.recvmmsg(fd, messages, count, flags, limit);
    for (int i = 0; i < got; i++) {
        socket_heard(fd, messages[i].msg_hdr.msg_name, messages[i].msg_hdr.msg_namelen);
        count_received(fd, messages[i].msg_len);
    }
    return got;
}

static ssize_t between(int to, int from, ssize_t bytes) {
    count_received(from, bytes);
    count_sent(to, bytes);
    return bytes;
}
HOOK ssize_t sendfile(int to, int from, off_t *at, size_t size) {
    shim_ready();
    return between(to, from, real.sendfile(to, from, at, size));
}
HOOK ssize_t sendfile64(int to, int from, off64_t *at, size_t size) {
    shim_ready();
    return between(to, from, real.sendfile(to, from, at, size));
}
HOOK ssize_t splice(int from, off64_t *from_at, int to, off64_t *to_at, size_t size, unsigned flags) {
    shim_ready();
    return between(to, from, real.splice(from, from_at, to, to_at, size, flags));
}
HOOK ssize_t copy_file_range(int from, off64_t *from_at, int to, off64_t *to_at, size_t size, unsigned flags) {
    shim_ready();
    ssize_t moved = real.copy_file_range
                        ? real.copy_file_range(from, from_at, to, to_at, size, flags)
                        : as_libc(RAW6(SYS_copy_file_range, from, from_at, to, to_at, size, flags));
    return between(to, from, moved);
}
