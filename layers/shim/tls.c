/*
 * The plaintext of TLS, where a shared libssl opens and seals it. An SSL object is matched with its connection by the client
 * random, which stands in the ClientHello that the connection sent and which libssl tells: that holds for objects that know no
 * descriptor, too (Python's asyncio hands the sealed bytes on by itself).
 */
#include "real.h"

#include "libssl.h"
#include "self.h"
#include "sys.h"
#include "table.h"
#include "wire.h"

#define SLOTS 512u
#define PROBES 8u
#define RANDOM 32u
#define RECEIVED_SHUTDOWN 2 /* SSL_RECEIVED_SHUTDOWN: the other side has said that no more will come */

static struct slot {
    void *ssl;
    uint32_t tag;
} slots[SLOTS];
static uint32_t slots_used; /* none: nothing has ever been bound in this process */

static uint32_t slot_of(const void *ssl) { return (uint32_t)(((uintptr_t)ssl >> 4) * 0x9e3779b1u >> 16) % SLOTS; }

static uint32_t tag_of(const void *ssl) {
    if (!__atomic_load_n(&slots_used, __ATOMIC_RELAXED)) return 0;
    for (uint32_t i = 0, at = slot_of(ssl); i < PROBES; i++) {
        const struct slot *s = &slots[(at + i) % SLOTS];
        if (__atomic_load_n(&s->ssl, __ATOMIC_ACQUIRE) != ssl) continue;
        uint32_t tag = __atomic_load_n(&s->tag, __ATOMIC_ACQUIRE);
        return wire_is_live(tag) ? tag : 0;
    }
    return 0;
}

static void forget(const void *ssl) {
    if (!__atomic_load_n(&slots_used, __ATOMIC_RELAXED) || borrowed()) return;
    for (uint32_t i = 0, at = slot_of(ssl); i < PROBES; i++) {
        struct slot *s = &slots[(at + i) % SLOTS];
        if (__atomic_load_n(&s->ssl, __ATOMIC_ACQUIRE) == ssl) __atomic_store_n(&s->tag, 0, __ATOMIC_RELEASE);
    }
}

