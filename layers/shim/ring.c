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
};
_Static_assert(__builtin_offsetof(struct ring_head, head) == 64, "head");
_Static_assert(__builtin_offsetof(struct ring_head, tail) == 128, "tail");
_Static_assert(__builtin_offsetof(struct ring_head, dropped) == 192, "dropped");

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
    ring = (struct ring_head *)at;
    return 0;
}

int ring_is_mapped(void) { return ring != NULL; }

uint64_t ring_silence(void) {
    uint64_t beat = __atomic_load_n(&ring->heartbeat, __ATOMIC_ACQUIRE), now = micros(CLOCK_MONOTONIC);
    return now > beat ? now - beat : 0;
}

/* Position of `bytes` reserved bytes, or UINT64_MAX when there is no room. Tries are bounded: a hook never spins. */
static uint64_t reserve(uint64_t bytes) {
    for (int tries = 0; tries < 1000; tries++) {
        uint64_t head = __atomic_load_n(&ring->head, __ATOMIC_RELAXED);
        uint64_t tail = __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);
        if (tail > head) {
            /* The reader may have moved past the head read above; a tail that is ahead of a fresh head is damage. */
            if (tail > __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE)) break;
            continue;
        }
        if (head - tail + bytes > capacity || head % CELL) break;
        if (__atomic_compare_exchange_n(&ring->head, &head, head + bytes, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) return head;
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

/* Over everything after the check itself, in 32-bit words. Lets the reader see a torn or overwritten event. */
static uint32_t checksum(uint64_t position, uint32_t length) {
    uint32_t sum = 0x9e3779b9u ^ length ^ (uint32_t)position;
    for (uint32_t i = 16; i < length; i += 4) {
        uint32_t word;
        __builtin_memcpy(&word, cell_at(position + i), 4);
        sum ^= word;
        sum = (sum << 5 | sum >> 27) * 0x9e3779b1u;
    }
    return sum;
}

void emit(enum event_type type, uint64_t a, uint64_t b, uint64_t c, uint64_t d, const struct piece *pieces, unsigned count) {
    if (ring) emit_as(self_identity(), type, a, b, c, d, pieces, count);
}

void emit_as(struct identity *me, enum event_type type, uint64_t a, uint64_t b, uint64_t c, uint64_t d, const struct piece *pieces,
             unsigned count) {
    if (!ring) return;
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
        if (size > TEXT_MAX) size = TEXT_MAX;
        if (length + 2 + size + 3 > EVENT_MAX) break;
        sizes[strings++] = (uint16_t)size;
        length += 2 + size;
        used = last + 1;
    }
    head.length = (uint32_t)length;
    head.strings = (uint8_t)strings;

    uint64_t position = reserve((length + CELL - 1) & ~(uint64_t)(CELL - 1));
    if (position == UINT64_MAX) return;
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
}

#define MOVED_AT 256
static uint64_t *moved(void) { return (uint64_t *)((char *)ring + MOVED_AT); }
uint64_t ring_moved(void) { return __atomic_load_n(moved(), __ATOMIC_ACQUIRE); }
void ring_move(void) { __atomic_fetch_add(moved(), 1, __ATOMIC_ACQ_REL); }
