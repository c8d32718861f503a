/*
 * The door for taps: code inside a process that sees what the shim cannot, such as HTTP under a TLS that lives in the
 * program's own binary. It writes to a descriptor number that no process has; that never becomes a system call, it goes
 * into the ring, in the one order of everything else. Without the shim such a write fails with EBADF, which tells the tap.
 *
 *   "P"      is anybody listening?
 *   "C"      the next TCP connection of this thread is observed by the tap: leave it alone    "c"  take that back
 *   "X…"     what was observed; layers/tap/message.ts has the form
 */
#ifndef ALASTOR_TAP_H
#define ALASTOR_TAP_H

#include <stddef.h>
#include <sys/types.h>

/* Above the most that the kernel lets a process have (fs/file.c, sysctl_nr_open_max). Same number in layers/tap/message.ts. */
#define TAP_DESCRIPTOR 0x7ffffffa

/* A write to that descriptor; answers as write() would. */
ssize_t tap_write(const void *from, size_t size);
/* 1 if the connection that this thread is about to make was announced; asked once for each. */
int tap_claims(void);

#endif
