#include "real.h"

#include <elf.h>
#include <errno.h>
#include <link.h>

#include "sys.h"

struct reals real;

static const struct {
    const char *name;
    uint32_t offset;
} wanted[] = {
#define X(name) {#name, offsetof(struct reals, name)},
    REALS(X)
#undef X
};

/* The parts of a loaded object that a symbol lookup needs. ELF specification; the GNU hash table as binutils writes it. */
struct object {
    ElfW(Addr) base;
    const ElfW(Sym) * symbols;
    const char *strings;
    const ElfW(Half) * versions;
    const uint32_t *gnu_hash, *sysv_hash;
};
struct search {
    struct object behind[64];
    unsigned count;
    int passed_us;
};

static uint32_t hash_of(const char *name) {
    uint32_t hash = 5381;
    while (*name) hash = hash * 33 + (unsigned char)*name++;
    return hash;
}

static int fits(const struct object *o, uint32_t index, const char *name) {
    const ElfW(Sym) *s = &o->symbols[index];
    unsigned type = s->st_info & 15;
    if (s->st_shndx == SHN_UNDEF || !s->st_value || (type != STT_FUNC && type != STT_GNU_IFUNC && type != STT_NOTYPE)) return 0;
    if (o->versions && o->versions[index] & 0x8000) return 0; /* an old version, kept for old programs: not the default */
    const char *own = o->strings + s->st_name;
    while (*own && *own == *name) own++, name++;
    return *own == *name;
}

static const ElfW(Sym) * find_in(const struct object *o, const char *name, uint32_t hash) {
    if (o->gnu_hash) {
        const uint32_t buckets = o->gnu_hash[0], first = o->gnu_hash[1], words = o->gnu_hash[2], shift = o->gnu_hash[3];
        const ElfW(Addr) *bloom = (const ElfW(Addr) *)(o->gnu_hash + 4);
        const uint32_t *bucket = (const uint32_t *)(bloom + words), *chain = bucket + buckets;
        const unsigned bits = 8 * sizeof(ElfW(Addr));
        if (!buckets || !words) return NULL;
        ElfW(Addr) mask = (ElfW(Addr))1 << (hash % bits) | (ElfW(Addr))1 << ((hash >> shift) % bits);
        if ((bloom[(hash / bits) % words] & mask) != mask) return NULL;
        uint32_t i = bucket[hash % buckets];
        if (i < first) return NULL;
        for (;; i++) {
            uint32_t other = chain[i - first];
            if ((other | 1) == (hash | 1) && fits(o, i, name)) return &o->symbols[i];
            if (other & 1) return NULL;
        }
    }
    if (o->sysv_hash)
        for (uint32_t i = 1; i < o->sysv_hash[1]; i++)
            if (fits(o, i, name)) return &o->symbols[i];
    return NULL;
}

static int note_object(struct dl_phdr_info *info, size_t size, void *data) {
    (void)size;
    struct search *search = data;
    const ElfW(Dyn) *dynamic = NULL;
    int ours = 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        ElfW(Addr) from = info->dlpi_addr + p->p_vaddr, us = (ElfW(Addr))&real_resolve;
        if (p->p_type == PT_DYNAMIC) dynamic = (const ElfW(Dyn) *)from;
        if (p->p_type == PT_LOAD && us >= from && us < from + p->p_memsz) ours = 1;
    }
    if (ours) {
        search->passed_us = 1;
        return 0;
    }
    if (!search->passed_us || !dynamic || search->count == sizeof search->behind / sizeof *search->behind) return 0;
    struct object o = {.base = info->dlpi_addr};
    for (; dynamic->d_tag != DT_NULL; dynamic++) {
        /* glibc has relocated these addresses, musl (and the vdso) has not. */
        ElfW(Addr) at = dynamic->d_un.d_ptr;
        if (at < o.base) at += o.base;
        if (dynamic->d_tag == DT_SYMTAB) o.symbols = (const ElfW(Sym) *)at;
        if (dynamic->d_tag == DT_STRTAB) o.strings = (const char *)at;
        if (dynamic->d_tag == DT_VERSYM) o.versions = (const ElfW(Half) *)at;
        if (dynamic->d_tag == DT_GNU_HASH) o.gnu_hash = (const uint32_t *)at;
        if (dynamic->d_tag == DT_HASH) o.sysv_hash = (const uint32_t *)at;
    }
    if (o.symbols && o.strings) search->behind[search->count++] = o;
    return 0;
}

void real_resolve(void) {
    struct search search = {.count = 0, .passed_us = 0};
    dl_iterate_phdr(note_object, &search);
    for (unsigned i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        uint32_t hash = hash_of(wanted[i].name);
        for (unsigned k = 0; k < search.count; k++) {
            const struct object *o = &search.behind[k];
            const ElfW(Sym) *s = find_in(o, wanted[i].name, hash);
            if (!s) continue;
            void *address = (void *)(o->base + s->st_value);
            if ((s->st_info & 15) == STT_GNU_IFUNC) address = ((void *(*)(void))address)();
            *(void **)((char *)&real + wanted[i].offset) = address;
            break;
        }
    }
}

long as_libc(long answer) {
    if (answer < 0 && answer > -4096) {
        errno = (int)-answer;
        return -1;
    }
    return answer;
}

size_t print_number(char *out, uint64_t value) {
    char digits[20];
    size_t n = 0;
    do digits[n++] = (char)('0' + value % 10);
    while (value /= 10);
    for (size_t i = 0; i < n; i++) out[i] = digits[n - 1 - i];
    out[n] = 0;
    return n;
}
