/* Who is reporting: the identity of this process, kept right over fork, vfork and clone; and the one-time start-up. */
#ifndef ALASTOR_SELF_H
#define ALASTOR_SELF_H

#include <stdint.h>

struct identity {
    uint32_t pid;
    uint32_t n; /* events so far, per process image; the recorder looks for holes */
    uint64_t start;
};

extern int shim_state; /* 0 not begun, 1 beginning, 2 ready */
void shim_begin(void);
/* Every hook starts with this. Hooks may run before our constructor: other libraries have constructors too. */
static inline void shim_ready(void) {
    if (__builtin_expect(shim_state != 2, 0)) shim_begin();
}

/* Of the process that is really running: a child of vfork has its own although it shares our memory. */
struct identity *self_identity(void);

/* Depth of vfork on this thread. The child shares the parent's memory *and* this variable; the parent's thread sleeps. */
extern __thread int vfork_depth __attribute__((tls_model("initial-exec")));
/* In a vfork child nothing may be written to the tables: they are the parent's. */
static inline int borrowed(void) { return __builtin_expect(vfork_depth != 0, 0); }
void vfork_begin(void);
long vfork_end(long answer);

/* Of a child that lives or has not been waited for. 0, or -1 if there is none. */
int identity_of_child(uint32_t pid, struct identity *out);

/* After any kind of fork, in the child: new identity, counters to zero, `process-start`. */
void self_forked(void);

#endif
