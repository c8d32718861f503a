#define _GNU_SOURCE
#include "inject.h"

#include <link.h>
#include <sys/mman.h>

#include "ring.h"
#include "sys.h"

#define STACK_MOST 32768u

/* `forced`: set whatever the application says, else a child could be sent to another ring. The rest is its own business
 * when it is set at all: a program that brings its own certificates keeps them. */
static struct variable {
    const char *name;
    int forced;
    char *line; /* NAME=value */
    size_t name_length;
} variables[] = {
    {"ALASTOR_RING", 1, 0, 0},        {"ALASTOR_PROXY_PORT", 1, 0, 0}, {"ALASTOR_STEER", 1, 0, 0},  {"NODE_EXTRA_CA_CERTS", 0, 0, 0},
    {"ALASTOR_TEE", 1, 0, 0},         {"ALASTOR_RUNTIME_API", 1, 0, 0}, {"ALASTOR_RUNTIME_PORT", 1, 0, 0},
    {"SSL_CERT_FILE", 0, 0, 0},       {"REQUESTS_CA_BUNDLE", 0, 0, 0}, {"AWS_CA_BUNDLE", 0, 0, 0},  {"CURL_CA_BUNDLE", 0, 0, 0},
};
#define VARIABLES (sizeof variables / sizeof *variables)

static char pool[16384];
static size_t pool_used;
static const char preload[] = "LD_PRELOAD=";
#define PRELOAD_NAME (sizeof preload - 1)
/* "LD_PRELOAD=<our path>" */
static char *our_preload;
static size_t our_preload_length;

static char *keep(const char *text, size_t length) {
    if (pool_used + length + 1 > sizeof pool) return NULL;
    char *kept = pool + pool_used;
    __builtin_memcpy(kept, text, length);
    kept[length] = 0;
    pool_used += length + 1;
    return kept;
}

static int is_named(const char *line, const char *name, size_t length) {
    for (size_t i = 0; i < length; i++)
        if (line[i] != name[i]) return 0;
    return line[length] == '=';
}

/* The path under which the dynamic linker loaded us. */
static int note_own_path(struct dl_phdr_info *info, size_t size, void *data) {
    (void)size;
    (void)data;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        ElfW(Addr) from = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr, us = (ElfW(Addr))&inject_remember;
        if (info->dlpi_phdr[i].p_type != PT_LOAD || us < from || us >= from + info->dlpi_phdr[i].p_memsz) continue;
        size_t length = text_length(info->dlpi_name, TEXT_MAX);
        char *line = keep(preload, PRELOAD_NAME);
        if (!line) return 1;
        pool_used--;
        if (!keep(info->dlpi_name, length)) return 1;
        our_preload = line;
        our_preload_length = PRELOAD_NAME + length;
        return 1;
    }
    return 0;
}

int inject_remember(char **env) {
    dl_iterate_phdr(note_own_path, NULL);
    for (size_t i = 0; i < VARIABLES; i++) variables[i].name_length = text_length(variables[i].name, 64);
    for (; *env; env++)
        for (size_t i = 0; i < VARIABLES; i++)
            if (!variables[i].line && is_named(*env, variables[i].name, variables[i].name_length))
                variables[i].line = keep(*env, text_length(*env, TEXT_MAX));
    return variables[0].line ? 0 : -1;
}

const char *inject_value(const char *name) {
    for (size_t i = 0; i < VARIABLES; i++)
        if (variables[i].line && is_named(variables[i].line, name, text_length(name, 64)))
            return variables[i].line + variables[i].name_length + 1;
    return NULL;
}

void inject_set(const char *name, const char *value, size_t length) {
    for (size_t i = 0; i < VARIABLES; i++) {
        size_t n = variables[i].name_length;
        if (text_length(name, 64) != n || !same_bytes(name, variables[i].name, n) || pool_used + n + 1 + length + 1 > sizeof pool)
            continue;
        char *line = pool + pool_used;
        __builtin_memcpy(line, name, n);
        line[n] = '=';
        __builtin_memcpy(line + n + 1, value, length);
        line[n + 1 + length] = 0;
        pool_used += n + 1 + length + 1;
        variables[i].line = line;
    }
}

