import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Teed } from './teed.ts';
import { Watched } from './watched.ts';

const watched = new Watched();
afterAll(() => watched.close());

function compile(name: string, source: string, ...flags: string[]): string {
  const out = join(watched.dir, name);
  execFileSync('gcc', ['-w', '-o', out, '-x', 'c', '-', '-x', 'none', ...flags], { input: source, cwd: watched.dir });
  return out;
}
/** A library that answers every SSL_write with its own number; what it makes points to its tables, as in every OpenSSL. */
const library = (number: number) => `
static const int methods[4];
static const void *made[8] = {0, methods};
void *SSL_new(void *context) { return made; }
int SSL_write(void *ssl, const void *from, int size) { return ${number}; }
void SSL_free(void *ssl) {}`;
const module_ = (name: string) =>
  `int SSL_write(void *, const void *, int); int ${name}(void) { return SSL_write(0, "x", 1) + 0; }`;
/** Compiled to a jump: the library is then called by whoever calls the module. */
const jump = (name: string) => `
int SSL_write(void *, const void *, int); void *SSL_new(void *); static void *made;
int ${name}(void) { if (!made) made = SSL_new(0); return SSL_write(made, "x", 1); }`;
const SHARED = ['-shared', '-fPIC', '-Wl,-rpath,$ORIGIN', '-L.'];

/* Opens modules, each for itself as Python does, calls them, closes them, and prints what they were answered. */
const HOST = `
#include <dlfcn.h>
#include <stdio.h>
int main(int argc, char **argv) {
    for (int i = 1; argv[i]; i += 2) {
        void *module = dlopen(argv[i], RTLD_NOW | RTLD_LOCAL);
        if (!module) { puts(dlerror()); return 1; }
        int (*function)(void) = (int (*)(void))dlsym(module, argv[i + 1]);
        printf("%d %d\\n", function(), function());
        if (argv[i + 1][0] == 'c') dlclose(module);
    }
    return 0;
}`;

describe('several TLS libraries in one process', () => {
  compile('libone.so', library(1), ...SHARED);
  compile('libtwo.so', library(2), ...SHARED);
  compile('libchain.so', `${module_('unused')}`, ...SHARED, '-ltwo');
  const host = compile('host', HOST, '-ldl');
  const modules = {
    one: compile('one.so', module_('one'), ...SHARED, '-lone'),
    two: compile('two.so', module_('two'), ...SHARED, '-ltwo'),
    /* Linked against something that is linked against the library. */
    chain: compile('chain.so', module_('chain'), ...SHARED, '-Wl,--no-as-needed', '-lchain'),
    /* Brings its own, as extension modules with BoringSSL inside do. */
    own: compile(
      'own.so',
      `${library(3)} ${module_('own').replace('int SSL_write(void *, const void *, int);', '')}`,
      ...SHARED,
    ),
    jump: compile('jump.so', jump('jump'), '-O2', ...SHARED, '-ltwo'),
    closing: compile('closing.so', module_('closing'), ...SHARED, '-lone'),
  };

  it('are each reached by those who were linked against them', async () => {
    const args = Object.entries(modules).flatMap(([name, path]) => [path, name]);
    const run = await watched.run(host, args, { ALASTOR_TEE: 'http' });
    expect(run).toMatchObject({ status: 0, stderr: '', stdout: '1 1\n2 2\n2 2\n3 3\n2 2\n1 1\n' });
  });

  it('are found again when a module was closed and others came where it was', async () => {
    const other = compile('closing2.so', module_('closing2'), ...SHARED, '-ltwo');
    const turns = Array.from({ length: 30 }, (_, i) =>
      i % 2 === 0 ? [modules.closing, 'closing'] : [other, 'closing2'],
    ).flat();
    const run = await watched.run(host, turns);
    expect(run).toMatchObject({ status: 0, stdout: '1 1\n2 2\n'.repeat(15) });
  });
});

