#define _GNU_SOURCE
#include "ring.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>

#include "self.h"
#include "sys.h"

struct ring_head {
    uint64_t magic;
    uint32_t version, reserved;
    uint64_t capacity;
    uint64_t key;
    char pad0[32];
    uint64_t head;
    char pad1[56];
    uint64_t tail, heartbeat;
    char pad2[48];
    uint64_t dropped;
    uint32_t rung;
    char pad3[52];
    uint64_t moved;
};
_Static_assert(__builtin_offsetof(struct ring_head, head) == 64, "head");
_Static_assert(__builtin_offsetof(struct ring_head, tail) == 128, "tail");
_Static_assert(__builtin_offsetof(struct ring_head, dropped) == 192, "dropped");
_Static_assert(__builtin_offsetof(struct ring_head, rung) == 200, "rung");
_Static_assert(__builtin_offsetof(struct ring_head, moved) == 256, "moved");

struct event_head {
    uint64_t stamp;
    uint32_t length, check;
    uint8_t type, strings;
    uint16_t reserved;
    uint32_t n, pid, reserved2;
    uint64_t start, t;
    uint64_t number[4];
};
_Static_assert(sizeof(struct event_head) == EVENT_HEAD, "event head");

/* Copies of what the mapping says: it is shared with the application, which may overwrite it. */
static struct ring_head *ring;
static uint64_t capacity, key;
static char bell[TEXT_MAX];

