/*
 * Which connections are teed (wire.h) rather than led to the network proxy. ALASTOR_TEE names what is wanted of it, as a list:
 *
 *   http      plain HTTP (port 80, and the places that ALASTOR_STEER marks `/http`), and everything that a process connects to
 *             while it does TLS through a libssl that our hooks stand before
 *   runtime   the conversation with the Runtime API, wherever AWS_LAMBDA_RUNTIME_API has pointed since the runtime began
 */
#ifndef ALASTOR_CLAIM_H
#define ALASTOR_CLAIM_H

#include <sys/socket.h>

enum claim { CLAIM_NONE = 0, CLAIM_HTTP, CLAIM_RUNTIME };

/* Once ours are remembered; `env`: as the program was started. */
void claim_begin(char **env);
/* To be asked of a TCP socket before it connects. `tapped`: a tap in the process has announced it. `caller`: the code that connects. */
enum claim claim_of(int fd, const struct sockaddr *peer, socklen_t length, int tapped, const void *caller);

#endif