describe('who does TLS through a library that the hooks stand before', () => {
  compile('libgn.so', 'int gnutls_handshake(void *session) { return 0; }', ...SHARED);
  compile('libuser.so', module_('user'), ...SHARED, '-lone');
  const connecting = (more: string) => `
#include <arpa/inet.h>
#include <sys/socket.h>
${more}
int main(int argc, char **argv) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = inet_addr("127.0.0.2")};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (argc > 2) use();
    return fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) == 0;
}`;
  const needs = ['-L.', '-Wl,-rpath,$ORIGIN', '-Wl,--no-as-needed'];
  const imports = 'int SSL_write(void *, const void *, int); void use(void) { SSL_write(0, 0, 0); }';
  const other = 'int gnutls_handshake(void *); void use(void) { gnutls_handshake(0); }';
  const none = 'void use(void) {}';
  it.each([
    ['a program that is linked against it', imports, ['-lone'], true],
    ['a library that is, beside a program that is not', none, ['-luser'], true],
    ['nobody: it is there, but nobody calls it', none, ['-lone'], false],
    ['another library, while the code that connects uses GnuTLS', other, ['-luser', '-lgn'], false],
    ['a program that defines the functions itself', `${library(4)} ${none}`, ['-rdynamic', '-luser'], false],
    ['a program without any', none, [], false],
  ] as const)('%s', async (_, more, libraries, teed) => {
    const program = compile('connects', connecting(more), ...needs, ...libraries);
    /* Nobody listens at either port: that the proxy was tried first is enough. */
    const run = await watched.run(program, [], { ALASTOR_TEE: 'http', ALASTOR_PROXY_PORT: '1' });
    expect(run).toMatchObject({ status: 0, stderr: '' });
    expect(run.of('socket-connect').map(({ steered }) => steered)).toEqual(teed ? [false] : [true, false]);
  });
});

describe('a library that does not tell the client random, as before OpenSSL 1.1', () => {
  it('is matched with its connection by the descriptor', async () => {
    /* Says a hello and seals by turning all bits over. */
    const old = `
#include <stdlib.h>
#include <unistd.h>
struct ssl { const void *method; int fd; };
static const int methods[4];
void *SSL_new(void *context) { struct ssl *s = calloc(1, 64); s->method = methods; return s; }
void SSL_free(void *s) { free(s); }
int SSL_set_fd(struct ssl *s, int fd) { s->fd = fd; return 1; }
int SSL_get_fd(const struct ssl *s) { return s->fd; }
static void turn(char *p, int n) { while (n--) *p++ ^= -1; }
int SSL_connect(struct ssl *s) {
    char hello[80] = {0x16, 3, 1, 0, 75, 1, 0, 0, 71, 3, 3, 7, 7}, back[80];
    return write(s->fd, hello, sizeof hello) == sizeof hello && read(s->fd, back, sizeof back) == sizeof back ? 1 : -1;
}
int SSL_write(struct ssl *s, const char *from, int size) {
    char sealed[100];
    for (int i = 0; i < size; i++) sealed[i] = ~from[i];
    return write(s->fd, sealed, size);
}
int SSL_read(struct ssl *s, char *to, int size) { int got = read(s->fd, to, size); if (got > 0) turn(to, got); return got; }`;
    compile('libold.so', old, ...SHARED);
    const client = `
#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
void *SSL_new(void *); int SSL_set_fd(void *, int), SSL_connect(void *), SSL_write(void *, const char *, int), SSL_read(void *, char *, int);
void SSL_free(void *);
int main(int argc, char **argv) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1])), .sin_addr.s_addr = inet_addr("127.0.0.2")};
    char room[10];
    for (int i = 0; i < 2; i++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        void *ssl = SSL_new(0);
        if (connect(fd, (struct sockaddr *)&to, sizeof to) || !SSL_set_fd(ssl, fd) || SSL_connect(ssl) != 1) return 1;
        if (SSL_write(ssl, i ? "second" : "secret", 6) != 6 || SSL_read(ssl, room, 6) != 6) return 2;
        SSL_free(ssl);
        close(fd);
    }
    return 0;
}`;
    const program = compile('client', client, '-L.', '-Wl,-rpath,$ORIGIN', '-lold');
    const echo = createServer((socket) => socket.on('error', () => {}).pipe(socket)).listen(0, '127.0.0.2');
    await once(echo, 'listening');
    const ring = watched.ring();
    const teed = new Teed(ring);
    const { port } = echo.address() as AddressInfo;
    const run = await watched.run(program, [String(port)], { ALASTOR_TEE: 'http' }, ring);
    echo.close();
    expect(run).toMatchObject({ status: 0, stderr: '' });
    const plaintexts = teed.all.map(({ tls }) => [tls.sent.bytes.toString(), tls.received.bytes.toString()]);
    expect(plaintexts).toEqual([
      ['secret', 'secret'],
      ['second', 'second'],
    ]);
    for (const { closes } of teed.all) expect(closes).toMatchObject([{ tls: true, unread: false, sent: 6, received: 6 }]);
  });
});

describe('no TLS library', () => {
  it('leaves a program that asks for its functions by hand with one that fails', async () => {
    const source = `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
int main(void) {
    int (*write)(void *, const void *, int) = (int (*)(void *, const void *, int))dlsym(RTLD_DEFAULT, "SSL_write");
    printf("%d", write ? write(0, "x", 1) : -1);
    return 0;
}`;
    const run = await watched.run(compile('asks', source, '-ldl'), []);
    expect(run).toMatchObject({ status: 0, stdout: '-1' });
  });
});
