/*
 * Libraries. The dynamic loader opens them with system calls of its own, which no hook sees; what it has loaded stands in its
 * link map. Those of the system and of the function's own package are part of the program; one from elsewhere is reported.
 */
#define _GNU_SOURCE
#include <link.h>

#include "object.h"
#include "path.h"
#include "process.h"
#include "ring.h"
#include "sys.h"

static const char *const trees[] = {"/usr/", "/lib", "/opt/", "/var/task/", "/var/lang/", "/var/runtime/"};

static int of_system(const char *name) {
    for (unsigned i = 0; i < sizeof trees / sizeof *trees; i++) {
        size_t length = text_length(trees[i], 32);
        if (text_length(name, length) == length && same_bytes(name, trees[i], length)) return 1;
    }
    return 0;
}

struct walk {
    unsigned from, at;
};
static int note(struct dl_phdr_info *info, size_t size, void *data) {
    (void)size;
    struct walk *walk = data;
    const char *name = info->dlpi_name;
    if (walk->at++ < walk->from || !name || of_system(name)) return 0;
    int folder = 0;
    for (const char *at = name; *at; at++) folder |= *at == '/';
    if (!folder) return 0; /* the program itself, the vdso */
    if (object_holds(info, (const void *)&report_libraries)) return 0;
    emit_open(-1, AT_FDCWD, name, O_RDONLY, 0);
    return 0;
}

void report_libraries(void) {
    static unsigned known;
    if (!ring_is_mapped()) return;
    struct walk walk = {__atomic_load_n(&known, __ATOMIC_RELAXED), 0};
    dl_iterate_phdr(note, &walk);
    __atomic_store_n(&known, walk.at, __ATOMIC_RELAXED);
}
