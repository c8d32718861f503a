/*
 * Streams. libc opens, reads and writes them through its own internal calls, so each public function is hooked itself.
 * Counted are the common transfers; for the rest (putc and friends are inline) the file offset at close tells.
 */
#include "real.h"

#include <errno.h>
#include <stdarg.h>

#include "path.h"
#include "self.h"
#include "sys.h"
#include "table.h"
#include "transfer.h"

#undef fread_unlocked
#undef fwrite_unlocked
#undef fputs_unlocked
#undef fgets_unlocked
#undef putc
#undef putc_unlocked
#undef fputc_unlocked
#undef putchar_unlocked
#undef getc_unlocked
#undef fgetc_unlocked
#undef getchar_unlocked
#undef getc
#undef putchar
#undef getchar

/* fopen(3) modes as open(2) flags. */
static int flags_of(const char *mode) {
    int flags = mode[0] == 'r' ? O_RDONLY : mode[0] == 'a' ? O_WRONLY | O_CREAT | O_APPEND : O_WRONLY | O_CREAT | O_TRUNC;
    for (const char *at = mode; *at && *at != ','; at++)
        if (*at == '+') flags = (flags & ~O_ACCMODE) | O_RDWR;
    return flags;
}

static int creates(const char *path, int flags) {
    return path && flags & O_CREAT && ring_is_mapped() && !path_exists(AT_FDCWD, path) ? OPEN_CREATED : 0;
}

static FILE *open_stream(const char *path, const char *mode) {
    shim_ready();
    int flags = mode ? flags_of(mode) : 0, how = creates(path, flags) | OPEN_STDIO;
    FILE *stream = real.fopen(path, mode);
    if (stream) emit_open(fileno(stream), AT_FDCWD, path, flags, how);
    return stream;
}
HOOK FILE *fopen(const char *path, const char *mode) { return open_stream(path, mode); }
HOOK FILE *fopen64(const char *path, const char *mode) { return open_stream(path, mode); }

static FILE *reopen_stream(const char *path, const char *mode, FILE *stream) {
    shim_ready();
    int flags = mode ? flags_of(mode) : 0, how = creates(path, flags) | OPEN_STDIO;
    if (path && stream) table_closing(fileno(stream));
    FILE *result = real.freopen(path, mode, stream);
    if (result && path) emit_open(fileno(result), AT_FDCWD, path, flags, how);
    return result;
}
HOOK FILE *freopen(const char *path, const char *mode, FILE *stream) { return reopen_stream(path, mode, stream); }
HOOK FILE *freopen64(const char *path, const char *mode, FILE *stream) { return reopen_stream(path, mode, stream); }

static FILE *open_unnamed(void) {
    shim_ready();
    FILE *stream = real.tmpfile();
    if (stream) emit_open_unnamed(fileno(stream), O_RDWR | O_CREAT);
    return stream;
}
HOOK FILE *tmpfile(void) { return open_unnamed(); }
HOOK FILE *tmpfile64(void) { return open_unnamed(); }

HOOK int fclose(FILE *stream) {
    shim_ready();
    if (stream) {
        int fd = fileno(stream);
        struct entry *e = entry_of(fd);
        /* Written by putc alone, say, and still in the buffer: the stream knows its position, the descriptor does not yet. */
        if (e && e->flags & ENTRY_OFFSET && !e->sent && !e->received && ring_is_mapped()) {
            int before = errno;
            long moved = ftell(stream) - (long)e->base;
            errno = before;
            if (e->flags & ENTRY_WRITABLE) count_sent(fd, moved);
            else count_received(fd, moved);
        }
        table_closing(fd);
    }
    return real.fclose(stream);
}

static size_t took(FILE *stream, size_t size, size_t items) {
    if (items) moved_in_unseen(fileno(stream), (ssize_t)(size * items));
    return items;
}
static size_t gave(FILE *stream, size_t size, size_t items) {
    if (items) moved_out_unseen(fileno(stream), (ssize_t)(size * items));
    return items;
}
HOOK size_t fread(void *to, size_t size, size_t items, FILE *stream) {
    shim_ready();
    return took(stream, size, real.fread(to, size, items, stream));
}
HOOK size_t fread_unlocked(void *to, size_t size, size_t items, FILE *stream) {
    shim_ready();
    return took(stream, size, (real.fread_unlocked ? real.fread_unlocked : real.fread)(to, size, items, stream));
}
HOOK size_t __fread_chk(void *to, size_t room, size_t size, size_t items, FILE *stream) {
    shim_ready();
    return took(stream, size, real.__fread_chk(to, room, size, items, stream));
}
HOOK size_t fwrite(const void *from, size_t size, size_t items, FILE *stream) {
    shim_ready();
    return gave(stream, size, real.fwrite(from, size, items, stream));
}
HOOK size_t fwrite_unlocked(const void *from, size_t size, size_t items, FILE *stream) {
    shim_ready();
    return gave(stream, size, (real.fwrite_unlocked ? real.fwrite_unlocked : real.fwrite)(from, size, items, stream));
}

static int put_text(FILE *stream, const char *text, size_t extra, int result) {
    if (result >= 0) gave(stream, 1, __builtin_strlen(text) + extra);
    return result;
}
HOOK int fputs(const char *text, FILE *stream) {
    shim_ready();
    return put_text(stream, text, 0, real.fputs(text, stream));
}
HOOK int fputs_unlocked(const char *text, FILE *stream) {
    shim_ready();
    return put_text(stream, text, 0, (real.fputs_unlocked ? real.fputs_unlocked : real.fputs)(text, stream));
}
HOOK int puts(const char *text) {
    shim_ready();
    return put_text(stdout, text, 1, real.puts(text));
}

