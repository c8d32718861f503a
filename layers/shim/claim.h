/*
 * Which connections are teed (wire.h) rather than led to the network proxy. ALASTOR_TEE names what is wanted of it, as a list:
 *
 *   http      plain HTTP (port 80, and the places that ALASTOR_STEER marks `/http`), and everything that a process connects to
 *             while it does TLS through a libssl that our hooks stand before
 *   runtime   the conversation with the Runtime API, at ALASTOR_RUNTIME_API and wherever AWS_LAMBDA_RUNTIME_API has pointed since
 *
 * A program that we cannot see must still be seen by the proxy before the Runtime API, on port ALASTOR_RUNTIME_PORT. So that is
 * where AWS_LAMBDA_RUNTIME_API leads, and who is teed is led past it.
 */
#ifndef ALASTOR_CLAIM_H
#define ALASTOR_CLAIM_H

#include <netinet/in.h>

enum claim { CLAIM_NONE = 0, CLAIM_HTTP, CLAIM_RUNTIME };

/* Once ours are remembered; `env`: as the program was started. */
void claim_begin(char **env);
/* To be asked of a TCP socket before it connects. `tapped`: a tap in the process has announced it. `caller`: the code that connects. */
enum claim claim_of(int fd, const struct sockaddr *peer, socklen_t length, int tapped, const void *caller);

/* 1: `peer` is that proxy, and `out` the Runtime API behind it. */
int claim_past_proxy(const struct sockaddr *peer, socklen_t length, struct sockaddr_in *out);

#endif
