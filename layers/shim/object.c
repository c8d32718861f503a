#include "object.h"

#include <elf.h>
#include <stddef.h>

#include "sys.h"

/* glibc has relocated the addresses in the dynamic section, musl (and the vdso) has not. */
static ElfW(Addr) address_in(const struct object *o, ElfW(Addr) at) { return at < o->base ? at + o->base : at; }

int object_holds(const struct dl_phdr_info *info, const void *address) {
    ElfW(Addr) at = (ElfW(Addr))address;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        ElfW(Addr) from = info->dlpi_addr + p->p_vaddr;
        if (p->p_type == PT_LOAD && at >= from && at < from + p->p_memsz) return 1;
    }
    return 0;
}

int object_read(const struct dl_phdr_info *info, struct object *out) {
    *out = (struct object){.base = info->dlpi_addr, .file = info->dlpi_name};
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_DYNAMIC)
            out->dynamic = (const ElfW(Dyn) *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
    if (!out->dynamic) return 0;
    for (const ElfW(Dyn) *d = out->dynamic; d->d_tag != DT_NULL; d++) {
        ElfW(Addr) at = address_in(out, d->d_un.d_ptr);
        if (d->d_tag == DT_SYMTAB) out->symbols = (const ElfW(Sym) *)at;
        if (d->d_tag == DT_STRTAB) out->strings = (const char *)at;
        if (d->d_tag == DT_VERSYM) out->versions = (const ElfW(Half) *)at;
        if (d->d_tag == DT_GNU_HASH) out->gnu_hash = (const uint32_t *)at;
        if (d->d_tag == DT_HASH) out->sysv_hash = (const uint32_t *)at;
    }
    return out->symbols && out->strings;
}

uint32_t object_hash(const char *name) {
    uint32_t hash = 5381;
    while (*name) hash = hash * 33 + (unsigned char)*name++;
    return hash;
}

static int same_text(const char *a, const char *b) {
    while (*a && *a == *b) a++, b++;
    return *a == *b;
}

static int fits(const struct object *o, uint32_t index, const char *name) {
    const ElfW(Sym) *s = &o->symbols[index];
    unsigned type = s->st_info & 15;
    if (s->st_shndx == SHN_UNDEF || !s->st_value || (type != STT_FUNC && type != STT_GNU_IFUNC && type != STT_NOTYPE)) return 0;
    if (o->versions && o->versions[index] & 0x8000) return 0; /* an old version, kept for old programs: not the default */
    return same_text(o->strings + s->st_name, name);
}

/* ELF specification; the GNU hash table as binutils writes it. */
static const ElfW(Sym) * find_symbol(const struct object *o, const char *name, uint32_t hash) {
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

void *object_find(const struct object *o, const char *name, uint32_t hash) {
    const ElfW(Sym) *s = find_symbol(o, name, hash);
    if (!s) return NULL;
    void *address = (void *)(o->base + s->st_value);
    return (s->st_info & 15) == STT_GNU_IFUNC ? ((void *(*)(void))address)() : address;
}

static int refers(const struct object *o, const ElfW(Rela) * from, size_t bytes, const char *const names[]) {
    for (const ElfW(Rela) *r = from; r < from + bytes / sizeof *r; r++) {
        if (!(r->r_info >> 32)) continue;
        const char *own = o->strings + o->symbols[r->r_info >> 32].st_name;
        for (const char *const *name = names; *name; name++)
            if (own[0] == (*name)[0] && same_text(own, *name)) return 1;
    }
    return 0;
}

int object_asks_for(const struct object *o, const char *const names[]) {
    const ElfW(Rela) *calls = NULL, *rest = NULL;
    size_t calls_bytes = 0, rest_bytes = 0;
    for (const ElfW(Dyn) *d = o->dynamic; d->d_tag != DT_NULL; d++) {
        if (d->d_tag == DT_PLTREL && d->d_un.d_val != DT_RELA) return 0;
        if (d->d_tag == DT_JMPREL) calls = (const ElfW(Rela) *)address_in(o, d->d_un.d_ptr);
        if (d->d_tag == DT_PLTRELSZ) calls_bytes = d->d_un.d_val;
        if (d->d_tag == DT_RELA) rest = (const ElfW(Rela) *)address_in(o, d->d_un.d_ptr);
        if (d->d_tag == DT_RELASZ) rest_bytes = d->d_un.d_val;
    }
    return (calls && refers(o, calls, calls_bytes, names)) || (rest && refers(o, rest, rest_bytes, names));
}

const char *object_name(const struct object *o) {
    for (const ElfW(Dyn) *d = o->dynamic; d->d_tag != DT_NULL; d++)
        if (d->d_tag == DT_SONAME) return o->strings + d->d_un.d_val;
    const char *name = o->file ? o->file : "";
    for (const char *at = name; *at; at++)
        if (*at == '/') name = at + 1;
    return name;
}

int object_needs(const struct object *o, const char *name) {
    for (const ElfW(Dyn) *d = o->dynamic; d->d_tag != DT_NULL; d++)
        if (d->d_tag == DT_NEEDED && same_text(o->strings + d->d_un.d_val, name)) return 1;
    return 0;
}
