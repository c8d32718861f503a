/*
 * The tee: what moves over some TCP connections goes into the ring too, as plaintext, so that HTTP is seen without a proxy in
 * between. Which connections: layers/shim/claim.h. A connection has one of a fixed number of slots; descriptors (table.h) and
 * SSL objects (tls.c) hold its tag.
 *
 * Bytes are told once the call that moved them has returned, in the calling thread: before the application can act on what it
 * received. A connection that begins TLS goes silent, but for its ClientHello; from there on libssl's plaintext is told.
 */
#ifndef ALASTOR_WIRE_H
#define ALASTOR_WIRE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum direction { SENT = 0, RECEIVED = 1 };

/* A slot for a connection that is about to be made, as a tag that is never 0; 0: none is free. */
uint32_t wire_reserve(void);
void wire_cancel(uint32_t tag);
/* It has been made, or is under way. `runtime`: to the Runtime API. */
void wire_opened(uint32_t tag, const void *peer, size_t length, unsigned port, int runtime);
/* One descriptor more, one less. With the last the connection is over. */
void wire_hold(uint32_t tag);
void wire_drop(uint32_t tag);

/* These parts are about to be sent, as far as they will be accepted. */
void wire_about_to(uint32_t tag, const struct iovec *parts, size_t count);
/* `bytes` moved through the descriptor, from or to these parts. */
void wire_moved(uint32_t tag, enum direction direction, const struct iovec *parts, size_t count, size_t bytes);
/* The same where they cannot be looked at. */
void wire_unseen(uint32_t tag, enum direction direction, size_t bytes);
/* The other side has sent all it will: of what goes in the clear, or (`tls`) of what libssl opens. */
void wire_ended(uint32_t tag, int tls);

/* TLS connections that libssl has not spoken for yet. 0 is the common answer, and makes the SSL hooks cheap. */
extern uint32_t wires_unbound;
/* The connection whose ClientHello held these 32 bytes. 0: none of ours. */
uint32_t wire_of_random(const unsigned char *random);
/* `tag`, if its ClientHello could not be read; else 0. */
uint32_t wire_without_random(uint32_t tag);
/* libssl is shaking hands on it, or has (`done`). No proof that reading and writing will go through our hooks: a program that
 * looks up functions by hand gets the real ones, of which SSL_connect calls on to our SSL_do_handshake. */
void wire_shaken(uint32_t tag, int done);
/* libssl speaks for it. */
void wire_bind(uint32_t tag);
int wire_is_live(uint32_t tag);
/* Plaintext that libssl has moved; `at` NULL: unseen. */
void wire_spoke(uint32_t tag, enum direction direction, const void *at, size_t bytes);

/* 1 once a connection of this process has begun TLS that libssl knows nothing of. */
int wire_unreadable(void);
/* Tells the end of all connections of this process: before exec and at exit. */
void wire_end(void);
/* In a child of fork: the connections are the parent's until we use them. */
void wire_forked(void);

#endif
