/* Carries the shim into every program that this process starts, also one that is given an empty environment. */
#ifndef ALASTOR_INJECT_H
#define ALASTOR_INJECT_H

#include <stddef.h>

/* Remembers our variables at load: programs overwrite or clear their environment later. -1: ALASTOR_RING is not set. */
int inject_remember(char **env);
const char *inject_ring_path(void);
/* The value remembered for `name`, or NULL. */
const char *inject_value(const char *name);
/* Another value for a variable of ours; programs started from here on get it. */
void inject_set(const char *name, const char *value, size_t length);

/* What adding our variables to an environment takes. */
struct injection {
    size_t entries; /* of the new array, closing NULL included; 0: the environment can be used as it is */
    size_t text;    /* bytes for a joined LD_PRELOAD */
    int map;        /* too much for a stack: the caller's memory comes from mmap */
};
struct injection inject_measure(char *const env[]);
char **inject_build(char *const env[], struct injection needs, char **array, char *text);

/*
 * Sets `out` to `env` with ours in it. On the caller's stack, so that it works between vfork and exec, where malloc is
 * forbidden; an environment too large for that goes to mapped memory, which an exec releases by itself.
 */
#define INJECT(env, out)                                                                                                       \
    char **out = (char **)(env);                                                                                               \
    do {                                                                                                                       \
        struct injection inject_needs = inject_measure((char *const *)(env));                                                  \
        if (inject_needs.entries) {                                                                                            \
            size_t inject_bytes = inject_needs.entries * sizeof(char *);                                                       \
            char *inject_room = inject_needs.map ? inject_mapped(inject_bytes + inject_needs.text)                             \
                                                 : __builtin_alloca(inject_bytes + inject_needs.text);                         \
            if (inject_room)                                                                                                   \
                out = inject_build((char *const *)(env), inject_needs, (char **)inject_room, inject_room + inject_bytes);      \
        }                                                                                                                      \
    } while (0)
char *inject_mapped(size_t bytes);

#endif