/* No room among its places: then it is looked up again at every call. */
static void remember(void *ssl, uint32_t tag) {
    forget(ssl);
    for (uint32_t i = 0, at = slot_of(ssl); i < PROBES; i++) {
        struct slot *s = &slots[(at + i) % SLOTS];
        void *before = __atomic_load_n(&s->ssl, __ATOMIC_ACQUIRE);
        uint32_t old = __atomic_load_n(&s->tag, __ATOMIC_ACQUIRE);
        if (before && before != ssl && wire_is_live(old)) continue;
        __atomic_store_n(&s->tag, 0, __ATOMIC_RELEASE);
        if (!__atomic_compare_exchange_n(&s->ssl, &before, ssl, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) continue;
        __atomic_store_n(&s->tag, tag, __ATOMIC_RELEASE);
        __atomic_store_n(&slots_used, 1, __ATOMIC_RELAXED);
        return;
    }
}

/* OpenSSL 1.0.2 does not tell the client random; and who writes a record in pieces hides it from us. Then the descriptor decides. */
static uint32_t search(const struct libssl *lib, const void *ssl) {
    unsigned char random[RANDOM];
    uint32_t tag = 0;
    int fd;
    if (lib->SSL_get_client_random && lib->SSL_get_client_random(ssl, random, RANDOM) == RANDOM) tag = wire_of_random(random);
    if (tag || !lib->SSL_get_fd || (fd = lib->SSL_get_fd(ssl)) < 0) return tag;
    const struct entry *e = entry_of(fd);
    if (!e || !e->wire) return 0;
    return lib->SSL_get_client_random ? wire_without_random(e->wire) : e->wire;
}

static uint32_t connection_of(const struct libssl *lib, void *ssl) {
    if (lib->inside || borrowed()) return 0;
    uint32_t tag = tag_of(ssl);
    if (LIKELY(tag) || !__atomic_load_n(&wires_unbound, __ATOMIC_RELAXED) || !ssl) return tag;
    tag = search(lib, ssl);
    if (tag) remember(ssl, tag);
    return tag;
}

static void moved(const struct libssl *lib, void *ssl, enum direction direction, const void *at, size_t bytes) {
    uint32_t tag = connection_of(lib, ssl);
    if (LIKELY(!tag)) return;
    wire_bind(tag);
    if (bytes) wire_spoke(tag, direction, at, bytes);
    else if (direction == RECEIVED && lib->SSL_get_shutdown && lib->SSL_get_shutdown(ssl) & RECEIVED_SHUTDOWN) wire_ended(tag, 1);
}

static void shaken(const struct libssl *lib, void *ssl, int result) {
    uint32_t tag = connection_of(lib, ssl);
    if (tag) wire_shaken(tag, result == 1);
}

/* Our function is called and the library is not there: only a program that looks symbols up by hand comes to this. */
#define LIBRARY(name, made, failure)                                                                                                 \
    struct libssl room;                                                                                                        \
    shim_ready();                                                                                                              \
    const struct libssl *lib = libssl_of(__builtin_return_address(0), made, &room);                                                  \
    if (!lib || !lib->name) return failure;

HOOK void *SSL_new(void *context) {
    LIBRARY(SSL_new, context, NULL)
    void *ssl = lib->SSL_new(context);
    forget(ssl);
    return ssl;
}
HOOK void SSL_free(void *ssl) {
    LIBRARY(SSL_free, ssl, )
    forget(ssl);
    lib->SSL_free(ssl);
}
HOOK int SSL_clear(void *ssl) {
    LIBRARY(SSL_clear, ssl, 0)
    forget(ssl);
    return lib->SSL_clear(ssl);
}

/* These move nothing, but they tell early who speaks TLS on this connection. */
HOOK int SSL_connect(void *ssl) {
    LIBRARY(SSL_connect, ssl, -1)
    int result = lib->SSL_connect(ssl);
    shaken(lib, ssl, result);
    return result;
}
HOOK int SSL_do_handshake(void *ssl) {
    LIBRARY(SSL_do_handshake, ssl, -1)
    int result = lib->SSL_do_handshake(ssl);
    shaken(lib, ssl, result);
    return result;
}

HOOK int SSL_read(void *ssl, void *to, int size) {
    LIBRARY(SSL_read, ssl, -1)
    int got = lib->SSL_read(ssl, to, size);
    moved(lib, ssl, RECEIVED, to, got > 0 ? (size_t)got : 0);
    return got;
}
HOOK int SSL_read_ex(void *ssl, void *to, size_t size, size_t *got) {
    LIBRARY(SSL_read_ex, ssl, 0)
    int result = lib->SSL_read_ex(ssl, to, size, got);
    moved(lib, ssl, RECEIVED, to, result > 0 && got ? *got : 0);
    return result;
}
HOOK int SSL_write(void *ssl, const void *from, int size) {
    LIBRARY(SSL_write, ssl, -1)
    int sent = lib->SSL_write(ssl, from, size);
    moved(lib, ssl, SENT, from, sent > 0 ? (size_t)sent : 0);
    return sent;
}
HOOK int SSL_write_ex(void *ssl, const void *from, size_t size, size_t *sent) {
    LIBRARY(SSL_write_ex, ssl, 0)
    int result = lib->SSL_write_ex(ssl, from, size, sent);
    moved(lib, ssl, SENT, from, result > 0 && sent ? *sent : 0);
    return result;
}
HOOK int SSL_write_early_data(void *ssl, const void *from, size_t size, size_t *sent) {
    LIBRARY(SSL_write_early_data, ssl, 0)
    int result = lib->SSL_write_early_data(ssl, from, size, sent);
    moved(lib, ssl, SENT, from, result > 0 && sent ? *sent : 0);
    return result;
}
HOOK ssize_t SSL_sendfile(void *ssl, int fd, off_t at, size_t size, int flags) {
    LIBRARY(SSL_sendfile, ssl, -1)
    ssize_t sent = lib->SSL_sendfile(ssl, fd, at, size, flags);
    moved(lib, ssl, SENT, NULL, sent > 0 ? (size_t)sent : 0);
    return sent;
}
