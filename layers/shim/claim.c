#include "claim.h"

#include <fcntl.h>

#include "inject.h"
#include "libssl.h"
#include "place.h"
#include "ring.h"
#include "steer.h"
#include "sys.h"
#include "table.h"
#include "wire.h"

#define APIS_MOST 4
#define API_TEXT 64

static int http, runtime;
static struct place apis[APIS_MOST];
static unsigned api_count;
/* Our own proxy before the Runtime API, on 127.0.0.1: whoever is teed is led past it. Where to, the last of the APIs: of several
 * proxies the one that was put up last is the outermost. */
static struct place proxy;

static int has_word(const char *list, const char *word) {
    size_t length = text_length(word, 16);
    for (const char *at = list; at && *at;) {
        size_t n = 0;
        while (at[n] && at[n] != ',') n++;
        if (n == length && same_bytes(at, word, n)) return 1;
        at += n + (at[n] == ',');
    }
    return 0;
}

static void add_api(const char *text) {
    static const char name[] = "localhost:";
    struct place p;
    char numeric[API_TEXT] = "127.0.0.1:";
    size_t length = text_length(text, API_TEXT), at = sizeof name - 1;
    if (length > at && length < API_TEXT && same_bytes(text, name, at)) {
        __builtin_memcpy(numeric + at, text + at, length - at);
        text = numeric;
    }
    if (!place_parse(text, &p)) return;
    for (unsigned i = 0; i < api_count; i++)
        if (place_is(&apis[i], &p)) return;
    if (api_count < APIS_MOST) apis[api_count++] = p;
}

/*
 * Other extensions put proxies of their own before the Runtime API, in either order, by changing the variable on the way to the
 * runtime; and a child may be started without it. So the addresses are gathered, and handed on.
 */
static void gather_apis(char **env) {
    static const char variable[] = "AWS_LAMBDA_RUNTIME_API=", ours[] = "ALASTOR_RUNTIME_API";
    const char *list = inject_value(ours), *now = NULL;
    for (; *env; env++)
        if (text_length(*env, sizeof variable) >= sizeof variable - 1 && same_bytes(*env, variable, sizeof variable - 1))
            now = *env + sizeof variable - 1;
    for (const char *at = list; at && *at;) {
        add_api(at);
        while (*at && *at != ',') at++;
        at += *at == ',';
    }
    struct place there;
    if (now && place_parse(now, &there) && place_is(&proxy, &there)) now = NULL;
    unsigned known = api_count;
    if (now) add_api(now);
    size_t length = now ? text_length(now, API_TEXT) : 0, before = list ? text_length(list, APIS_MOST * API_TEXT) : 0;
    if (api_count == known || length == API_TEXT || before == APIS_MOST * API_TEXT) return;
    char joined[(APIS_MOST + 1) * API_TEXT + 2];
    if (before) {
        __builtin_memcpy(joined, list, before);
        joined[before++] = ',';
    }
    __builtin_memcpy(joined + before, now, length);
    inject_set(ours, joined, before + length);
}

void claim_begin(char **env) {
    const char *wanted = inject_value("ALASTOR_TEE");
    http = has_word(wanted, "http");
    runtime = has_word(wanted, "runtime");
    const char *port = inject_value("ALASTOR_RUNTIME_PORT");
    uint64_t number = port ? parse_number(port) : 0;
    if (!runtime) return;
    if (number && number < 65536) {
        static const unsigned char loopback[4] = {127, 0, 0, 1};
        __builtin_memcpy(proxy.address, place_mapped, 12);
        __builtin_memcpy(proxy.address + 12, loopback, 4);
        proxy.port = (unsigned)number;
    }
    gather_apis(env);
}

int claim_past_proxy(const struct sockaddr *peer, socklen_t length, struct sockaddr_in *out) {
    struct place to;
    if (LIKELY(!proxy.port) || !api_count || length != sizeof *out || !place_of(peer, length, &to) || !place_is(&proxy, &to)) return 0;
    const struct place *api = &apis[api_count - 1];
    if (peer->sa_family != AF_INET || !same_bytes(api->address, place_mapped, 12)) return 0;
    *out = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = __builtin_bswap16((uint16_t)api->port)};
    __builtin_memcpy(&out->sin_addr, api->address + 12, 4);
    return 1;
}

enum claim claim_of(int fd, const struct sockaddr *peer, socklen_t length, int tapped, const void *caller) {
    struct place to;
    if (LIKELY(!http && !runtime) || !entry_of(fd) || !place_of(peer, length, &to)) return CLAIM_NONE;
    for (unsigned i = 0; i < api_count; i++)
        if (place_is(&apis[i], &to)) return CLAIM_RUNTIME;
    if (!http || tapped || !place_wanted(&to) || ring_is_unread()) return CLAIM_NONE;
    int plain = place_is_plain(&to), speaks = libssl_speaks(caller);
    if (!plain) return speaks && !wire_unreadable() ? CLAIM_HTTP : CLAIM_NONE;
    /* A socket that is left open over exec may be made for another program to use (a shell's /dev/tcp), of which the tee sees
     * nothing; the proxy does. */
    int kept = !(RAW3(SYS_fcntl, fd, F_GETFD, 0) & FD_CLOEXEC);
    return kept && !speaks && steer_can() ? CLAIM_NONE : CLAIM_HTTP;
}
