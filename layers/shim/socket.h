/* Reports of sockets, and what is asked of them for that. */
#ifndef ALASTOR_SOCKET_H
#define ALASTOR_SOCKET_H

#include <sys/socket.h>
#include <sys/un.h>

#include "ring.h"
#include "table.h"

/* Numbers as in layers/capture/ring-decode.ts. */
enum family { FAMILY_UNIX = 1, FAMILY_4 = 4, FAMILY_6 = 6 };
enum protocol { PROTOCOL_TCP = 1, PROTOCOL_UDP = 2, PROTOCOL_UNIX = 3 };

/* An address as it goes into an event. `family` 0: not one of those reported. */
struct address {
    unsigned family, port;
    const char *at;
    uint32_t length;
};
struct address address_of(const void *name, size_t length);
/* SOCK_STREAM, SOCK_DGRAM, … or -1. */
int socket_type(int fd);
unsigned local_port(int fd);

void socket_report(int fd, const struct entry *e, uint64_t received, uint64_t sent);
/* For a socket we did not see being connected (inherited over exec): asks the kernel for the peer. */
void socket_report_unknown(int fd, uint64_t received, uint64_t sent);
/* A datagram came in; `name`: from whom, as the kernel filled it in. */
void socket_heard(int fd, const void *name, size_t length);
enum connect_how { CONNECT_STEERED = 1, CONNECT_TAPPED = 2, CONNECT_TEED = 4 };
void socket_report_connect(int fd, const void *peer, size_t length, int type, unsigned port, int how, int error);

#endif
