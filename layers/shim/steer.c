#include "real.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>

#include "place.h"
#include "ring.h"
#include "self.h"
#include "socket.h"
#include "steer.h"
#include "sys.h"
#include "table.h"

static unsigned front_port;

void steer_begin(const char *port) {
    uint64_t number = port ? parse_number(port) : 0;
    front_port = number < 65536 ? (unsigned)number : 0;
}

int steer_can(void) { return front_port != 0; }

union front {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
};

static socklen_t fill_front(union front *f, int family, int any_address, unsigned port) {
    *f = (union front){0};
    if (family == AF_INET) {
        f->in.sin_family = AF_INET;
        f->in.sin_port = __builtin_bswap16((uint16_t)port);
        f->in.sin_addr.s_addr = any_address ? 0 : __builtin_bswap32(INADDR_LOOPBACK);
        return sizeof f->in;
    }
    f->in6.sin6_family = AF_INET6;
    f->in6.sin6_port = __builtin_bswap16((uint16_t)port);
    if (!any_address) {
        __builtin_memcpy(&f->in6.sin6_addr, place_mapped, 12);
        ((unsigned char *)&f->in6.sin6_addr)[12] = 127;
        ((unsigned char *)&f->in6.sin6_addr)[15] = 1;
    }
    return sizeof f->in6;
}

/*
 * The port this socket will come from, fixed before connecting so that the report can precede the connection. Bound to the
 * wildcard address and port 0: then the kernel locks neither (SOCK_BINDADDR_LOCK, SOCK_BINDPORT_LOCK), and a disconnect
 * gives back a socket that can still reach the real peer.
 */
static unsigned fix_local_port(int fd, int family) {
    unsigned port = local_port(fd);
    union front here;
    socklen_t length;
    if (port) return port;
    length = fill_front(&here, family, 1, 0);
    return RAW3(SYS_bind, fd, &here, length) == 0 ? local_port(fd) : 0;
}

/* 0 if the connection stands or is under way. On loopback a refusal is known as soon as connect() has returned. */
static int refused(int fd, int result) {
    if (result == 0) return 0;
    if (errno == EISCONN || errno == EALREADY || errno == EINTR) return 0;
    if (errno != EINPROGRESS) return 1;
    struct pollfd ask = {.fd = fd, .events = POLLOUT};
    struct timespec now = {0, 0};
    int failure = 0;
    socklen_t length = sizeof failure;
    if (RAW5(SYS_ppoll, &ask, 1, &now, NULL, 0) <= 0 || !(ask.revents & (POLLERR | POLLHUP))) return 0;
    return RAW5(SYS_getsockopt, fd, SOL_SOCKET, SO_ERROR, &failure, &length) == 0 && failure != 0;
}

int steer(int fd, const struct sockaddr *peer, socklen_t length, int *result) {
    struct place to;
    union front front;
    if (!front_port || !place_of(peer, length, &to) || !place_wanted(&to)) return 0;
    socklen_t front_length = fill_front(&front, peer->sa_family, 0, front_port);

    const struct entry *e = entry_of(fd);
    if (e && e->kind == ENTRY_SOCKET && e->flags & ENTRY_STEERED && e->name_length == length && same_bytes(e->name, peer, length)) {
        *result = real.connect(fd, &front.any, front_length); /* asks how the connection is getting on */
        return 1;
    }
    if (ring_is_unread()) return 0;
    unsigned port = fix_local_port(fd, peer->sa_family);
    if (!port) return 0;

    socket_report_connect(fd, peer, length, SOCK_STREAM, port, CONNECT_STEERED, 0);
    table_set_socket(fd, peer, length, ENTRY_STEERED);
    *result = real.connect(fd, &front.any, front_length);
    if (!refused(fd, *result)) return 1;

    /* Fail open: back to an unconnected socket (connect(2), AF_UNSPEC), then on to where the application wanted to go. */
    struct sockaddr nowhere = {.sa_family = AF_UNSPEC};
    RAW3(SYS_connect, fd, &nowhere, sizeof nowhere);
    table_reset(fd);
    return 0;
}
