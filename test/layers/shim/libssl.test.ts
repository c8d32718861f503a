import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
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