static uint64_t micros(clockid_t clock) {
    struct timespec now;
    if (clock_gettime(clock, &now)) return 0;
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

int ring_map(const char *path) {
    struct ring_head head;
    long fd = RAW4(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW, 0);
    if (fd < 0) return -1;
    int good = RAW4(SYS_pread64, fd, &head, sizeof head, 0) == (long)sizeof head && head.magic == RING_MAGIC &&
               head.version == RING_VERSION && head.capacity >= 2 * EVENT_MAX && head.capacity <= (1u << 30) &&
               (head.capacity & (head.capacity - 1)) == 0 &&
               RAW3(SYS_lseek, fd, 0, 2 /* SEEK_END */) >= (long)(RING_DATA + head.capacity);
    long at = good ? RAW6(SYS_mmap, 0, RING_DATA + head.capacity, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : -1;
    RAW1(SYS_close, fd);
    if (at < 0 && at > -4096) return -1;
    capacity = head.capacity;
    key = head.key;
    size_t length = text_length(path, TEXT_MAX);
    if (length + sizeof ".bell" <= sizeof bell) {
        __builtin_memcpy(bell, path, length);
        __builtin_memcpy(bell + length, ".bell", sizeof ".bell");
    }
    ring = (struct ring_head *)at;
    return 0;
}

int ring_is_mapped(void) { return ring != NULL; }

int ring_is_unread(void) {
    uint64_t beat = __atomic_load_n(&ring->heartbeat, __ATOMIC_ACQUIRE), now = micros(CLOCK_MONOTONIC);
    return now > beat && now - beat > 10000000u;
}

int ring_is_above(unsigned eighths) {
    uint64_t tail = __atomic_load_n(&ring->tail, __ATOMIC_RELAXED);
    return __atomic_load_n(&ring->head, __ATOMIC_RELAXED) - tail > capacity / 8 * eighths;
}

SLOW void ring_bell(void) {
    long fd = bell[0] ? RAW4(SYS_openat, AT_FDCWD, bell, O_WRONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW, 0) : -1;
    if (fd < 0) return;
    RAW3(SYS_write, fd, "", 1);
    RAW1(SYS_close, fd);
}

/* Position of `bytes` reserved bytes, or UINT64_MAX when that would make more than `room` wait. Tries are bounded: a hook never spins. */
static uint64_t reserve(uint64_t bytes, uint64_t room) {
    for (int tries = 0; tries < 1000; tries++) {
        uint64_t head = __atomic_load_n(&ring->head, __ATOMIC_RELAXED);
        uint64_t tail = __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);
        if (tail > head) {
            /* The reader may have moved past the head read above; a tail that is ahead of a fresh head is damage. */
            if (tail > __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE)) break;
            continue;
        }
        if (head - tail + bytes > room || head % CELL) break;
        if (!__atomic_compare_exchange_n(&ring->head, &head, head + bytes, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) continue;
        if (UNLIKELY(head - tail > capacity / 4) && !__atomic_load_n(&ring->rung, __ATOMIC_RELAXED) &&
            !__atomic_exchange_n(&ring->rung, 1, __ATOMIC_RELAXED))
            ring_bell();
        return head;
    }
    __atomic_fetch_add(&ring->dropped, 1, __ATOMIC_RELAXED);
    return UINT64_MAX;
}

static char *cell_at(uint64_t position) { return (char *)ring + RING_DATA + (position & (capacity - 1)); }

static uint64_t put(uint64_t position, const void *from, uint64_t length) {
    uint64_t first = capacity - (position & (capacity - 1));
    if (LIKELY(length <= first)) {
        __builtin_memcpy(cell_at(position), from, length);
    } else {
        __builtin_memcpy(cell_at(position), from, first);
        __builtin_memcpy(cell_at(position + first), (const char *)from + first, length - first);
    }
    return position + length;
}

static inline uint32_t mixed(uint32_t sum, uint32_t word) {
    sum ^= word;
    return (sum << 5 | sum >> 27) * 0x9e3779b1u;
}

/*
 * Over everything after the check itself, in 32-bit words. Lets the reader see a torn or overwritten event. Four sums take turns,
 * so that a processor can work on all of them at once: this is most of what a large event costs. (No four words wrap around: the
 * ring is made of cells.)
 */
static uint32_t checksum(uint64_t position, uint32_t length) {
    const uint32_t seed = 0x9e3779b9u ^ length ^ (uint32_t)position;
    uint32_t sums[4] = {seed, seed, seed, seed}, words[4], i = 16;
    for (; i + 16 <= length; i += 16) {
        __builtin_memcpy(words, cell_at(position + i), 16);
        for (int k = 0; k < 4; k++) sums[k] = mixed(sums[k], words[k]);
    }
    for (int k = 0; i < length; i += 4, k++) {
        __builtin_memcpy(words, cell_at(position + i), 4);
        sums[k] = mixed(sums[k], words[0]);
    }
    return mixed(mixed(mixed(sums[0], sums[1]), sums[2]), sums[3]);
}

int emit(enum event_type type, uint64_t a, uint64_t b, uint64_t c, uint64_t d, const struct piece *pieces, unsigned count) {
    return ring ? emit_as(self_identity(), type, a, b, c, d, pieces, count) : 0;
}

int emit_as(struct identity *me, enum event_type type, uint64_t a, uint64_t b, uint64_t c, uint64_t d, const struct piece *pieces,
            unsigned count) {
    if (!ring) return 0;
    const uint64_t most = type == EV_WIRE ? WIRE_MAX : TEXT_MAX;
    struct event_head head = {.type = (uint8_t)type, .pid = me->pid, .start = me->start, .number = {a, b, c, d}};

    /* Sizes first: the event is written where it stays, with no copy on a stack that may be a small signal stack. */
    uint16_t sizes[80];
    uint64_t length = EVENT_HEAD;
    unsigned used = 0, strings = 0;
    while (used < count && strings < sizeof sizes / sizeof *sizes) {
        uint64_t size = 0;
        unsigned last = used;
        for (;; last++) {
            size += pieces[last].length;
            if (!pieces[last].more || last + 1 == count) break;
        }
        if (size > most) size = most;
        if (length + 2 + size + 3 > EVENT_MAX) break;
        sizes[strings++] = (uint16_t)size;
        length += 2 + size;
        used = last + 1;
    }
    head.length = (uint32_t)length;
    head.strings = (uint8_t)strings;

    int boundary = type >= EV_WIRE && b & WIRE_RUNTIME;
    uint64_t position = reserve((length + CELL - 1) & ~(uint64_t)(CELL - 1), boundary ? capacity : capacity / 8 * RING_EIGHTHS);
    if (position == UINT64_MAX) return 0;
    /* Numbered only once there is room, so that a hole in the numbers means loss *after* the ring took the event. */
    head.n = __atomic_fetch_add(&me->n, 1, __ATOMIC_RELAXED);
    head.t = micros(CLOCK_REALTIME);

    uint64_t to = put(position + 16, (const char *)&head + 16, EVENT_HEAD - 16);
    unsigned i = 0;
    for (unsigned s = 0; s < strings; s++) {
        uint32_t room = sizes[s];
        to = put(to, &sizes[s], 2);
        for (;; i++) {
            uint32_t part = pieces[i].length < room ? pieces[i].length : room;
            to = put(to, pieces[i].at, part);
            room -= part;
            if (!pieces[i].more || i + 1 == count) break;
        }
        i++;
    }
    static const char zeros[4];
    put(to, zeros, (4 - length % 4) % 4);
    uint32_t rest[2] = {head.length, checksum(position, head.length)};
    put(position + 8, rest, sizeof rest);
    __atomic_store_n((uint64_t *)cell_at(position), key + position + 1, __ATOMIC_RELEASE);
    return 1;
}

uint64_t ring_moved(void) { return __atomic_load_n(&ring->moved, __ATOMIC_ACQUIRE); }
void ring_move(void) { __atomic_fetch_add(&ring->moved, 1, __ATOMIC_ACQ_REL); }
