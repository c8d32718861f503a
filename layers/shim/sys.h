/*
 * Raw system calls. The shim's own work must not pass through libc: libc's functions are the ones it hooks, they may take
 * locks (fatal in a child of vfork or in a signal handler) and they set errno, which belongs to the application.
 * Every function returns the kernel's answer: negative errno on failure.
 */
#ifndef ALASTOR_SYS_H
#define ALASTOR_SYS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
/* A function that replaces libc's of the same name; everything else stays hidden. */
#define HOOK __attribute__((visibility("default")))
/* Slow paths with large buffers: kept out of line, so that the fast path does not pay for their stack. */
#define SLOW __attribute__((noinline, cold))

#if defined(__x86_64__)
static inline long raw6(long n, long a, long b, long c, long d, long e, long f) {
    long result;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    __asm__ volatile("syscall" : "=a"(result) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
    return result;
}
#elif defined(__aarch64__)
static inline long raw6(long n, long a, long b, long c, long d, long e, long f) {
    register long x8 __asm__("x8") = n;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
    return x0;
}
#else
#error "Alastor's shim knows x86-64 and arm64, the two architectures of AWS Lambda"
#endif

#define RAW(n, ...) RAW_PICK(__VA_ARGS__, 6, 5, 4, 3, 2, 1)(n, __VA_ARGS__)
#define RAW_PICK(a, b, c, d, e, f, count, ...) RAW_JOIN(count)
#define RAW_JOIN(count) RAW##count
#define RAW1(n, a) raw6(n, (long)(a), 0, 0, 0, 0, 0)
#define RAW2(n, a, b) raw6(n, (long)(a), (long)(b), 0, 0, 0, 0)
#define RAW3(n, a, b, c) raw6(n, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define RAW4(n, a, b, c, d) raw6(n, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define RAW5(n, a, b, c, d, e) raw6(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)
#define RAW6(n, a, b, c, d, e, f) raw6(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

/* Turns a kernel answer into libc's convention: -1 and errno. */
long as_libc(long answer);

static inline size_t text_length(const char *s, size_t most) {
    size_t n = 0;
    while (n < most && s[n]) n++;
    return n;
}

static inline int same_bytes(const void *a, const void *b, size_t n) {
    return __builtin_memcmp(a, b, n) == 0;
}

/* Decimal digits at the start of `s`; stops at anything else. */
static inline uint64_t parse_number(const char *s) {
    uint64_t value = 0;
    while (*s >= '0' && *s <= '9') value = value * 10 + (uint64_t)(*s++ - '0');
    return value;
}

/* Writes `value` in decimal with a closing NUL; `out` needs 21 bytes. Returns the length. */
size_t print_number(char *out, uint64_t value);

#endif
