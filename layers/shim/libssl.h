/*
 * The TLS libraries that our SSL_* hooks stand before. Which one a call was meant for depends on who calls: a process may hold
 * several (a wheel that brings its own, BoringSSL inside an extension module), and what one made must not reach another. So the
 * caller's own references decide, as they would have for the dynamic linker (RTLD_NEXT finds nothing when libssl was opened by
 * dlopen for one module alone, as Python does); or the object that is handed over: it begins with pointers to its makers' tables.
 */
#ifndef ALASTOR_LIBSSL_H
#define ALASTOR_LIBSSL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* OpenSSL 1.0.2 to 3; those that a version lacks stay NULL. */
#define SSL_REALS(X)                                                                                                           \
    X(void *, SSL_new, (void *))                                                                                               \
    X(void, SSL_free, (void *))                                                                                                \
    X(int, SSL_clear, (void *))                                                                                                \
    X(int, SSL_connect, (void *))                                                                                              \
    X(int, SSL_do_handshake, (void *))                                                                                         \
    X(int, SSL_read, (void *, void *, int))                                                                                    \
    X(int, SSL_read_ex, (void *, void *, size_t, size_t *))                                                                    \
    X(int, SSL_write, (void *, const void *, int))                                                                             \
    X(int, SSL_write_ex, (void *, const void *, size_t, size_t *))                                                             \
    X(int, SSL_write_early_data, (void *, const void *, size_t, size_t *))                                                     \
    X(ssize_t, SSL_sendfile, (void *, int, off_t, size_t, int))                                                                \
    X(size_t, SSL_get_client_random, (const void *, unsigned char *, size_t))                                                  \
    X(int, SSL_get_fd, (const void *))                                                                                         \
    X(int, SSL_get_shutdown, (const void *))

struct libssl {
#define X(result, name, parameters) result(*name) parameters;
    SSL_REALS(X)
#undef X
    int inside; /* the caller is the library itself: it has been counted on the way in */
};

/*
 * The library that code at `caller` means when it hands over `made`, an object of that library. `room`: where the answer is made
 * when there is none to point to; NULL: none found.
 */
const struct libssl *libssl_of(const void *caller, const void *made, struct libssl *room);
/* 1 if this process does TLS through a libssl that our hooks stand before; `caller`: the code that is about to connect. */
int libssl_speaks(const void *caller);

#endif
