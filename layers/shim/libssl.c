#include "real.h"

#include "libssl.h"
#include "object.h"
#include "self.h"
#include "sys.h"

#define DEFINERS 8
#define CALLERS 16

static const struct {
    const char *name;
    uint32_t offset;
} functions[] = {
#define X(result, name, parameters) {#name, offsetof(struct libssl, name)},
    SSL_REALS(X)
#undef X
};
static const char *const speaking[] = {"SSL_write", "SSL_write_ex", "SSL_read", "SSL_read_ex", NULL};
/* GnuTLS, which may be in one process with a libssl that something else has drawn in. */
static const char *const other_tls[] = {"gnutls_record_send", "gnutls_handshake", NULL};

/* What of the address space an object takes. */
struct range {
    const char *from, *to;
};
/* Who has called, and what it means by SSL_*. Slots are filled once: a reader may be in the middle of one. */
static struct caller {
    int ready;
    ElfW(Addr) base, library; /* of the calling object, of the one called */
    struct range range;
    struct libssl means;
} callers[CALLERS];
static unsigned callers_taken;

struct definers {
    struct object of[DEFINERS];
    struct range range[DEFINERS];
    unsigned count;
    int program; /* the program itself defines them: then nobody's calls come to us */
};
struct walk {
    const void *caller;
    struct definers *definers;
    struct object calling;
    struct range range;
    unsigned at;
    int found, speaks;
};

static struct range range_of(const struct dl_phdr_info *info) {
    struct range all = {NULL, NULL};
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        if (p->p_type != PT_LOAD) continue;
        const char *from = (const char *)(info->dlpi_addr + p->p_vaddr), *to = from + p->p_memsz;
        if (!all.from || from < all.from) all.from = from;
        if (to > all.to) all.to = to;
    }
    return all;
}

static int defines(const struct object *o) {
    static uint32_t hash;
    if (!hash) hash = object_hash("SSL_write");
    return object_find(o, "SSL_write", hash) != NULL;
}

/* Collects the libraries that define SSL_write, and the caller's object. */
static int note(struct dl_phdr_info *info, size_t size, void *data) {
    (void)size;
    struct walk *walk = data;
    struct object o;
    int first = walk->at++ == 0;
    if (object_holds(info, (const void *)&libssl_of) || !object_read(info, &o)) return 0;
    if (!walk->found && object_holds(info, walk->caller)) {
        walk->found = 1;
        walk->calling = o;
        walk->range = range_of(info);
    }
    if (!defines(&o)) return 0;
    if (first) walk->definers->program = 1;
    if (walk->definers->count == DEFINERS) return 0;
    walk->definers->range[walk->definers->count] = range_of(info);
    walk->definers->of[walk->definers->count++] = o;
    return 0;
}

/* Is there an object that the caller was linked against and that was linked against `library`? */
struct between {
    const struct object *caller, *library;
};
static int links(struct dl_phdr_info *info, size_t size, void *data) {
    (void)size;
    struct between *between = data;
    struct object o;
    return object_read(info, &o) && object_needs(between->caller, object_name(&o)) &&
           object_needs(&o, object_name(between->library));
}

static const struct object *linked_to(const struct object *caller, const struct definers *definers) {
    const struct object *of = definers->of;
    for (unsigned i = 0; i < definers->count; i++)
        if (of[i].base == caller->base) return &of[i];
    for (unsigned i = 0; i < definers->count; i++)
        if (object_needs(caller, object_name(&of[i]))) return &of[i];
    for (unsigned i = 0; i < definers->count; i++) {
        struct between between = {caller, &of[i]};
        if (dl_iterate_phdr(links, &between)) return &of[i];
    }
    return NULL;
}

/* All of them keep the tables of their methods, which are theirs alone, within the first words of SSL and SSL_CTX. */
#define METHOD_WITHIN 6u
static const struct object *maker_of(const void *made, const struct definers *definers) {
    const char *const *words = made;
    for (unsigned w = 0; made && w < METHOD_WITHIN; w++)
        for (unsigned i = 0; i < definers->count; i++)
            if (words[w] >= definers->range[i].from && words[w] < definers->range[i].to) return &definers->of[i];
    return NULL;
}

