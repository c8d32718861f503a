#include "tap.h"

#include <errno.h>

#include "ring.h"
#include "self.h"
#include "sys.h"

/* An observation takes as many events as it needs; beyond this it is refused, and the tap has to make do with less. */
#define MESSAGE_MOST (4u << 20)
#define PART 4000u

static __thread int announced __attribute__((tls_model("initial-exec")));
static uint32_t messages;

static ssize_t refuse(int error) {
    errno = error;
    return -1;
}

static void send_message(const char *from, uint32_t size) {
    uint32_t id = __atomic_fetch_add(&messages, 1, __ATOMIC_RELAXED);
    for (uint32_t at = 0; at < size; at += 2 * PART) {
        uint32_t left = size - at, first = left < PART ? left : PART, second = left - first < PART ? left - first : PART;
        struct piece parts[2] = {piece_of(from + at, first), piece_of(from + at + first, second)};
        emit(EV_TAP, id, at, size, 0, parts, second ? 2 : 1);
    }
}

ssize_t tap_write(const void *from, size_t size) {
    const char *text = from;
    if (!ring_is_mapped() || borrowed()) return refuse(EBADF);
    if (!size) return 0;
    if (size > MESSAGE_MOST) return refuse(EMSGSIZE);
    if (*text == 'C' || *text == 'c') announced = *text == 'C';
    else if (*text == 'X') send_message(text + 1, (uint32_t)size - 1);
    return (ssize_t)size;
}

int tap_claims(void) {
    if (LIKELY(!announced)) return 0;
    announced = 0;
    return 1;
}
