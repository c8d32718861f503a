/* What every call that moves bytes does with them: counts, and tells those of a connection that is teed. */
#ifndef ALASTOR_TRANSFER_H
#define ALASTOR_TRANSFER_H

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "sys.h"
#include "table.h"
#include "wire.h"

/* A read that was answered with 0. */
void moved_nothing(int fd, const struct iovec *to, size_t count);

/* Before a call that sends: see wire_about_to(). */
static inline void moves_out_of(int fd, const struct iovec *from, size_t count) {
    const struct entry *e = entry_of(fd);
    if (UNLIKELY(e && e->wire)) wire_about_to(e->wire, from, count);
}
static inline void moves_out(int fd, const void *from, size_t size) {
    struct iovec part = {(void *)from, size};
    moves_out_of(fd, &part, 1);
}

/* `bytes` as the call answered; it is handed through. */
static inline ssize_t moved_in_to(int fd, const struct iovec *to, size_t count, ssize_t bytes) {
    uint32_t wire = count_received(fd, bytes);
    if (UNLIKELY(wire)) wire_moved(wire, RECEIVED, to, count, (size_t)bytes);
    else if (UNLIKELY(!bytes)) moved_nothing(fd, to, count);
    return bytes;
}
static inline ssize_t moved_out_of(int fd, const struct iovec *from, size_t count, ssize_t bytes) {
    uint32_t wire = count_sent(fd, bytes);
    if (UNLIKELY(wire)) wire_moved(wire, SENT, from, count, (size_t)bytes);
    return bytes;
}
static inline ssize_t moved_in(int fd, const void *to, size_t size, ssize_t bytes) {
    struct iovec part = {(void *)to, size};
    return moved_in_to(fd, &part, 1, bytes);
}
static inline ssize_t moved_out(int fd, const void *from, size_t size, ssize_t bytes) {
    struct iovec part = {(void *)from, size};
    return moved_out_of(fd, &part, 1, bytes);
}
/* Where there is nothing to look at. */
static inline void moved_in_unseen(int fd, ssize_t bytes) {
    uint32_t wire = count_received(fd, bytes);
    if (UNLIKELY(wire)) wire_unseen(wire, RECEIVED, (size_t)bytes);
}
static inline void moved_out_unseen(int fd, ssize_t bytes) {
    uint32_t wire = count_sent(fd, bytes);
    if (UNLIKELY(wire)) wire_unseen(wire, SENT, (size_t)bytes);
}

#endif
