#define _GNU_SOURCE
#include "path.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include "self.h"
#include "sys.h"
#include "table.h"

uint32_t path_of_descriptor(int fd, char *out, uint32_t room) {
    char link[40] = "/proc/self/fd/";
    print_number(link + 14, (uint64_t)fd);
    long length = RAW4(SYS_readlinkat, AT_FDCWD, link, out, room);
    return length > 0 ? (uint32_t)length : 0;
}

#define FOLDER_MOST 512
/* Programs that the shim does not see may rename too: a name is not believed for longer, in ns. */
#define FOLDER_NS 10000000

/*
 * The folder whose name was asked for last. Programs that go through a tree name its entries below a descriptor, thousands of
 * them below the same one, and /proc takes longer to tell its name than the kernel to remove a file. The name holds as long as
 * the descriptor is the same folder and nothing was renamed. Who finds it in use (a thread, a signal) asks the kernel.
 */
static struct {
    uint32_t busy, length;
    int fd;
    dev_t device;
    ino_t inode;
    uint64_t moved, until;
    char name[FOLDER_MOST];
} folder;

static uint64_t nanoseconds(void) {
    struct timespec now;
    return clock_gettime(CLOCK_MONOTONIC, &now) ? 0 : (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint32_t path_of_folder(int fd, char *out, uint32_t room) {
    struct stat info;
    if (!ring_is_mapped()) return path_of_descriptor(fd, out, room);
    uint64_t moved = ring_moved(), now = nanoseconds();
    if (RAW2(SYS_fstat, fd, &info) != 0 || __atomic_exchange_n(&folder.busy, 1, __ATOMIC_ACQUIRE)) return path_of_descriptor(fd, out, room);
    uint32_t length = 0;
    if (folder.fd == fd && folder.device == info.st_dev && folder.inode == info.st_ino && folder.moved == moved && now < folder.until) {
        length = folder.length;
        __builtin_memcpy(out, folder.name, length);
    } else {
        length = path_of_descriptor(fd, out, room);
        folder.length = length < FOLDER_MOST ? length : 0;
        __builtin_memcpy(folder.name, out, folder.length);
        folder.fd = fd;
        folder.device = info.st_dev;
        folder.inode = info.st_ino;
        folder.moved = moved;
        folder.until = folder.length ? now + FOLDER_NS : 0;
    }
    __atomic_store_n(&folder.busy, 0, __ATOMIC_RELEASE);
    return length;
}

int path_exists(int dirfd, const char *path) { return RAW3(SYS_faccessat, dirfd, path, 0) == 0; }

unsigned path_pieces(int dirfd, const char *path, char *room, struct piece pieces[PATH_PIECES]) {
    uint32_t length = (uint32_t)text_length(path, TEXT_MAX);
    if (path[0] == '/') {
        pieces[0] = piece_of(path, length);
        return 1;
    }
    uint32_t directory = 0;
    if (dirfd == AT_FDCWD) {
        long got = RAW2(SYS_getcwd, room, TEXT_MAX);
        if (got > 1) directory = (uint32_t)got - 1; /* counts the closing NUL */
    } else if (dirfd >= 0) {
        directory = path_of_folder(dirfd, room, TEXT_MAX);
    }
    if (!directory) room[directory++] = '?'; /* unreachable or too deep: say that it is not known rather than guess */
    if (!length) {
        pieces[0] = piece_of(room, directory);
        return 1;
    }
    pieces[0] = piece_of(room, directory);
    pieces[0].more = 1;
    pieces[1] = piece_of("/", directory == 1 && room[0] == '/' ? 0 : 1);
    pieces[1].more = 1;
    pieces[2] = piece_of(path, length);
    return 3;
}

static void change(int op, uint64_t mode, const struct piece *from, unsigned from_count, const struct piece *to, unsigned to_count) {
    struct piece all[2 * PATH_PIECES];
    unsigned used = 0;
    for (unsigned i = 0; i < from_count; i++) all[used++] = from[i];
    for (unsigned i = 0; i < to_count; i++) all[used++] = to[i];
    emit(EV_FILE_CHANGE, (uint64_t)op, mode, 0, 0, all, used);
}

static SLOW void change_relative(int op, uint64_t mode, int dirfd, const char *path, int to_dirfd, const char *to) {
    char room[TEXT_MAX], to_room[TEXT_MAX];
    struct piece from_pieces[PATH_PIECES], to_pieces[PATH_PIECES];
    unsigned from_count = 1;
    /* The text of a symbolic link counts from the link's own folder; the reader, who has that, puts them together. */
    if (op == OP_SYMLINK) from_pieces[0] = piece_of(path, (uint32_t)text_length(path, TEXT_MAX));
    else from_count = path_pieces(dirfd, path, room, from_pieces);
    change(op, mode, from_pieces, from_count, to_pieces, to ? path_pieces(to_dirfd, to, to_room, to_pieces) : 0);
}

void emit_change(int op, uint64_t mode, int dirfd, const char *path, int to_dirfd, const char *to) {
    if (!ring_is_mapped() || !path) return;
    if (op == OP_RENAME) ring_move();
    if (path[0] != '/' || (to && to[0] != '/')) {
        change_relative(op, mode, dirfd, path, to_dirfd, to);
        return;
    }
    struct piece from_piece = piece_of(path, (uint32_t)text_length(path, TEXT_MAX)), to_piece;
    if (to) to_piece = piece_of(to, (uint32_t)text_length(to, TEXT_MAX));
    change(op, mode, &from_piece, 1, &to_piece, to ? 1 : 0);
}

/* Other names of descriptors that are open already: what is behind them, a pipe perhaps, the kernel tells when asked. */
static int names_descriptor(const struct piece *pieces, unsigned count) {
    static const char *const folders[] = {"/dev/fd/", "/dev/std", "/proc/self/fd/"};
    for (unsigned i = 0; count == 1 && i < sizeof folders / sizeof *folders; i++) {
        size_t length = text_length(folders[i], 16);
        if (pieces[0].length > length && same_bytes(pieces[0].at, folders[i], length)) return 1;
    }
    return 0;
}

static int is_null_device(const struct piece *pieces, unsigned count) {
    return count == 1 && pieces[0].length == 9 && same_bytes(pieces[0].at, "/dev/null", 9);
}

static void opened(int fd, const struct piece *pieces, unsigned count, int flags, int how) {
    if (fd >= 0) {
        if (names_descriptor(pieces, count)) table_reset(fd);
        else table_set_file(fd, pieces, count, flags);
        struct entry *e = how & OPEN_STDIO ? entry_of(fd) : NULL;
        if (e) {
            long at = RAW3(SYS_lseek, fd, 0, 1);
            e->flags |= ENTRY_OFFSET;
            e->base = at > 0 ? (uint64_t)at : 0;
        }
    }
    /* Directories and bare handles are no flow of information by themselves; what is done through them is reported. */
    if (opens_no_content(flags)) return;
    if (is_null_device(pieces, count)) return;
    emit(EV_FILE_OPEN, (uint64_t)(uint32_t)fd, (uint64_t)(uint32_t)flags, how & OPEN_CREATED, 0, pieces, count);
}

static SLOW void open_relative(int fd, int dirfd, const char *path, int flags, int how) {
    char room[TEXT_MAX];
    struct piece pieces[PATH_PIECES];
    opened(fd, pieces, path_pieces(dirfd, path, room, pieces), flags, how);
}

void emit_open(int fd, int dirfd, const char *path, int flags, int how) {
    if (!ring_is_mapped() || !path) return;
    if (path[0] == '/') {
        struct piece whole = piece_of(path, (uint32_t)text_length(path, TEXT_MAX));
        opened(fd, &whole, 1, flags, how);
    } else {
        open_relative(fd, dirfd, path, flags, how);
    }
}

SLOW void emit_open_unnamed(int fd, int flags) {
    char room[TEXT_MAX];
    if (!ring_is_mapped()) return;
    struct piece whole = piece_of(room, path_of_descriptor(fd, room, sizeof room));
    opened(fd, &whole, 1, flags, OPEN_CREATED);
}

SLOW void emit_open_as(struct identity *who, int fd, const char *path, int flags, int how) {
    char room[TEXT_MAX];
    struct piece pieces[PATH_PIECES];
    if (!ring_is_mapped() || opens_no_content(flags)) return;
    unsigned count = path_pieces(AT_FDCWD, path, room, pieces);
    if (is_null_device(pieces, count)) return;
    emit_as(who, EV_FILE_OPEN, (uint64_t)(uint32_t)fd, (uint64_t)(uint32_t)flags, how & OPEN_CREATED, 0, pieces, count);
}