static SLOW const struct libssl *resolve(const void *caller, const void *made, struct libssl *room) {
    struct definers definers = {.count = 0};
    struct walk walk = {.caller = caller, .definers = &definers};
    dl_iterate_phdr(note, &walk);
    if (!definers.count) return NULL;
    const struct object *linked = walk.found ? linked_to(&walk.calling, &definers) : NULL, *library = linked;
    /* The return address may be that of the caller's caller: a function that does nothing more calls by a jump. */
    if (!library && definers.count > 1) library = maker_of(made, &definers);
    if (!library) library = &definers.of[0];
    for (unsigned i = 0; i < sizeof functions / sizeof *functions; i++)
        *(void **)((char *)room + functions[i].offset) =
            object_find(library, functions[i].name, object_hash(functions[i].name));
    room->inside = walk.found && walk.calling.base == library->base;
    /*
     * Kept only for who is linked to it. Anything else is a guess, made of this very object and of what is loaded now, and may
     * be another one at the next call. It costs a walk over the loaded objects, as for callers beyond those that have room here.
     */
    if (!linked || __atomic_load_n(&callers_taken, __ATOMIC_RELAXED) >= CALLERS) return room;
    unsigned slot = __atomic_fetch_add(&callers_taken, 1, __ATOMIC_RELAXED);
    if (slot >= CALLERS) return room;
    callers[slot] = (struct caller){0, walk.calling.base, library->base, walk.range, *room};
    __atomic_store_n(&callers[slot].ready, 1, __ATOMIC_RELEASE);
    return room;
}

const struct libssl *libssl_of(const void *caller, const void *made, struct libssl *room) {
    for (unsigned i = 0; i < CALLERS; i++) {
        const struct caller *c = &callers[i];
        if (!__atomic_load_n(&c->ready, __ATOMIC_ACQUIRE)) continue;
        if ((const char *)caller >= c->range.from && (const char *)caller < c->range.to) return &c->means;
    }
    return resolve(caller, made, room);
}

/* An object may be gone after dlclose, and another one come where it was. */
struct gone {
    int caller[CALLERS], library[CALLERS];
};
static int still_there(struct dl_phdr_info *info, size_t size, void *data) {
    (void)size;
    struct gone *gone = data;
    for (unsigned i = 0; i < CALLERS; i++) {
        if (callers[i].base == info->dlpi_addr) gone->caller[i] = 0;
        if (callers[i].library == info->dlpi_addr) gone->library[i] = 0;
    }
    return 0;
}
HOOK int dlclose(void *handle) {
    shim_ready();
    if (!real.dlclose) real_resolve(); /* before glibc 2.34 it lives in libdl, which may have been loaded since */
    if (!real.dlclose) return -1;
    int result = real.dlclose(handle);
    if (LIKELY(!__atomic_load_n(&callers_taken, __ATOMIC_RELAXED))) return result;
    struct gone gone;
    for (unsigned i = 0; i < CALLERS; i++) gone.caller[i] = gone.library[i] = 1;
    dl_iterate_phdr(still_there, &gone);
    for (unsigned i = 0; i < CALLERS; i++)
        if (gone.caller[i] || gone.library[i]) __atomic_store_n(&callers[i].ready, 0, __ATOMIC_RELEASE);
    return result;
}

static int note_speaker(struct dl_phdr_info *info, size_t size, void *data) {
    (void)size;
    struct walk *walk = data;
    struct object o;
    if (object_holds(info, (const void *)&libssl_of) || !object_read(info, &o)) return 0;
    for (unsigned i = 0; i < walk->definers->count && !walk->speaks; i++) {
        const struct object *library = &walk->definers->of[i];
        if (o.base != library->base && object_needs(&o, object_name(library)) && object_asks_for(&o, speaking)) walk->speaks = 1;
    }
    return 0;
}

static int note_count(struct dl_phdr_info *info, size_t size, void *data) {
    if (size >= offsetof(struct dl_phdr_info, dlpi_subs)) *(uint64_t *)data = info->dlpi_adds;
    return 1;
}

int libssl_speaks(const void *caller) {
    static uint64_t known; /* how many objects there were when it was last looked up, and what came of it, in one word */
    uint64_t now = 0, last = __atomic_load_n(&known, __ATOMIC_RELAXED);
    dl_iterate_phdr(note_count, &now);
    if (!now || last >> 1 != now) {
        struct definers definers = {.count = 0};
        struct walk walk = {.caller = NULL, .definers = &definers};
        dl_iterate_phdr(note, &walk);
        if (definers.count && !definers.program) dl_iterate_phdr(note_speaker, &walk);
        last = now << 1 | (uint64_t)walk.speaks;
        __atomic_store_n(&known, last, __ATOMIC_RELAXED);
    }
    if (!(last & 1)) return 0;
    struct definers unused = {.count = DEFINERS};
    struct walk walk = {.caller = caller, .definers = &unused};
    dl_iterate_phdr(note, &walk);
    return !walk.found || object_asks_for(&walk.calling, speaking) || !object_asks_for(&walk.calling, other_tls);
}
