#define _GNU_SOURCE
#include "wire.h"

#include <time.h>

#include "ring.h"
#include "self.h"
#include "socket.h"
#include "sys.h"

#define WIRES 256u /* slot 0 is never used */
#define GENERATIONS (UINT32_MAX / WIRES)
/* So much of one side's turn is told whatever the ring holds; more only while there is room for others too (in eighths). */
#define TURN_MOST 65536u
#define PARTS_MOST 1024u /* IOV_MAX: of more the kernel takes none */
#define FULL_ENOUGH 4u
/* A ClientHello is looked for this far into what was sent: after CONNECT, or a protocol's word for "now TLS". */
#define HELLO_WITHIN 4096u
#define HELLO_TOLD 4000u
/* Of what is no HTTP, so much of each direction shows the reader that it is none; from there on only the sums are kept. */
#define OTHER_TOLD 4096u
/* RFC 8446 4.1.2, 5.1: record header 5, handshake header 4, version 2, random 32. */
#define RANDOM_AT 11u
#define RANDOM 32u
/*
 * Turns from sending to receiving, after which TLS that libssl has not spoken for is somebody else's. It speaks up when its call
 * returns: a handshake in one call takes up to two turns (TLS 1.2; or TLS 1.3 with a second hello), what follows one by one.
 */
#define TURNS_OF_HANDSHAKE 2u

enum state { FREE = 0, RESERVED, PLAIN, TLS };
enum shaking { UNSEEN = 0, BEGUN, DONE }; /* the handshake, by libssl */
struct wire {
    uint32_t tag, holders;
    uint8_t state, runtime;
    uint8_t told;    /* its beginning is in the ring */
    uint8_t ours;    /* opened, or since the fork used, by this process */
    uint8_t settled; /* it will not begin TLS any more */
    uint8_t ended;   /* the other side has said all it will */
    uint8_t other[2]; /* no HTTP: in the clear, and of libssl */
    uint8_t bound, spoken, has_random, shaking;
    uint8_t turns, last;
    uint16_t port, local_port;
    uint8_t family, address[16];
    uint64_t sealed[2]; /* TLS as it goes over the wire, by direction */
    uint32_t turn;      /* bytes since the direction last changed */
    uint64_t id;
    uint64_t clear[2], plaintext[2]; /* by direction: in the clear, and of libssl */
    uint64_t foretold;               /* how far what was sent in the clear has been told already */
    unsigned char random[RANDOM];
};
static struct wire wires[WIRES];
static uint32_t live; /* slots in use: where there are none, forks and exits need not look */
uint32_t wires_unbound;
static int unreadable;

static struct wire *wire_at(uint32_t tag) {
    struct wire *w = &wires[tag % WIRES];
    return tag && __atomic_load_n(&w->tag, __ATOMIC_ACQUIRE) == tag ? w : NULL;
}
int wire_is_live(uint32_t tag) { return wire_at(tag) != NULL; }

