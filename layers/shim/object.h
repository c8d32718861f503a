/* Loaded objects, read the way the dynamic linker does: what they define, what they ask for, what they need. No lock, no memory. */
#ifndef ALASTOR_OBJECT_H
#define ALASTOR_OBJECT_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <link.h>
#include <stdint.h>

struct object {
    ElfW(Addr) base;
    const char *file;
    const ElfW(Dyn) * dynamic;
    const ElfW(Sym) * symbols;
    const char *strings;
    const ElfW(Half) * versions;
    const uint32_t *gnu_hash, *sysv_hash;
};

/* 1 if `address` lies in one of its segments. */
int object_holds(const struct dl_phdr_info *info, const void *address);
/* 0 if it has no symbols to look at. */
int object_read(const struct dl_phdr_info *info, struct object *out);
uint32_t object_hash(const char *name);
/* The function `name` as it defines it, with the hash of the name; NULL if it does not. */
void *object_find(const struct object *o, const char *name, uint32_t hash);
/* 1 if its code refers to one of `names` (ending with NULL) through the dynamic linker. */
int object_asks_for(const struct object *o, const char *const names[]);
/* The name under which others need it: what it calls itself, or its file. */
const char *object_name(const struct object *o);
/* 1 if it was linked against the object of that name. */
int object_needs(const struct object *o, const char *name);

#endif
