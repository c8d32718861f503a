#define _GNU_SOURCE
#include "table.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "path.h"
#include "socket.h"
#include "sys.h"
#include "wire.h"

struct entry table[TABLE_SIZE];
uint32_t table_top;

void table_touch(int fd) {
    uint32_t top = __atomic_load_n(&table_top, __ATOMIC_RELAXED);
    while (top <= (uint32_t)fd && !__atomic_compare_exchange_n(&table_top, &top, (uint32_t)fd + 1, 1, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
    }
}

static int offsets_shared;
void table_shared(void) {
    if (!borrowed()) offsets_shared = 1;
}

static uint64_t offset_of(int fd) {
    long at = RAW3(SYS_lseek, fd, 0, 1 /* SEEK_CUR */);
    return at > 0 ? (uint64_t)at : 0;
}

void table_begin(void) {
    for (int fd = 0; fd < 3; fd++) {
        table[fd].flags = ENTRY_OFFSET;
        table[fd].base = offset_of(fd);
    }
    table_touch(2);
}

static void let_go(struct entry *e) {
    uint32_t tag = __atomic_exchange_n(&e->wire, 0, __ATOMIC_RELAXED);
    if (UNLIKELY(tag)) wire_drop(tag);
}

static void clear(struct entry *e) {
    let_go(e);
    e->kind = ENTRY_UNKNOWN;
    e->flags = 0;
    e->name_length = 0;
    e->base = 0;
    __atomic_store_n(&e->received, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&e->sent, 0, __ATOMIC_RELAXED);
}

void table_reset(int fd) {
    struct entry *e = entry_of(fd);
    if (e && (uint32_t)fd < table_top) clear(e);
}

void table_set_file(int fd, const struct piece *path, unsigned pieces, int flags) {
    struct entry *e = entry_of(fd);
    if (!e) return;
    clear(e);
    uint32_t length = 0;
    for (unsigned i = 0; i < pieces; i++) {
        if (length + path[i].length > NAME_MOST) {
            length = 0;
            break;
        }
        __builtin_memcpy(e->name + length, path[i].at, path[i].length);
        length += path[i].length;
    }
    e->name_length = (uint16_t)length;
    e->flags = (flags & O_ACCMODE) == O_RDONLY ? 0 : ENTRY_WRITABLE;
    e->kind = opens_no_content(flags) ? ENTRY_QUIET : ENTRY_FILE;
    table_touch(fd);
}

void table_set_socket(int fd, const void *peer, size_t length, int flags) {
    struct entry *e = entry_of(fd);
    if (!e) return;
    if (e->kind == ENTRY_UNKNOWN || e->kind == ENTRY_SOCKET) {
        e->flags = 0;
        let_go(e);
    } else {
        clear(e);
    }
    e->name_length = (uint16_t)(length < NAME_MOST ? length : NAME_MOST);
    __builtin_memcpy(e->name, peer, e->name_length);
    e->flags = (uint8_t)flags;
    e->kind = ENTRY_SOCKET;
    table_touch(fd);
}

void table_copy(int from, int to) {
    struct entry *source = entry_of(from), *target = entry_of(to);
    if (!target || from == to) return;
    if (!source) {
        clear(target);
    } else {
        target->kind = source->kind;
        target->name_length = source->name_length;
        target->received = target->sent = 0;
        target->flags = source->flags & (uint8_t)~(ENTRY_OFFSET | ENTRY_GOT | ENTRY_PUT);
        __builtin_memcpy(target->name, source->name, source->name_length);
        let_go(target);
        target->wire = source->wire;
        if (UNLIKELY(target->wire)) wire_hold(target->wire);
        /* What the shell redirects to 0, 1 or 2 is likely to be used through stdio. */
        if (to < 3) {
            target->flags |= ENTRY_OFFSET;
            target->base = offset_of(to);
        }
    }
    table_touch(to);
}

static void report_file(int fd, struct piece path, uint64_t received, uint64_t sent) {
    if (path.length == 9 && same_bytes(path.at, "/dev/null", 9)) return;
    emit(EV_FILE_CLOSE, (uint64_t)fd, received, sent, 0, &path, 1);
}

/* Asks the kernel what a descriptor is that we did not see being opened, or whose name was too long to keep. */
static SLOW void report_unknown(int fd, uint64_t received, uint64_t sent) {
    char link[40] = "/proc/self/fd/", name[TEXT_MAX];
    print_number(link + 14, (uint64_t)fd);
    long length = RAW4(SYS_readlinkat, AT_FDCWD, link, name, sizeof name);
    if (length <= 0) return;
    if (length > 8 && same_bytes(name, "socket:[", 8)) {
        socket_report_unknown(fd, received, sent);
    } else if (name[0] == '/' || (length > 6 && same_bytes(name, "pipe:[", 6))) {
        report_file(fd, piece_of(name, (uint32_t)length), received, sent);
    }
}

void table_borrowed_sent(int fd, long bytes) {
    if (ring_is_mapped()) report_unknown(fd, 0, (uint64_t)bytes);
}

static void report(int fd, struct entry *e) {
    if (e->kind == ENTRY_QUIET) return;
    uint64_t received = __atomic_exchange_n(&e->received, 0, __ATOMIC_RELAXED);
    uint64_t sent = __atomic_exchange_n(&e->sent, 0, __ATOMIC_RELAXED);
    unsigned by_character = e->flags & (ENTRY_GOT | ENTRY_PUT);
    e->flags &= (uint8_t)~by_character;
    if (!received && !sent && e->flags & ENTRY_OFFSET && !offsets_shared && e->kind != ENTRY_SOCKET) {
        uint64_t now = offset_of(fd);
        if (now > e->base) {
            int access = (int)RAW3(SYS_fcntl, fd, F_GETFL, 0);
            if (access >= 0 && (access & O_ACCMODE) == O_RDONLY) received = now - e->base;
            else sent = now - e->base;
            e->base = now;
        }
    }
    /* Pipes have no offset. That something moved is known, how much is not: it counts as one byte. */
    if (!received && !sent) {
        received = by_character & ENTRY_GOT ? 1 : 0;
        sent = by_character & ENTRY_PUT ? 1 : 0;
    }
    if (!received && !sent) return;
    if (e->kind == ENTRY_SOCKET) socket_report(fd, e, received, sent);
    else if (e->kind == ENTRY_FILE && e->name_length) report_file(fd, piece_of(e->name, e->name_length), received, sent);
    else report_unknown(fd, received, sent);
}

void table_closing(int fd) {
    struct entry *e = entry_of(fd);
    if (!e || (uint32_t)fd >= __atomic_load_n(&table_top, __ATOMIC_RELAXED)) return;
    if (ring_is_mapped()) report(fd, e);
    clear(e);
}

void table_closing_range(uint32_t first, uint32_t last) {
    uint32_t top = __atomic_load_n(&table_top, __ATOMIC_RELAXED);
    for (uint32_t fd = first; fd < top && fd <= last; fd++) table_closing((int)fd);
}

void table_report_all(void) {
    if (borrowed() || !ring_is_mapped()) return;
    uint32_t top = __atomic_load_n(&table_top, __ATOMIC_RELAXED);
    for (uint32_t fd = 0; fd < top; fd++) report((int)fd, &table[fd]);
    wire_end();
}

void table_forget_totals(void) {
    offsets_shared = 0;
    for (uint32_t fd = 0; fd < table_top; fd++) {
        table[fd].received = table[fd].sent = 0;
        table[fd].flags &= (uint8_t)~(ENTRY_GOT | ENTRY_PUT);
        /* The offset is shared with the parent: what counts is what moves from here on. */
        if (table[fd].flags & ENTRY_OFFSET) table[fd].base = offset_of((int)fd);
    }
}