const char *inject_ring_path(void) { return inject_value("ALASTOR_RING"); }

/* LD_PRELOAD is a list separated by colons or blanks (ld.so(8)). */
static int loads_us(const char *line) {
    const char *ours = our_preload + PRELOAD_NAME;
    size_t length = our_preload_length - PRELOAD_NAME;
    for (const char *at = line + PRELOAD_NAME; *at;) {
        size_t n = 0;
        while (at[n] && at[n] != ':' && at[n] != ' ') n++;
        if (n == length && same_bytes(at, ours, n)) return 1;
        at += n;
        if (*at) at++;
    }
    return 0;
}

static int same_line(const char *a, const char *b) {
    while (*a && *a == *b) a++, b++;
    return *a == *b;
}

struct injection inject_measure(char *const env[]) {
    struct injection needs = {0, 0, 0};
    if (!ring_is_mapped() || !our_preload) return needs;
    static char *const nothing[] = {NULL};
    if (!env) env = nothing;
    unsigned present = 0, preloaded = 0, change = 0;
    size_t count = 0;
    for (; env[count]; count++) {
        const char *line = env[count];
        if (is_named(line, "LD_PRELOAD", PRELOAD_NAME - 1)) {
            preloaded = 1;
            if (loads_us(line)) continue;
            change = 1;
            size_t text = our_preload_length + 1 + text_length(line, 1u << 20) + 1;
            if (text > needs.text) needs.text = text;
            continue;
        }
        for (size_t i = 0; i < VARIABLES; i++) {
            if (!variables[i].line || line[0] != variables[i].name[0]) continue;
            if (!is_named(line, variables[i].name, variables[i].name_length)) continue;
            present |= 1u << i;
            if (variables[i].forced && !same_line(line, variables[i].line)) change = 1;
        }
    }
    for (size_t i = 0; i < VARIABLES; i++)
        if (variables[i].line && !(present & 1u << i)) change = 1;
    if (!change && preloaded) return needs;
    needs.entries = count + 1 + VARIABLES + 1;
    needs.map = needs.entries * sizeof(char *) + needs.text > STACK_MOST;
    return needs;
}

char **inject_build(char *const env[], struct injection needs, char **array, char *text) {
    static char *const nothing[] = {NULL};
    if (!env) env = nothing;
    unsigned present = 0, preloaded = 0;
    size_t used = 0;
    for (size_t k = 0; env[k] && used + VARIABLES + 2 < needs.entries; k++) {
        char *line = env[k];
        if (is_named(line, "LD_PRELOAD", PRELOAD_NAME - 1)) {
            if (preloaded) continue; /* a second one would be ignored, or would win: either way ours must stand */
            preloaded = 1;
            if (!loads_us(line)) {
                size_t theirs = text_length(line + PRELOAD_NAME, 1u << 20), at = our_preload_length;
                __builtin_memcpy(text, our_preload, at);
                if (theirs && at + 1 + theirs + 1 <= needs.text) {
                    text[at++] = ':';
                    __builtin_memcpy(text + at, line + PRELOAD_NAME, theirs);
                    at += theirs;
                }
                text[at] = 0;
                line = text;
            }
        } else {
            for (size_t i = 0; i < VARIABLES; i++) {
                if (!variables[i].line || !is_named(line, variables[i].name, variables[i].name_length)) continue;
                present |= 1u << i;
                if (variables[i].forced) line = variables[i].line;
            }
        }
        array[used++] = line;
    }
    if (!preloaded) array[used++] = our_preload;
    for (size_t i = 0; i < VARIABLES; i++)
        if (variables[i].line && !(present & 1u << i)) array[used++] = variables[i].line;
    array[used] = NULL;
    return array;
}

SLOW char *inject_mapped(size_t bytes) {
    long at = RAW6(SYS_mmap, 0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return at < 0 && at > -4096 ? NULL : (char *)at;
}
