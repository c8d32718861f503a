/* Names asked for and the addresses given: ties an endpoint's address to the name that the code used. */
#include "real.h"

#include <netinet/in.h>

#include "ring.h"
#include "self.h"
#include "sys.h"

#define ADDRESSES 16

/* Numeric "names" resolve to themselves and tell nothing. */
static int is_numeric(const char *name) {
    for (const char *at = name; *at; at++) {
        if (*at == ':') return 1;
        if (*at != '.' && (*at < '0' || *at > '9')) return 0;
    }
    return 1;
}

struct answers {
    struct piece pieces[ADDRESSES + 1];
    unsigned count;
};
static void add(struct answers *a, const void *address, unsigned length) {
    struct piece next = piece_of(address, length);
    for (unsigned i = 1; i < a->count; i++) /* getaddrinfo gives one entry per socket type */
        if (a->pieces[i].length == length && same_bytes(a->pieces[i].at, address, length)) return;
    if (a->count <= ADDRESSES) a->pieces[a->count++] = next;
}

static void report_list(const char *name, const struct addrinfo *list) {
    struct answers a = {.count = 1};
    a.pieces[0] = piece_of(name, (uint32_t)text_length(name, 256));
    for (int i = 0; list && i < 64; list = list->ai_next, i++) {
        if (list->ai_family == AF_INET) add(&a, &((const struct sockaddr_in *)list->ai_addr)->sin_addr, 4);
        if (list->ai_family == AF_INET6) add(&a, &((const struct sockaddr_in6 *)list->ai_addr)->sin6_addr, 16);
    }
    emit(EV_DNS, 0, 0, 0, 0, a.pieces, a.count);
}

static void report_host(const char *name, const struct hostent *host) {
    if (!host || !name || !ring_is_mapped() || is_numeric(name)) return;
    struct answers a = {.count = 1};
    a.pieces[0] = piece_of(name, (uint32_t)text_length(name, 256));
    for (char **at = host->h_addr_list; at && *at && a.count <= ADDRESSES; at++)
        if (host->h_length == 4 || host->h_length == 16) add(&a, *at, (unsigned)host->h_length);
    emit(EV_DNS, 0, 0, 0, 0, a.pieces, a.count);
}

HOOK int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **list) {
    shim_ready();
    int result = real.getaddrinfo(name, service, hints, list);
    if (result == 0 && name && ring_is_mapped() && !is_numeric(name)) report_list(name, *list);
    return result;
}
HOOK struct hostent *gethostbyname(const char *name) {
    shim_ready();
    struct hostent *host = real.gethostbyname(name);
    report_host(name, host);
    return host;
}
HOOK struct hostent *gethostbyname2(const char *name, int family) {
    shim_ready();
    struct hostent *host = real.gethostbyname2(name, family);
    report_host(name, host);
    return host;
}
HOOK int gethostbyname_r(const char *name, struct hostent *host, char *room, size_t size, struct hostent **out, int *error) {
    shim_ready();
    int result = real.gethostbyname_r(name, host, room, size, out, error);
    if (result == 0) report_host(name, *out);
    return result;
}
HOOK int gethostbyname2_r(const char *name, int family, struct hostent *host, char *room, size_t size, struct hostent **out,
                          int *error) {
    shim_ready();
    int result = real.gethostbyname2_r(name, family, host, room, size, out, error);
    if (result == 0) report_host(name, *out);
    return result;
}
