/* Changes of names, modes and sizes: reported once they have succeeded. */
#include "real.h"

#include "path.h"
#include "self.h"
#include "sys.h"
#include "table.h"

/* The modes that go into an event are raised by one, so that 0 can mean "no mode". */
#define CHANGE(name, parameters, call, op, mode, dirfd, path, to_dirfd, to)                                                    \
    HOOK int name parameters {                                                                                                 \
        shim_ready();                                                                                                          \
        int result = real.call;                                                                                                \
        if (result == 0) emit_change(op, mode, dirfd, path, to_dirfd, to);                                                     \
        return result;                                                                                                         \
    }
#define HERE AT_FDCWD
#define MODE (uint64_t)(mode & 07777) + 1

CHANGE(unlink, (const char *path), unlink(path), OP_UNLINK, 0, HERE, path, 0, NULL)
CHANGE(rmdir, (const char *path), rmdir(path), OP_RMDIR, 0, HERE, path, 0, NULL)
CHANGE(unlinkat, (int dirfd, const char *path, int flags), unlinkat(dirfd, path, flags),
       flags & AT_REMOVEDIR ? OP_RMDIR : OP_UNLINK, 0, dirfd, path, 0, NULL)
CHANGE(rename, (const char *path, const char *to), rename(path, to), OP_RENAME, 0, HERE, path, HERE, to)
CHANGE(renameat, (int dirfd, const char *path, int to_dirfd, const char *to), renameat(dirfd, path, to_dirfd, to), OP_RENAME, 0,
       dirfd, path, to_dirfd, to)
CHANGE(link, (const char *path, const char *to), link(path, to), OP_LINK, 0, HERE, path, HERE, to)
CHANGE(linkat, (int dirfd, const char *path, int to_dirfd, const char *to, int flags),
       linkat(dirfd, path, to_dirfd, to, flags), OP_LINK, 0, dirfd, path, to_dirfd, to)
CHANGE(mkdir, (const char *path, mode_t mode), mkdir(path, mode), OP_MKDIR, MODE, HERE, path, 0, NULL)
CHANGE(mkdirat, (int dirfd, const char *path, mode_t mode), mkdirat(dirfd, path, mode), OP_MKDIR, MODE, dirfd, path, 0, NULL)
HOOK char *mkdtemp(char *template) {
    shim_ready();
    char *made = real.mkdtemp(template);
    if (made) emit_change(OP_MKDIR, 0700 + 1, AT_FDCWD, made, 0, NULL);
    return made;
}
CHANGE(chmod, (const char *path, mode_t mode), chmod(path, mode), OP_CHMOD, MODE, HERE, path, 0, NULL)
CHANGE(fchmod, (int fd, mode_t mode), fchmod(fd, mode), OP_CHMOD, MODE, fd, "", 0, NULL)
CHANGE(fchmodat, (int dirfd, const char *path, mode_t mode, int flags), fchmodat(dirfd, path, mode, flags), OP_CHMOD, MODE,
       dirfd, path, 0, NULL)
CHANGE(chown, (const char *path, uid_t user, gid_t group), chown(path, user, group), OP_CHOWN, 0, HERE, path, 0, NULL)
CHANGE(lchown, (const char *path, uid_t user, gid_t group), lchown(path, user, group), OP_CHOWN, 0, HERE, path, 0, NULL)
CHANGE(fchown, (int fd, uid_t user, gid_t group), fchown(fd, user, group), OP_CHOWN, 0, fd, "", 0, NULL)
CHANGE(fchownat, (int dirfd, const char *path, uid_t user, gid_t group, int flags),
       fchownat(dirfd, path, user, group, flags), OP_CHOWN, 0, dirfd, path, 0, NULL)
CHANGE(truncate, (const char *path, off_t size), truncate(path, size), OP_TRUNCATE, 0, HERE, path, 0, NULL)
CHANGE(truncate64, (const char *path, off64_t size), truncate(path, size), OP_TRUNCATE, 0, HERE, path, 0, NULL)
CHANGE(ftruncate, (int fd, off_t size), ftruncate(fd, size), OP_TRUNCATE, 0, fd, "", 0, NULL)
CHANGE(ftruncate64, (int fd, off64_t size), ftruncate(fd, size), OP_TRUNCATE, 0, fd, "", 0, NULL)

static int linked(int result, int dirfd, const char *path, const char *says) {
    if (result == 0 && says) emit_change(OP_SYMLINK, 0, dirfd, says, dirfd, path);
    return result;
}
HOOK int symlink(const char *says, const char *path) {
    shim_ready();
    return linked(real.symlink(says, path), AT_FDCWD, path, says);
}
HOOK int symlinkat(const char *says, int dirfd, const char *path) {
    shim_ready();
    return linked(real.symlinkat(says, dirfd, path), dirfd, path, says);
}

/* unlink or rmdir, whichever the name needs (remove(3)). */
HOOK int remove(const char *path) {
    struct stat info;
    shim_ready();
    int folder = ring_is_mapped() && RAW4(SYS_newfstatat, AT_FDCWD, path, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(info.st_mode);
    int result = real.remove(path);
    if (result == 0) emit_change(folder ? OP_RMDIR : OP_UNLINK, 0, AT_FDCWD, path, 0, NULL);
    return result;
}

/* glibc before 2.28 has no such function, the kernel has the call since 3.15. */
HOOK int renameat2(int dirfd, const char *path, int to_dirfd, const char *to, unsigned flags) {
    shim_ready();
    int result = real.renameat2 ? real.renameat2(dirfd, path, to_dirfd, to, flags)
                                : (int)as_libc(RAW5(SYS_renameat2, dirfd, path, to_dirfd, to, flags));
    if (result == 0) emit_change(OP_RENAME, 0, dirfd, path, to_dirfd, to);
    return result;
}
