/* Absolute paths, put together as pieces: the directory, a slash, the name as the application gave it. */
#ifndef ALASTOR_PATH_H
#define ALASTOR_PATH_H

#include <fcntl.h>

#include "ring.h"

#define PATH_PIECES 3

/* Reports a change of the file system: `path` below `dirfd`, for renames and links also `to` below `to_dirfd`. */
void emit_change(int op, uint64_t mode, int dirfd, const char *path, int to_dirfd, const char *to);
/* Reports an open that succeeded and remembers the descriptor. `how` bit 0: created, bit 1: keep the offset (stdio). */
void emit_open(int fd, int dirfd, const char *path, int flags, int how);
/* Reports an open made by another process, in the folder of this one. */
struct identity;
void emit_open_as(struct identity *who, int fd, const char *path, int flags, int how);
/* The same for a descriptor whose name only the kernel knows (tmpfile, memfd_create). */
void emit_open_unnamed(int fd, int flags);
/* Writes where /proc/self/fd/<fd> points into `out`. Returns the length, 0 if unknown. */
uint32_t path_of_descriptor(int fd, char *out, uint32_t room);
/* Absolute form of `path` in `pieces`; `room` (TEXT_MAX bytes) is used only for relative paths. Returns the piece count. */
unsigned path_pieces(int dirfd, const char *path, char *room, struct piece pieces[PATH_PIECES]);
/* 1 if something of that name is there; for `created`. */
int path_exists(int dirfd, const char *path);

/* A folder or a bare handle. O_TMPFILE, which makes a nameless file, contains the bit of O_DIRECTORY. */
static inline int opens_no_content(int flags) {
    return (flags & O_TMPFILE) != O_TMPFILE && flags & (O_DIRECTORY | O_PATH);
}

enum open_how { OPEN_CREATED = 1, OPEN_STDIO = 2 };
/* Order as in layers/capture/ring-decode.ts. */
enum change_op { OP_UNLINK = 1, OP_RENAME, OP_LINK, OP_SYMLINK, OP_MKDIR, OP_RMDIR, OP_CHMOD, OP_CHOWN, OP_TRUNCATE };

#endif
