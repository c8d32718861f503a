/*
 * What is known of each descriptor, so that totals are reported once, at close, and a closed name can still be told.
 * A fixed array: nothing to allocate, copied by fork like the descriptors themselves. Higher descriptors go uncounted.
 */
#ifndef ALASTOR_TABLE_H
#define ALASTOR_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "ring.h"
#include "self.h"

#define TABLE_SIZE 4096
#define NAME_MOST 220

enum entry_kind {
    ENTRY_UNKNOWN = 0, /* inherited over exec, a pipe, …: looked up when there is something to report */
    ENTRY_FILE = 1,
    ENTRY_SOCKET = 2, /* `name` holds the peer's sockaddr */
    ENTRY_QUIET = 3,  /* not to be reported: directories */
};
enum entry_flag {
    ENTRY_STEERED = 1,
    ENTRY_DATAGRAM = 2,
    ENTRY_OFFSET = 4, /* written through libc's own buffers (stdio): the file offset tells what the counters missed */
    ENTRY_WRITABLE = 8,
    ENTRY_TOLD = 16, /* a datagram socket: sending to this peer has been reported */
    ENTRY_GOT = 32,  /* characters were read or written one by one, through libc's buffers, uncounted */
    ENTRY_PUT = 64,
};

struct entry {
    uint8_t kind, flags;
    uint16_t name_length; /* 0: longer than there is room; the kernel is asked */
    uint32_t wire;        /* tag of the connection that is teed (wire.h); 0: none */
    uint64_t received, sent; /* read and written */
    uint64_t base;           /* file offset when it was opened or inherited */
    char name[NAME_MOST];
};

extern struct entry table[TABLE_SIZE];
extern uint32_t table_top; /* one above the highest descriptor that was ever of interest */

static inline struct entry *entry_of(int fd) {
    return (unsigned)fd < TABLE_SIZE && !borrowed() ? &table[fd] : NULL;
}

void table_touch(int fd);
/* What a child of vfork writes (the reason why exec failed, through a pipe) is reported at once: it has no table. */
void table_borrowed_sent(int fd, long bytes);
/* Both answer the tag of the connection if it is teed. */
static inline uint32_t count_received(int fd, long bytes) {
    struct entry *e;
    if (bytes <= 0 || !(e = entry_of(fd))) return 0;
    if ((uint32_t)fd >= table_top) table_touch(fd);
    __atomic_fetch_add(&e->received, (uint64_t)bytes, __ATOMIC_RELAXED);
    return e->wire;
}
static inline uint32_t count_sent(int fd, long bytes) {
    struct entry *e;
    if (bytes <= 0) return 0;
    if (!(e = entry_of(fd))) {
        if (borrowed()) table_borrowed_sent(fd, bytes);
        return 0;
    }
    if ((uint32_t)fd >= table_top) table_touch(fd);
    __atomic_fetch_add(&e->sent, (uint64_t)bytes, __ATOMIC_RELAXED);
    return e->wire;
}

/* Looks at the descriptors a new program starts with. */
void table_begin(void);
void table_set_file(int fd, const struct piece *path, unsigned pieces, int flags);
void table_set_socket(int fd, const void *peer, size_t length, int flags);
/* Forgets without a word: the descriptor is new, whatever was known of its number is stale. */
void table_reset(int fd);
/* Reports what moved through `fd` and forgets it; to be called before the real close. */
void table_closing(int fd);
/* The same for all from `first` to `last`. */
void table_closing_range(uint32_t first, uint32_t last);
/* Reports what moved so far without forgetting the descriptors: before exec and at exit. */
void table_report_all(void);
void table_copy(int from, int to);
/* Before this process gets a child: file offsets are shared with it, so from now on they tell nothing of this process. */
void table_shared(void);
/* In a child of fork: what the parent moved is the parent's. */
void table_forget_totals(void);

#endif
