#include "real.h"

#include <errno.h>
#include <netinet/in.h>

#include "claim.h"
#include "socket.h"
#include "steer.h"
#include "sys.h"
#include "tap.h"
#include "transfer.h"
#include "wire.h"

struct address address_of(const void *name, size_t length) {
    struct address a = {0, 0, NULL, 0};
    const struct sockaddr *any = name;
    if (!name || length < sizeof any->sa_family) return a;
    if (any->sa_family == AF_INET && length >= sizeof(struct sockaddr_in)) {
        const struct sockaddr_in *in = name;
        a = (struct address){FAMILY_4, __builtin_bswap16(in->sin_port), (const char *)&in->sin_addr, 4};
    } else if (any->sa_family == AF_INET6 && length >= 24) {
        const struct sockaddr_in6 *in = name;
        a = (struct address){FAMILY_6, __builtin_bswap16(in->sin6_port), (const char *)&in->sin6_addr, 16};
    } else if (any->sa_family == AF_UNIX && length > sizeof any->sa_family) {
        const struct sockaddr_un *un = name;
        size_t most = length - sizeof un->sun_family;
        if (most > sizeof un->sun_path) most = sizeof un->sun_path;
        /* Abstract names begin with NUL and may hold more of them. */
        a = (struct address){FAMILY_UNIX, 0, un->sun_path, (uint32_t)(un->sun_path[0] ? text_length(un->sun_path, most) : most)};
    }
    return a;
}