/* Unique among the images that this pid has had, too: a program begins to count where the clock stands. */
static uint64_t next_id(void) {
    static uint32_t counter;
    struct timespec now;
    if (!__atomic_load_n(&counter, __ATOMIC_RELAXED) && !clock_gettime(CLOCK_REALTIME, &now)) {
        uint32_t expected = 0;
        __atomic_compare_exchange_n(&counter, &expected, (uint32_t)(now.tv_nsec / 1000) | 1, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    }
    uint32_t n = __atomic_fetch_add(&counter, 1, __ATOMIC_RELAXED);
    return (uint64_t)self_identity()->pid << 20 | (n & 0xfffff);
}

uint32_t wire_reserve(void) {
    static uint32_t generation, hint;
    for (uint32_t i = 0, at = __atomic_load_n(&hint, __ATOMIC_RELAXED); i < WIRES; i++) {
        struct wire *w = &wires[(at + i) % WIRES];
        uint8_t expected = FREE;
        if (w == wires || __atomic_load_n(&w->state, __ATOMIC_RELAXED) != FREE) continue;
        if (!__atomic_compare_exchange_n(&w->state, &expected, RESERVED, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) continue;
        uint32_t slot = (uint32_t)(w - wires);
        __atomic_fetch_add(&live, 1, __ATOMIC_RELAXED);
        __atomic_store_n(&hint, slot + 1, __ATOMIC_RELAXED);
        *w = (struct wire){.state = RESERVED, .holders = 1, .ours = 1};
        uint32_t tag = slot + WIRES * (__atomic_fetch_add(&generation, 1, __ATOMIC_RELAXED) % GENERATIONS);
        __atomic_store_n(&w->tag, tag, __ATOMIC_RELEASE);
        return tag;
    }
    return 0;
}

static void release(struct wire *w) {
    if (w->state == TLS && !w->bound) __atomic_fetch_sub(&wires_unbound, 1, __ATOMIC_RELAXED);
    __atomic_store_n(&w->tag, 0, __ATOMIC_RELEASE);
    __atomic_store_n(&w->state, FREE, __ATOMIC_RELEASE);
    __atomic_fetch_sub(&live, 1, __ATOMIC_RELAXED);
}

void wire_cancel(uint32_t tag) {
    struct wire *w = wire_at(tag);
    if (w) release(w);
}

static uint64_t flag_of(const struct wire *w) { return w->runtime ? WIRE_RUNTIME : 0; }

static void tell_opened(struct wire *w) {
    struct piece address = piece_of((const char *)w->address, w->family == FAMILY_4 ? 4 : 16);
    if (emit(EV_WIRE_OPEN, w->id, flag_of(w), (uint64_t)w->local_port << 16 | w->port, w->family, &address, 1)) w->told = 1;
}

void wire_opened(uint32_t tag, const void *peer, size_t length, unsigned port, int runtime) {
    struct wire *w = wire_at(tag);
    struct address a = address_of(peer, length);
    if (!w || a.length > sizeof w->address) return;
    w->id = next_id();
    w->runtime = (uint8_t)runtime;
    w->family = (uint8_t)a.family;
    w->port = (uint16_t)a.port;
    w->local_port = (uint16_t)port;
    __builtin_memcpy(w->address, a.at, a.length);
    tell_opened(w);
    __atomic_store_n(&w->state, PLAIN, __ATOMIC_RELEASE);
}

/* Is it TLS of somebody else? `over`: there will be no more turns. */
static int is_foreign(const struct wire *w, int over) {
    if (w->state != TLS || w->bound || w->shaking == BEGUN) return 0;
    return w->turns + (over ? 1u : 0u) > (w->shaking == DONE ? 1u : TURNS_OF_HANDSHAKE);
}

static void tell_closed(struct wire *w) {
    int foreign = is_foreign(w, 1), unread = foreign || (w->state == TLS && !w->bound && w->shaking == UNSEEN);
    uint64_t flags = flag_of(w) | (w->spoken ? WIRE_TLS : 0) | (unread ? WIRE_UNREAD : 0);
    const uint64_t *total = unread ? w->sealed : w->state == TLS ? w->plaintext : w->clear;
    if (foreign) __atomic_store_n(&unreadable, 1, __ATOMIC_RELAXED);
    if (w->ours && w->told) emit(EV_WIRE_CLOSE, w->id, flags, total[SENT], total[RECEIVED], NULL, 0);
}

void wire_hold(uint32_t tag) {
    struct wire *w = wire_at(tag);
    if (w) __atomic_fetch_add(&w->holders, 1, __ATOMIC_RELAXED);
}

void wire_drop(uint32_t tag) {
    struct wire *w = wire_at(tag);
    if (!w || __atomic_sub_fetch(&w->holders, 1, __ATOMIC_ACQ_REL)) return;
    self_identity(); /* a child of fork that has not reported yet: the connection is not its own */
    tell_closed(w);
    release(w);
}

struct parts {
    const struct iovec *at;
    size_t count, skip; /* `skip` bytes of the first have been taken */
};

/* Up to `most` bytes as pieces of one string; `got` is how many. */
static unsigned take(struct parts *from, struct piece *pieces, unsigned room, size_t most, size_t *got) {
    unsigned used = 0;
    for (*got = 0; from->count && *got < most && used < room;) {
        size_t part = from->at->iov_len - from->skip;
        if (part > most - *got) part = most - *got;
        if (part) pieces[used++] = (struct piece){(const char *)from->at->iov_base + from->skip, (uint32_t)part, 1};
        *got += part;
        from->skip += part;
        if (from->skip < from->at->iov_len) break;
        from->at++, from->count--, from->skip = 0;
    }
    if (used) pieces[used - 1].more = 0;
    return used;
}

#define PIECES 48
static void tell_from(struct wire *w, uint64_t flags, uint64_t offset, enum direction direction, struct parts from, size_t bytes) {
    self_identity(); /* before the next line: it may find that this is a child of fork */
    w->ours = 1;
    if (UNLIKELY(!w->told)) tell_opened(w);
    flags |= flag_of(w) | (direction == RECEIVED ? WIRE_RECEIVED : 0);
    if (w->last != direction) w->turn = 0;
    w->last = (uint8_t)direction;
    while (bytes) {
        struct piece pieces[PIECES];
        size_t got = 0;
        unsigned used = 0;
        if (w->turn < TURN_MOST || !ring_is_above(w->runtime ? RING_EIGHTHS : FULL_ENOUGH))
            used = take(&from, pieces, PIECES, bytes < WIRE_MAX ? bytes : WIRE_MAX, &got);
        if (!used) {
            emit(EV_WIRE, w->id, flags | WIRE_LEFT_OUT, offset, bytes, NULL, 0);
            return;
        }
        /* What finds no room is counted by the ring; that the offset jumps tells the reader where. */
        emit(EV_WIRE, w->id, flags, offset, got, pieces, used);
        if (w->turn < TURN_MOST) w->turn += (uint32_t)got;
        offset += got;
        bytes -= got;
    }
}
static void tell(struct wire *w, uint64_t flags, uint64_t *counts, enum direction direction, struct parts from, size_t bytes) {
    tell_from(w, flags, __atomic_fetch_add(&counts[direction], bytes, __ATOMIC_RELAXED), direction, from, bytes);
}

/* Of `bytes` that follow what the Runtime API has been sent, those that have not been told. */
static void tell_runtime(struct wire *w, struct parts from, size_t bytes) {
    uint64_t sent = w->clear[SENT], known = w->foretold > sent ? w->foretold - sent : 0;
    if (known >= bytes) return;
    w->foretold = sent + bytes;
    for (from.skip = known; from.count && from.skip >= from.at->iov_len; from.at++, from.count--) from.skip -= from.at->iov_len;
    tell_from(w, 0, sent + known, SENT, from, bytes - known);
}

/*
 * The platform acts on what it is told: it may end this process, or have its request announced, before a call that has sent its
 * bytes can report them. So they are told first. What is not accepted is tried again by whoever means it, and not told again.
 */
SLOW void wire_about_to(uint32_t tag, const struct iovec *parts, size_t count) {
    struct wire *w = wire_at(tag);
    size_t bytes = 0;
    if (!w || !w->runtime || w->state != PLAIN || count > PARTS_MOST) return;
    for (size_t i = 0; i < count; i++) bytes += parts[i].iov_len;
    /* A large answer is not taken at once: told as it goes, it leaves the recorder time to read it. */
    if (bytes <= TURN_MOST) tell_runtime(w, (struct parts){parts, count, 0}, bytes);
}

/* A TLS record with a ClientHello; all that is asked of a fragment is that it may become one. */
static int is_hello(const unsigned char *p, size_t n) {
    return n >= 5 && p[0] == 0x16 && p[1] == 3 && p[2] <= 4 && (n < 6 || p[5] == 1);
}
static int is_method(const unsigned char *p, size_t n) {
    static const char connect[] = "CONNECT ";
    return n && p[0] >= 'A' && p[0] <= 'Z' && !(n >= 8 && same_bytes(p, connect, 8));
}

/* 1 if these bytes, about to be told as sent, begin TLS. */
static int begins_tls(struct wire *w, const struct iovec *parts, size_t count, size_t bytes) {
    unsigned char head[RANDOM_AT + RANDOM];
    struct parts from = {parts, count, 0};
    struct piece pieces[PIECES];
    size_t got = 0, n = 0;
    unsigned used = take(&from, pieces, PIECES, bytes < sizeof head ? bytes : sizeof head, &got);
    for (unsigned i = 0; i < used; i++) {
        __builtin_memcpy(head + n, pieces[i].at, pieces[i].length);
        n += pieces[i].length;
    }
    if (!is_hello(head, n)) {
        w->settled = (!w->clear[SENT] && is_method(head, n)) || w->clear[SENT] + bytes > HELLO_WITHIN;
        return 0;
    }
    self_identity();
    w->ours = 1;
    if (!w->told) tell_opened(w);
    w->has_random = n == sizeof head;
    __builtin_memcpy(w->random, head + RANDOM_AT, RANDOM);
    from = (struct parts){parts, count, 0};
    used = take(&from, pieces, PIECES, bytes < HELLO_TOLD ? bytes : HELLO_TOLD, &got);
    emit(EV_WIRE, w->id, flag_of(w) | WIRE_HELLO, w->clear[SENT], got, pieces, used);
    w->last = SENT;
    w->turn = 0;
    w->sealed[SENT] = bytes;
    __atomic_store_n(&w->state, TLS, __ATOMIC_RELEASE);
    __atomic_fetch_add(&wires_unbound, 1, __ATOMIC_RELAXED);
    return 1;
}

/* Of sealed bytes the sum and the change of turns count. Once libssl speaks, its plaintext takes turns instead. */
static void note_sealed(struct wire *w, enum direction direction, size_t bytes) {
    __atomic_fetch_add(&w->sealed[direction], bytes, __ATOMIC_RELAXED);
    if (w->bound || w->last == direction) return;
    w->last = (uint8_t)direction;
    if (direction == RECEIVED && w->turns < UINT8_MAX) w->turns++;
}

/*
 * A database's rows need not go through the ring: every method of HTTP begins with a capital letter, so what the client says first
 * can show that this is none. 1: these bytes have been counted, and that was all.
 */
static int is_other(struct wire *w, int tls, enum direction direction, const unsigned char *first, size_t bytes) {
    uint64_t *counts = tls ? w->plaintext : w->clear;
    if (direction == SENT && !counts[SENT] && first) w->other[tls] = !(*first >= 'A' && *first <= 'Z');
    if (LIKELY(!w->other[tls]) || counts[direction] <= OTHER_TOLD) return 0;
    __atomic_fetch_add(&counts[direction], bytes, __ATOMIC_RELAXED);
    return 1;
}

static const unsigned char *first_of(const struct iovec *parts, size_t count) {
    while (count && !parts->iov_len) parts++, count--;
    return count ? parts->iov_base : NULL;
}

void wire_moved(uint32_t tag, enum direction direction, const struct iovec *parts, size_t count, size_t bytes) {
    struct wire *w = wire_at(tag);
    if (!w || w->state < PLAIN || !bytes) return;
    if (w->state == TLS) {
        note_sealed(w, direction, bytes);
        return;
    }
    if (w->runtime && direction == SENT) {
        tell_runtime(w, (struct parts){parts, count, 0}, bytes);
        __atomic_fetch_add(&w->clear[SENT], bytes, __ATOMIC_RELAXED);
        ring_bell();
        return;
    }
    if (direction == SENT && !w->settled && begins_tls(w, parts, count, bytes)) return;
    if (is_other(w, 0, direction, first_of(parts, count), bytes)) return;
    tell(w, 0, w->clear, direction, (struct parts){parts, count, 0}, bytes);
}

void wire_unseen(uint32_t tag, enum direction direction, size_t bytes) {
    struct wire *w = wire_at(tag);
    if (!w || w->state < PLAIN || !bytes) return;
    if (w->state == TLS) note_sealed(w, direction, bytes);
    else tell(w, 0, w->clear, direction, (struct parts){NULL, 0, 0}, bytes);
}

void wire_spoke(uint32_t tag, enum direction direction, const void *at, size_t bytes) {
    struct wire *w = wire_at(tag);
    struct iovec part = {(void *)at, bytes};
    if (!w || w->state != TLS || !bytes) return;
    w->spoken = 1;
    if (is_other(w, 1, direction, at, bytes)) return;
    tell(w, WIRE_TLS, w->plaintext, direction, (struct parts){&part, at ? 1 : 0, 0}, bytes);
}

void wire_ended(uint32_t tag, int tls) {
    struct wire *w = wire_at(tag);
    if (!w || w->state != (tls ? TLS : PLAIN) || __atomic_exchange_n(&w->ended, 1, __ATOMIC_RELAXED)) return;
    uint64_t flags = flag_of(w) | WIRE_RECEIVED | (tls ? WIRE_TLS : 0);
    emit(EV_WIRE, w->id, flags, (tls ? w->plaintext : w->clear)[RECEIVED], 0, NULL, 0);
}

uint32_t wire_of_random(const unsigned char *random) {
    for (struct wire *w = wires + 1; w < wires + WIRES; w++)
        if (__atomic_load_n(&w->state, __ATOMIC_ACQUIRE) == TLS && w->has_random && same_bytes(w->random, random, RANDOM))
            return w->tag;
    return 0;
}

uint32_t wire_without_random(uint32_t tag) {
    const struct wire *w = wire_at(tag);
    return w && w->state == TLS && !w->has_random ? tag : 0;
}

void wire_shaken(uint32_t tag, int done) {
    struct wire *w = wire_at(tag);
    if (!w || w->shaking == DONE) return;
    w->shaking = done ? DONE : BEGUN;
    if (!done) return;
    w->turns = 0; /* from here on they are of the conversation itself */
    w->last = SENT;
}

void wire_bind(uint32_t tag) {
    struct wire *w = wire_at(tag);
    if (w && !w->bound && !__atomic_exchange_n(&w->bound, 1, __ATOMIC_RELAXED)) __atomic_fetch_sub(&wires_unbound, 1, __ATOMIC_RELAXED);
}

int wire_unreadable(void) {
    if (__atomic_load_n(&unreadable, __ATOMIC_RELAXED)) return 1;
    if (!__atomic_load_n(&wires_unbound, __ATOMIC_RELAXED)) return 0;
    for (const struct wire *w = wires + 1; w < wires + WIRES; w++)
        if (is_foreign(w, 0)) {
            __atomic_store_n(&unreadable, 1, __ATOMIC_RELAXED);
            return 1;
        }
    return 0;
}

void wire_end(void) {
    if (!__atomic_load_n(&live, __ATOMIC_RELAXED)) return;
    self_identity();
    for (struct wire *w = wires + 1; w < wires + WIRES; w++)
        if (__atomic_load_n(&w->state, __ATOMIC_ACQUIRE) >= PLAIN) tell_closed(w);
}

void wire_forked(void) {
    if (!__atomic_load_n(&live, __ATOMIC_RELAXED)) return;
    for (struct wire *w = wires + 1; w < wires + WIRES; w++)
        if (w->state != FREE) w->ours = 0;
}
