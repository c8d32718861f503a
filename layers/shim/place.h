/* Addresses of TCP connections, and which of them concern us. */
#ifndef ALASTOR_PLACE_H
#define ALASTOR_PLACE_H

#include <stddef.h>

/* IPv4 as mapped IPv6, so that both compare alike. */
struct place {
    unsigned char address[16];
    unsigned port;
};
extern const unsigned char place_mapped[12];
/* From a sockaddr. 0: neither IPv4 nor IPv6. */
int place_of(const void *name, size_t length, struct place *out);
int place_is(const struct place *a, const struct place *b);
/* Reads "addr:port" or "[addr]:port" with numeric addresses. What follows, or NULL if it is none. */
const char *place_parse(const char *text, struct place *out);

/* "addr:port,[addr]:port/http,…": places to look at although they are local. `/http`: no TLS is spoken there. */
void places_begin(const char *list);
/* Another machine, or one of the list. */
int place_wanted(const struct place *p);
/* One of the list that is marked as plain HTTP, or port 80. */
int place_is_plain(const struct place *p);

#endif
