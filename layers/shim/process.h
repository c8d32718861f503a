/* Reports about programs being run and processes ending. */
#ifndef ALASTOR_PROCESS_H
#define ALASTOR_PROCESS_H

/* `process-exec`. `child` 0: this process itself becomes the program. */
void report_exec(int dirfd, const char *path, char *const argv[], int child, int ok);
/* Where execvp would find `file`: `file` itself, or a name in `room` (TEXT_MAX bytes), or NULL. */
const char *search_program(const char *file, char *room);
/* Says so when `path` is a program that the shim cannot enter: static, or gaining privileges. Follows one `#!` line. */
void report_if_closed(int dirfd, const char *path);

/* Libraries that were loaded from outside the system's folders since the last call. */
void report_libraries(void);

/* The files that posix_spawn has opened for a child as `actions` told it to. `created`: from spawn_opens_created. */
void spawn_opens_report(const void *actions, int child, unsigned created);
/* To be asked before the child is made: which of them will be new, one bit each. */
unsigned spawn_opens_created(const void *actions);

/* Registers what is needed to learn the exit code. */
void exit_begin(void);
/* The library is being unloaded, which happens at exit; only used where libc has no on_exit. */
void exit_unload(void);
/* Reports the end of this process, once: open descriptors' totals, then the exit. */
void exit_report(int code);

#endif
