#include "place.h"

#include <stdint.h>

#include "socket.h"
#include "sys.h"

#define LIST_MOST 32

static struct listed {
    struct place at;
    int plain;
} list[LIST_MOST];
static unsigned listed;

const unsigned char place_mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

int place_of(const void *name, size_t length, struct place *out) {
    struct address a = address_of(name, length);
    if (a.family == FAMILY_4) {
        __builtin_memcpy(out->address, place_mapped, 12);
        __builtin_memcpy(out->address + 12, a.at, 4);
    } else if (a.family == FAMILY_6) {
        __builtin_memcpy(out->address, a.at, 16);
    } else {
        return 0;
    }
    out->port = a.port;
    return 1;
}

int place_is(const struct place *a, const struct place *b) {
    return a->port == b->port && same_bytes(a->address, b->address, 16);
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
    __builtin_memcpy(out, place_mapped, 12);
    for (int i = 0; i < 4; i++) {
        uint64_t part = parse_number(at);
        if (*at < '0' || *at > '9' || part > 255) return NULL;
        while (*at >= '0' && *at <= '9') at++;
        if (i < 3 && *at++ != '.') return NULL;
        out[12 + i] = (unsigned char)part;
    }
    return at;
}

const char *place_parse(const char *text, struct place *out) {
    const char *at = *text == '[' ? parse_6(text + 1, out->address) : parse_4(text, out->address);
    if (!at || *at != ':') return NULL;
    at++;
    out->port = (unsigned)(parse_number(at) & 0xffff);
    while (*at >= '0' && *at <= '9') at++;
    return at;
}

void places_begin(const char *text) {
    while (text && *text && listed < LIST_MOST) {
        struct listed *next = &list[listed];
        const char *at = place_parse(text, &next->at);
        if (at) {
            next->plain = text_length(at, 5) == 5 && same_bytes(at, "/http", 5) && (!at[5] || at[5] == ',');
            listed++;
        }
        while (*text && *text != ',') text++;
        if (*text) text++;
    }
}

int place_wanted(const struct place *p) {
    static const unsigned char loopback[16] = {[15] = 1}, any[16];
    for (unsigned i = 0; i < listed; i++)
        if (place_is(&list[i].at, p)) return 1;
    const unsigned char *a = p->address;
    if (same_bytes(a, place_mapped, 12)) {
        if (a[12] == 127 && !a[13] && !a[14] && a[15] == 1) return 0;
        if (!a[12] && !a[13] && !a[14] && !a[15]) return 0;
        return !(a[12] == 169 && a[13] == 254); /* link-local: the instance's own metadata services */
    }
    if (a[0] == 0xfe && (a[1] & 0xc0) == 0x80) return 0;
    return !same_bytes(a, loopback, 16) && !same_bytes(a, any, 16);
}

int place_is_plain(const struct place *p) {
    for (unsigned i = 0; i < listed; i++)
        if (place_is(&list[i].at, p)) return list[i].plain;
    return p->port == 80;
}