static char *got_text(FILE *stream, char *text) {
    if (text) took(stream, 1, __builtin_strlen(text));
    return text;
}
HOOK char *fgets(char *to, int size, FILE *stream) {
    shim_ready();
    return got_text(stream, real.fgets(to, size, stream));
}
HOOK char *fgets_unlocked(char *to, int size, FILE *stream) {
    shim_ready();
    return got_text(stream, (real.fgets_unlocked ? real.fgets_unlocked : real.fgets)(to, size, stream));
}
HOOK char *__fgets_chk(char *to, size_t room, int size, FILE *stream) {
    shim_ready();
    return got_text(stream, real.__fgets_chk(to, room, size, stream));
}
HOOK ssize_t getline(char **line, size_t *size, FILE *stream) {
    shim_ready();
    ssize_t length = real.getline(line, size, stream);
    if (length > 0) took(stream, 1, (size_t)length);
    return length;
}
HOOK ssize_t getdelim(char **line, size_t *size, int end, FILE *stream) {
    shim_ready();
    ssize_t length = real.getdelim(line, size, end, stream);
    if (length > 0) took(stream, 1, (size_t)length);
    return length;
}
HOOK ssize_t __getdelim(char **line, size_t *size, int end, FILE *stream) { return getdelim(line, size, end, stream); }

static int print(FILE *stream, const char *format, va_list list) {
    shim_ready();
    int length = real.vfprintf(stream, format, list);
    if (length > 0) gave(stream, 1, (size_t)length);
    return length;
}
#define PRINTS(stream, format)                                                                                                 \
    va_list list;                                                                                                              \
    va_start(list, format);                                                                                                    \
    int length = print(stream, format, list);                                                                                  \
    va_end(list);                                                                                                              \
    return length;
HOOK int vfprintf(FILE *stream, const char *format, va_list list) { return print(stream, format, list); }
HOOK int vprintf(const char *format, va_list list) { return print(stdout, format, list); }
HOOK int fprintf(FILE *stream, const char *format, ...) { PRINTS(stream, format) }
HOOK int printf(const char *format, ...) { PRINTS(stdout, format) }

/* The fortified forms, which libc checks further. */
static int print_checked(FILE *stream, int flag, const char *format, va_list list) {
    shim_ready();
    int length = real.__vfprintf_chk(stream, flag, format, list);
    if (length > 0) gave(stream, 1, (size_t)length);
    return length;
}
#define PRINTS_CHECKED(stream, flag, format)                                                                                   \
    va_list list;                                                                                                              \
    va_start(list, format);                                                                                                    \
    int length = print_checked(stream, flag, format, list);                                                                    \
    va_end(list);                                                                                                              \
    return length;
HOOK int __vfprintf_chk(FILE *stream, int flag, const char *format, va_list list) {
    return print_checked(stream, flag, format, list);
}
HOOK int __vprintf_chk(int flag, const char *format, va_list list) { return print_checked(stdout, flag, format, list); }
HOOK int __fprintf_chk(FILE *stream, int flag, const char *format, ...) { PRINTS_CHECKED(stream, flag, format) }
HOOK int __printf_chk(int flag, const char *format, ...) { PRINTS_CHECKED(stdout, flag, format) }

/*
 * Single characters. Most of them are put into the buffer by code compiled into the program, which calls the functions below
 * only now and then; so they are not counted, only that there were some. For files the offset tells how many.
 */
static void by_character(FILE *stream, uint8_t flag) {
    int before = errno, fd = fileno(stream); /* streams in memory have none, and say so in errno */
    struct entry *e = entry_of(fd);
    errno = before;
    if (!e || e->flags & flag) return;
    e->flags |= flag;
    table_touch(fd);
    if (UNLIKELY(e->wire)) wire_unseen(e->wire, flag == ENTRY_GOT ? RECEIVED : SENT, 1);
}
#define PUTS(name, parameters, stream, call)                                                                                   \
    HOOK int name parameters {                                                                                                 \
        shim_ready();                                                                                                          \
        by_character(stream, ENTRY_PUT);                                                                                       \
        return real.call;                                                                                                      \
    }
#define GETS(name, parameters, stream, call)                                                                                   \
    HOOK int name parameters {                                                                                                 \
        shim_ready();                                                                                                          \
        int c = real.call;                                                                                                     \
        if (c != EOF) by_character(stream, ENTRY_GOT);                                                                         \
        return c;                                                                                                              \
    }
PUTS(putc, (int c, FILE *stream), stream, putc(c, stream))
PUTS(_IO_putc, (int c, FILE *stream), stream, putc(c, stream))
PUTS(fputc, (int c, FILE *stream), stream, fputc(c, stream))
PUTS(putchar, (int c), stdout, putchar(c))
PUTS(putc_unlocked, (int c, FILE *stream), stream, putc(c, stream))
PUTS(fputc_unlocked, (int c, FILE *stream), stream, putc(c, stream))
PUTS(putchar_unlocked, (int c), stdout, putchar(c))
PUTS(__overflow, (FILE * stream, int c), stream, __overflow(stream, c))
GETS(getc, (FILE * stream), stream, getc(stream))
GETS(_IO_getc, (FILE * stream), stream, getc(stream))
GETS(fgetc, (FILE * stream), stream, fgetc(stream))
GETS(getchar, (void), stdin, getchar())
GETS(getc_unlocked, (FILE * stream), stream, getc(stream))
GETS(fgetc_unlocked, (FILE * stream), stream, getc(stream))
GETS(getchar_unlocked, (void), stdin, getchar())
GETS(__uflow, (FILE * stream), stream, __uflow(stream))
GETS(__underflow, (FILE * stream), stream, __underflow(stream))
HOOK void perror(const char *text) {
    shim_ready();
    by_character(stderr, ENTRY_PUT);
    real.perror(text);
}
