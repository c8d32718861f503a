/*
 * The writing end of the ring: a file mapped shared by every process of the instance, emptied by the recorder.
 *
 * Layout (little endian; layers/capture/ring-layout.ts holds the same numbers for the reader):
 *   0    magic, version, capacity (power of two), key    written once by the recorder
 *   64   head: bytes ever reserved                       writers, compare-and-swap
 *   128  tail: bytes ever consumed; 136 heartbeat        recorder
 *   192  dropped: events that found the ring full        writers
 *   200  rung: the bell has been rung since the last look   writers, cleared by the recorder
 *   256  moved: how often something was renamed              writers, for each other
 *   4096 the cells
 *
 * An event takes whole 64-byte cells, may wrap around, and carries its own absolute position (plus the key) as a stamp that
 * is stored last. So nothing needs zeroing, a half-written event can be told from a whole one, and file names that imitate
 * an event do not know the key. There is no lock: a process that dies between reserving and stamping costs one event.
 */
#ifndef ALASTOR_RING_H
#define ALASTOR_RING_H

#include <stdint.h>

#define RING_MAGIC 0x31676e6952414c41ull /* "ALARing1" */
#define RING_VERSION 2u
#define RING_DATA 4096u
#define CELL 64u
#define EVENT_HEAD 80u
#define EVENT_MAX 8192u
#define TEXT_MAX 4096u
#define WIRE_MAX 8000u /* bytes of a connection in one event */

enum event_type {
    EV_PROCESS_START = 1, /* parent pid, parent start, how | exe */
    EV_PROCESS_EXEC = 2,  /* child, ok | path, cwd, argv... */
    EV_PROCESS_EXIT = 3,  /* code + 1 or 0, signal, child */
    EV_FILE_OPEN = 4,     /* fd, open flags, created | path */
    EV_FILE_CLOSE = 5,    /* fd, read, written | path */
    EV_FILE_CHANGE = 6,   /* op, mode + 1 or 0 | path, to */
    EV_CONNECT = 7,       /* fd, localPort << 8 | 1 steered, 2 tapped, 4 teed, family << 8 | proto, port << 16 | errno | address */
    EV_ACCEPT = 8,        /* fd, localPort << 8, family << 8 | proto, port << 16 | address */
    EV_BIND = 9,          /* fd, 0, family << 8 | proto, port << 16 | address */
    EV_SOCKET_CLOSE = 10, /* fd, received, family << 24 | proto << 16 | port, sent | address */
    EV_DNS = 11,          /* | name, addresses (4 or 16 bytes each)... */
    EV_UNOBSERVED = 12,   /* what | detail */
    EV_TAP = 13,          /* message, offset, total | bytes, bytes */
    EV_WIRE = 14,         /* connection, wire_flag, offset, total | bytes */
    EV_WIRE_OPEN = 15,    /* connection, wire_flag, localPort << 16 | port, family | address */
    EV_WIRE_CLOSE = 16,   /* connection, wire_flag, sent, received */
};
enum wire_flag {
    WIRE_RECEIVED = 1,
    WIRE_TLS = 2,      /* plaintext of libssl */
    WIRE_LEFT_OUT = 4, /* fewer bytes than the total */
    WIRE_RUNTIME = 8,  /* the conversation with the Runtime API */
    WIRE_UNREAD = 16,  /* TLS of somebody else */
    WIRE_HELLO = 64,   /* the ClientHello as it stands on the wire; no part of the totals */
};
enum how { HOW_FORK = 1, HOW_VFORK = 2, HOW_IMAGE = 3 };
enum unobserved { UNOBSERVED_PROGRAM = 1, UNOBSERVED_PROCESS = 2 };

/* One piece of a string. `more`: the next piece continues it, so that a path need not be put together first. */
struct piece {
    const char *at;
    uint32_t length;
    uint32_t more;
};
static inline struct piece piece_of(const char *at, uint32_t length) {
    struct piece p = {at, length, 0};
    return p;
}

/* Maps the ring at `path`. Returns 0, or -1 if it is not there or not ours; the shim then only passes calls through. */
int ring_map(const char *path);
int ring_is_mapped(void);
/* The recorder empties the ring many times a second; it is gone or stuck when it has not for 10 s. */
int ring_is_unread(void);
/* More than so many eighths of it wait to be read. The last one takes nothing but the conversation with the Runtime API: a
 * boundary between requests that is lost costs more than any event. */
#define RING_EIGHTHS 7u
int ring_is_above(unsigned eighths);
/*
 * Wakes the recorder, which otherwise looks now and then: a byte into the named pipe `<ring>.bell`, if somebody reads it. Rung
 * by itself when a quarter of the ring waits. No descriptor stays open.
 */
void ring_bell(void);
/* Reports an event. Drops and counts it, and answers 0, when the ring is full. Never blocks, never touches errno. */
int emit(enum event_type type, uint64_t a, uint64_t b, uint64_t c, uint64_t d, const struct piece *pieces, unsigned count);
/* The same in the name of another process, which numbers its own events: this one carries `UNNUMBERED` instead. */
struct identity;
#define UNNUMBERED UINT32_MAX
int emit_as(struct identity *who, enum event_type type, uint64_t a, uint64_t b, uint64_t c, uint64_t d, const struct piece *pieces,
            unsigned count);

/* How often any process of the instance has renamed something: as long as it is the same, so are the names found before. */
uint64_t ring_moved(void);
void ring_move(void);

#endif