int socket_type(int fd) {
    int type = -1;
    socklen_t length = sizeof type;
    return RAW5(SYS_getsockopt, fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 ? type : -1;
}

unsigned local_port(int fd) {
    struct sockaddr_storage name;
    socklen_t length = sizeof name;
    return RAW3(SYS_getsockname, fd, &name, &length) == 0 ? address_of(&name, length).port : 0;
}

static unsigned protocol_of(const struct address *a, int datagram) {
    return a->family == FAMILY_UNIX ? PROTOCOL_UNIX : datagram ? PROTOCOL_UDP : PROTOCOL_TCP;
}

static void report_peer(enum event_type type, int fd, const struct address *a, int datagram, uint64_t port_and_flag, int error) {
    struct piece text = piece_of(a->at, a->length);
    emit(type, (uint64_t)fd, port_and_flag, (uint64_t)a->family << 8 | protocol_of(a, datagram),
         (uint64_t)a->port << 16 | (uint16_t)error, &text, 1);
}

void socket_report_connect(int fd, const void *peer, size_t length, int type, unsigned port, int how, int error) {
    struct address a = address_of(peer, length);
    if (a.family) report_peer(EV_CONNECT, fd, &a, type == SOCK_DGRAM, (uint64_t)port << 8 | (unsigned)how, error);
}

static void report_totals(int fd, const struct address *a, int datagram, uint64_t received, uint64_t sent) {
    struct piece text = piece_of(a->at, a->length);
    if (a->family)
        emit(EV_SOCKET_CLOSE, (uint64_t)fd, received, (uint64_t)a->family << 24 | protocol_of(a, datagram) << 16 | a->port, sent,
             &text, 1);
}

void socket_report(int fd, const struct entry *e, uint64_t received, uint64_t sent) {
    struct address a = address_of(e->name, e->name_length);
    if (!a.family && e->name_length >= sizeof(sa_family_t) && ((const struct sockaddr *)e->name)->sa_family == AF_UNIX)
        a = (struct address){FAMILY_UNIX, 0, "", 0}; /* whoever connects to a Unix socket is usually nameless */
    report_totals(fd, &a, e->flags & ENTRY_DATAGRAM, received, sent);
}

SLOW void socket_report_unknown(int fd, uint64_t received, uint64_t sent) {
    struct sockaddr_storage name;
    socklen_t length = sizeof name;
    if (RAW3(SYS_getpeername, fd, &name, &length)) return;
    struct address a = address_of(&name, length);
    /* A pair made by socketpair has no name; the kernel still knows who made it (unix(7), SO_PEERCRED). */
    char pair[40] = "socketpair of ";
    struct {
        int pid;
        unsigned user, group;
    } maker;
    socklen_t maker_length = sizeof maker;
    struct sockaddr_storage own;
    socklen_t own_length = sizeof own;
    if (name.ss_family == AF_UNIX && !a.family && !RAW3(SYS_getsockname, fd, &own, &own_length) && own_length > sizeof own.ss_family)
        a = (struct address){FAMILY_UNIX, 0, "", 0}; /* accepted, and inherited over exec */
    else if (name.ss_family == AF_UNIX && !a.family && !RAW5(SYS_getsockopt, fd, SOL_SOCKET, SO_PEERCRED, &maker, &maker_length))
        a = (struct address){FAMILY_UNIX, 0, pair, (uint32_t)(14 + print_number(pair + 14, (uint64_t)maker.pid))};
    report_totals(fd, &a, socket_type(fd) == SOCK_DGRAM, received, sent);
}

HOOK int socket(int domain, int type, int protocol) {
    shim_ready();
    int fd = real.socket(domain, type, protocol);
    if (fd >= 0) table_reset(fd);
    return fd;
}
HOOK int socketpair(int domain, int type, int protocol, int fds[2]) {
    shim_ready();
    int result = real.socketpair(domain, type, protocol, fds);
    if (result == 0) table_reset(fds[0]), table_reset(fds[1]);
    return result;
}

static int is_peer(const struct entry *e, const void *name, size_t length) {
    return e->kind == ENTRY_SOCKET && e->name_length == length && length <= NAME_MOST && same_bytes(e->name, name, length);
}
/* A second call asks how the first one is getting on. */
static int is_asking(int error) { return error == EALREADY || error == EISCONN || error == EBADF || error == ENOTSOCK; }

static int connect_seen(int fd, const struct sockaddr *asked, socklen_t length, const struct address *a, const void *caller) {
    int type = socket_type(fd), tcp = type == SOCK_STREAM && a->family != FAMILY_UNIX, result;
    struct entry *e = entry_of(fd);
    struct sockaddr_in past;
    const struct sockaddr *peer = tcp && claim_past_proxy(asked, length, &past) ? (const struct sockaddr *)&past : asked;
    if (e && e->wire && is_peer(e, peer, length)) return real.connect(fd, peer, length);
    int tapped = tcp && tap_claims();
    enum claim claim = tcp ? claim_of(fd, peer, length, tapped, caller) : CLAIM_NONE;
    uint32_t wire = claim ? wire_reserve() : 0;
    if (!wire) peer = asked; /* what cannot be teed stays with the proxy */
    if (tcp && !tapped && !wire && steer(fd, peer, length, &result)) return result;
    result = real.connect(fd, peer, length);
    int error = result == 0 || errno == EINPROGRESS ? 0 : errno;
    if (error && wire) wire_cancel(wire);
    if (is_asking(error)) return result;
    unsigned port = a->family == FAMILY_UNIX ? 0 : local_port(fd);
    if (!error) table_set_socket(fd, peer, length, type == SOCK_DGRAM ? ENTRY_DATAGRAM | ENTRY_TOLD : 0);
    socket_report_connect(fd, peer, length, type, port, wire ? CONNECT_TEED : tapped ? CONNECT_TAPPED : 0, error);
    if (wire && !error) {
        wire_opened(wire, peer, length, port, claim == CLAIM_RUNTIME);
        __atomic_store_n(&e->wire, wire, __ATOMIC_RELEASE);
    }
    return result;
}
HOOK int connect(int fd, const struct sockaddr *peer, socklen_t length) {
    shim_ready();
    struct address a = {0, 0, NULL, 0};
    if (ring_is_mapped()) a = address_of(peer, length);
    if (!a.family) return real.connect(fd, peer, length);
    return connect_seen(fd, peer, length, &a, __builtin_return_address(0));
}

HOOK int bind(int fd, const struct sockaddr *name, socklen_t length) {
    shim_ready();
    int result = real.bind(fd, name, length);
    struct address a = address_of(name, length);
    if (result == 0 && a.family && ring_is_mapped()) {
        if (a.family != FAMILY_UNIX && !a.port) a.port = local_port(fd);
        report_peer(EV_BIND, fd, &a, socket_type(fd) == SOCK_DGRAM, 0, 0);
    }
    return result;
}

static int accepted(int fd) {
    struct sockaddr_storage name;
    socklen_t length = sizeof name;
    if (fd < 0 || !ring_is_mapped() || RAW3(SYS_getpeername, fd, &name, &length)) return fd;
    table_set_socket(fd, &name, length, 0);
    struct address a = address_of(&name, length);
    if (!a.family && name.ss_family == AF_UNIX) a = (struct address){FAMILY_UNIX, 0, "", 0};
    if (a.family) report_peer(EV_ACCEPT, fd, &a, 0, (uint64_t)local_port(fd) << 8, 0);
    return fd;
}
HOOK int accept(int fd, struct sockaddr *name, socklen_t *length) {
    shim_ready();
    return accepted(real.accept(fd, name, length));
}
HOOK int accept4(int fd, struct sockaddr *name, socklen_t *length, int flags) {
    shim_ready();
    return accepted(real.accept4(fd, name, length, flags));
}

HOOK int getpeername(int fd, struct sockaddr *name, socklen_t *length) {
    shim_ready();
    socklen_t room = length ? *length : 0;
    int result = real.getpeername(fd, name, length);
    struct entry *e = result == 0 ? entry_of(fd) : NULL;
    if (e && e->kind == ENTRY_SOCKET && e->flags & ENTRY_STEERED) {
        __builtin_memcpy(name, e->name, room < e->name_length ? room : e->name_length);
        *length = e->name_length;
    }
    return result;
}

/* A datagram from somebody: from here on the totals are theirs. Streams give no name here. */
void socket_heard(int fd, const void *name, size_t length) {
    struct entry *e = entry_of(fd);
    if (!e || !name || !length || is_peer(e, name, length) || !ring_is_mapped()) return;
    if (!address_of(name, length).family || socket_type(fd) != SOCK_DGRAM) return;
    if (e->kind == ENTRY_SOCKET) table_closing(fd);
    table_set_socket(fd, name, length, ENTRY_DATAGRAM);
}
/* A datagram to somebody new is the connect of the connectionless. TCP with MSG_FASTOPEN connects this way as well. */
static void towards(int fd, const void *name, size_t length) {
    if (!ring_is_mapped()) return;
    struct address a = address_of(name, length);
    if (!a.family) return;
    struct entry *e = entry_of(fd);
    int known = e && is_peer(e, name, length);
    if (known && e->flags & ENTRY_TOLD) return;
    int type = socket_type(fd);
    if (e && !known && e->kind == ENTRY_SOCKET) table_closing(fd);
    table_set_socket(fd, name, length, (type == SOCK_DGRAM ? ENTRY_DATAGRAM : 0) | ENTRY_TOLD);
    socket_report_connect(fd, name, length, type, a.family == FAMILY_UNIX ? 0 : local_port(fd), 0, 0);
}
HOOK ssize_t sendto(int fd, const void *from, size_t size, int flags, const struct sockaddr *to, socklen_t length) {
    shim_ready();
    moves_out(fd, from, size);
    ssize_t sent = real.sendto(fd, from, size, flags, to, length);
    if (sent >= 0 && to) towards(fd, to, length);
    return moved_out(fd, from, size, sent);
}
HOOK ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
    shim_ready();
    const struct entry *e = entry_of(fd);
    if (UNLIKELY(e && e->wire)) wire_about_to(e->wire, message->msg_iov, message->msg_iovlen);
    ssize_t sent = real.sendmsg(fd, message, flags);
    if (sent < 0) return sent; /* perhaps because there is no message at that address */
    if (message->msg_name) towards(fd, message->msg_name, message->msg_namelen);
    return moved_out_of(fd, message->msg_iov, message->msg_iovlen, sent);
}
HOOK int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags) {
    shim_ready();
    int sent = real.sendmmsg(fd, messages, count, flags);
    for (int i = 0; i < sent; i++) {
        const struct msghdr *head = &messages[i].msg_hdr;
        if (head->msg_name) towards(fd, head->msg_name, head->msg_namelen);
        moved_out_of(fd, head->msg_iov, head->msg_iovlen, messages[i].msg_len);
    }
    return sent;
}
