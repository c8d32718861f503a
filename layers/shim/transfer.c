/* Reading and writing: for most descriptors only sums are kept, so these hooks cost an addition. */
#include "real.h"

#include "self.h"
#include "socket.h"
#include "sys.h"
#include "table.h"
#include "tap.h"
#include "transfer.h"

/* Looked at without being taken (MSG_PEEK), or handed back by the kernel (MSG_ERRQUEUE): that is not what moves. */
static ssize_t heard(int fd, const struct iovec *to, size_t count, int flags, ssize_t bytes) {
    if (flags & (MSG_PEEK | MSG_ERRQUEUE)) return bytes;
    if (!(flags & (MSG_TRUNC | MSG_OOB))) return moved_in_to(fd, to, count, bytes);
    moved_in_unseen(fd, bytes); /* dropped unread (tcp(7)), or from beside the stream */
    return bytes;
}
static ssize_t heard_in(int fd, const void *to, size_t size, int flags, ssize_t bytes) {
    struct iovec part = {(void *)to, size};
    return heard(fd, &part, 1, flags, bytes);
}

void moved_nothing(int fd, const struct iovec *to, size_t count) {
    const struct entry *e = entry_of(fd);
    size_t asked = 0;
    if (LIKELY(!e || !e->wire)) return;
    for (size_t i = 0; i < count; i++) asked |= to[i].iov_len;
    if (asked) wire_ended(e->wire, 0);
}

/* By the names that the parameters have in all of them; `bytes` is the call itself. */
#define IN(bytes) moved_in(fd, to, size, bytes)
#define IN_PARTS(bytes) moved_in_to(fd, to, (size_t)count, bytes)
#define OUT(bytes) (moves_out(fd, from, size), moved_out(fd, from, size, bytes))
#define OUT_PARTS(bytes) (moves_out_of(fd, from, (size_t)count), moved_out_of(fd, from, (size_t)count, bytes))
#define HEARD(bytes) heard_in(fd, to, size, flags, bytes)
#define TRANSFER(name, direction, parameters, call)                                                                            \
    HOOK ssize_t name parameters {                                                                                             \
        shim_ready();                                                                                                          \
        return direction(real.call);                                                                                           \
    }
TRANSFER(read, IN, (int fd, void *to, size_t size), read(fd, to, size))
TRANSFER(pread, IN, (int fd, void *to, size_t size, off_t at), pread(fd, to, size, at))
TRANSFER(pread64, IN, (int fd, void *to, size_t size, off64_t at), pread(fd, to, size, at))
TRANSFER(readv, IN_PARTS, (int fd, const struct iovec *to, int count), readv(fd, to, count))
TRANSFER(preadv, IN_PARTS, (int fd, const struct iovec *to, int count, off_t at), preadv(fd, to, count, at))
TRANSFER(preadv64, IN_PARTS, (int fd, const struct iovec *to, int count, off64_t at), preadv(fd, to, count, at))
TRANSFER(preadv2, IN_PARTS, (int fd, const struct iovec *to, int count, off_t at, int flags), preadv2(fd, to, count, at, flags))
TRANSFER(preadv64v2, IN_PARTS, (int fd, const struct iovec *to, int count, off64_t at, int flags), preadv2(fd, to, count, at, flags))
TRANSFER(__read_chk, IN, (int fd, void *to, size_t size, size_t room), __read_chk(fd, to, size, room))
TRANSFER(__pread_chk, IN, (int fd, void *to, size_t size, off64_t at, size_t room), __pread_chk(fd, to, size, at, room))
TRANSFER(__pread64_chk, IN, (int fd, void *to, size_t size, off64_t at, size_t room), __pread_chk(fd, to, size, at, room))
TRANSFER(pwrite, OUT, (int fd, const void *from, size_t size, off_t at), pwrite(fd, from, size, at))
TRANSFER(pwrite64, OUT, (int fd, const void *from, size_t size, off64_t at), pwrite(fd, from, size, at))
TRANSFER(writev, OUT_PARTS, (int fd, const struct iovec *from, int count), writev(fd, from, count))
TRANSFER(pwritev, OUT_PARTS, (int fd, const struct iovec *from, int count, off_t at), pwritev(fd, from, count, at))
TRANSFER(pwritev64, OUT_PARTS, (int fd, const struct iovec *from, int count, off64_t at), pwritev(fd, from, count, at))
TRANSFER(pwritev2, OUT_PARTS, (int fd, const struct iovec *from, int count, off_t at, int flags), pwritev2(fd, from, count, at, flags))
TRANSFER(pwritev64v2, OUT_PARTS, (int fd, const struct iovec *from, int count, off64_t at, int flags),
         pwritev2(fd, from, count, at, flags))
TRANSFER(send, OUT, (int fd, const void *from, size_t size, int flags), send(fd, from, size, flags))
TRANSFER(recv, HEARD, (int fd, void *to, size_t size, int flags), recv(fd, to, size, flags))
TRANSFER(__recv_chk, HEARD, (int fd, void *to, size_t size, size_t room, int flags), __recv_chk(fd, to, size, room, flags))
HOOK ssize_t recvmsg(int fd, struct msghdr *message, int flags) {
    shim_ready();
    ssize_t got = real.recvmsg(fd, message, flags);
    if (got < 0) return got; /* perhaps because there is no message at that address */
    if (!(flags & MSG_ERRQUEUE)) socket_heard(fd, message->msg_name, message->msg_namelen);
    return heard(fd, message->msg_iov, message->msg_iovlen, flags, got);
}

HOOK ssize_t write(int fd, const void *from, size_t size) {
    shim_ready();
    if (UNLIKELY(fd == TAP_DESCRIPTOR)) return tap_write(from, size);
    return OUT(real.write(fd, from, size));
}

HOOK ssize_t recvfrom(int fd, void *to, size_t size, int flags, struct sockaddr *from, socklen_t *length) {
    shim_ready();
    ssize_t got = real.recvfrom(fd, to, size, flags, from, length);
    if (got >= 0 && from && length) socket_heard(fd, from, *length);
    return heard_in(fd, to, size, flags, got);
}
HOOK ssize_t __recvfrom_chk(int fd, void *to, size_t size, size_t room, int flags, struct sockaddr *from, socklen_t *length) {
    shim_ready();
    ssize_t got = real.__recvfrom_chk(fd, to, size, room, flags, from, length);
    if (got >= 0 && from && length) socket_heard(fd, from, *length);
    return heard_in(fd, to, size, flags, got);
}
HOOK int recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *limit) {
    shim_ready();
    int got = real.recvmmsg(fd, messages, count, flags, limit);
    for (int i = 0; i < got; i++) {
        socket_heard(fd, messages[i].msg_hdr.msg_name, messages[i].msg_hdr.msg_namelen);
        heard(fd, messages[i].msg_hdr.msg_iov, messages[i].msg_hdr.msg_iovlen, flags, messages[i].msg_len);
    }
    return got;
}

static ssize_t between(int to, int from, ssize_t bytes) {
    moved_in_unseen(from, bytes);
    moved_out_unseen(to, bytes);
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
