/* Leads TCP connections to other machines through the network proxy of the instance. */
#ifndef ALASTOR_STEER_H
#define ALASTOR_STEER_H

#include <sys/socket.h>

/* `port`: where the proxy listens on 127.0.0.1; NULL: never steer. */
void steer_begin(const char *port);
int steer_can(void);
/*
 * 1: the connection was dealt with and `result` is what connect() shall answer. 0: connect as if there were no proxy.
 * Takes nothing from the application when the proxy is gone: then the real peer is connected to instead.
 */
int steer(int fd, const struct sockaddr *peer, socklen_t length, int *result);

#endif
