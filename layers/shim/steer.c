#include "real.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>

#include "ring.h"
#include "self.h"
#include "socket.h"
#include "steer.h"
#include "sys.h"
#include "table.h"

/* The recorder empties the ring many times a second; silent for this long (µs), it is gone or stuck. */
#define SILENCE_MOST 10000000u
#define LIST_MOST 32

/* IPv4 as mapped IPv6, so that both compare alike. */
struct place {
    unsigned char address[16];
    unsigned port;
};
static struct place list[LIST_MOST];
static unsigned listed;
static unsigned front_port;

static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static int place_of(const void *name, size_t length, struct place *out) {
    struct address a = address_of(name, length);
    if (a.family == FAMILY_4) {
        __builtin_memcpy(out->address, mapped, 12);
        __builtin_memcpy(out->address + 12, a.at, 4);
    } else if (a.family == FAMILY_6) {
        __builtin_memcpy(out->address, a.at, 16);
    } else {
        return 0;
    }
    out->port = a.port;
    return 1;
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Textual IPv6 (RFC 4291, without the embedded IPv4 form) up to ']'. Returns what follows, NULL if it is none. */
static const char *parse_6(const char *at, unsigned char out[16]) {
    unsigned char bytes[16] = {0};
    int used = 0, gap = -1;
    while (*at && *at != ']') {
        if (at[0] == ':' && at[1] == ':' && gap < 0) {
            gap = used;
            at += 2;
            continue;
        }
        if (*at == ':') at++;
        unsigned group = 0;
        int digits = 0;
        for (; hex_digit(*at) >= 0 && digits < 4; at++, digits++) group = group << 4 | (unsigned)hex_digit(*at);
        if (!digits || used == 16) return NULL;
        bytes[used++] = (unsigned char)(group >> 8);
        bytes[used++] = (unsigned char)group;
    }
    if (*at != ']' || (gap < 0 ? used != 16 : used > 14)) return NULL;
    for (int i = 0; i < 16; i++) out[i] = 0;
    int tail = gap < 0 ? 0 : used - gap;
    for (int i = 0; i < used - tail; i++) out[i] = bytes[i];
    for (int i = 0; i < tail; i++) out[16 - tail + i] = bytes[gap + i];
    return at + 1;
}

static const char *parse_4(const char *at, unsigned char out[16]) {
    __builtin_memcpy(out, mapped, 12);
    for (int i = 0; i < 4; i++) {
        uint64_t part = parse_number(at);
        if (*at < '0' || *at > '9' || part > 255) return NULL;
        while (*at >= '0' && *at <= '9') at++;
        if (i < 3 && *at++ != '.') return NULL;
        out[12 + i] = (unsigned char)part;
    }
    return at;
}

void steer_begin(const char *port, const char *text) {
    uint64_t number = port ? parse_number(port) : 0;
    front_port = number < 65536 ? (unsigned)number : 0;
    while (text && *text && listed < LIST_MOST) {
        struct place *p = &list[listed];
        const char *at = *text == '[' ? parse_6(text + 1, p->address) : parse_4(text, p->address);
        if (at && *at == ':') {
            p->port = (unsigned)(parse_number(at + 1) & 0xffff);
            listed++;
        }
        while (*text && *text != ',') text++;
        if (*text) text++;
    }
}

static int wanted(const struct place *p) {
    static const unsigned char loopback[16] = {[15] = 1}, any[16];
    for (unsigned i = 0; i < listed; i++)
        if (list[i].port == p->port && same_bytes(list[i].address, p->address, 16)) return 1;
    const unsigned char *a = p->address;
    if (same_bytes(a, mapped, 12)) {
        if (a[12] == 127 && !a[13] && !a[14] && a[15] == 1) return 0;
        if (!a[12] && !a[13] && !a[14] && !a[15]) return 0;
        return !(a[12] == 169 && a[13] == 254); /* link-local: the instance's own metadata services */
    }
    if (a[0] == 0xfe && (a[1] & 0xc0) == 0x80) return 0;
    return !same_bytes(a, loopback, 16) && !same_bytes(a, any, 16);
}

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
        __builtin_memcpy(&f->in6.sin6_addr, mapped, 12);
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
    if (!front_port || !place_of(peer, length, &to) || !wanted(&to)) return 0;
    socklen_t front_length = fill_front(&front, peer->sa_family, 0, front_port);

    const struct entry *e = entry_of(fd);
    if (e && e->kind == ENTRY_SOCKET && e->flags & ENTRY_STEERED && e->name_length == length && same_bytes(e->name, peer, length)) {
        *result = real.connect(fd, &front.any, front_length); /* asks how the connection is getting on */
        return 1;
    }
    if (ring_silence() > SILENCE_MOST) return 0;
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
