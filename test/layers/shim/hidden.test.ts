import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { UnobservedSockets } from '../../../layers/capture/unobserved-sockets.ts';
import type { Observation } from '../../../layers/record/types.ts';
import { Watched } from './watched.ts';

const watched = new Watched();
afterAll(() => watched.close());
const at = (name: string) => join(watched.dir, name);

async function compile(name: string, source: string, ...flags: string[]): Promise<string> {
  writeFileSync(at(`${name}.c`), source);
  const run = await watched.run('gcc', ['-w', '-o', at(name), at(`${name}.c`), ...flags]);
  expect(run).toMatchObject({ status: 0, stderr: '' });
  return at(name);
}
const isUnobserved = (o: Observation) => o.kind === 'unobserved';

/* Connects to the port given, says so, and waits to be told to go on. */
const CONNECTS = `
#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
int main(int argc, char **argv) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1])), .sin_addr.s_addr = htonl(0x7f000001)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    char c;
    if (connect(fd, (struct sockaddr *)&to, sizeof to)) return 1;
    return read(fd, &c, 1) != 1;
}`;

/** Runs a shell that starts `program` with the port of a server, looks for its socket while it is open, and lets it end. */
async function connected(program: string): Promise<Observation[]> {
  const ring = watched.ring();
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const child = watched.start('/bin/sh', ['-c', `'${program}' ${port}; true`], watched.env(ring));
  const seen: Observation[] = [];
  const sockets = new UnobservedSockets({
    drain: () => {
      for (const o of ring.drain()) {
        sockets.learn(o);
        seen.push(o);
      }
    },
    observe: (o) => seen.push(o),
    runtimePid: () => undefined,
    ownPorts: () => new Set(),
  });
  const [socket] = await once(server, 'connection');
  const end = once(child, 'close');
  sockets.look();
  sockets.look();
  socket.end('x');
  await end;
  seen.push(...ring.drain());
  server.close();
  return seen;
}

describe('what is hidden from the shim, and what shows all the same', () => {
  it('a static program: its exec, and its connection by the table of the kernel', async () => {
    const program = await compile('static', CONNECTS, '-static');
    const seen = await connected(program);
    const exec = seen.find((o) => o.kind === 'process-exec' && o.path === program);
    expect(exec).toBeDefined();
    expect(seen.filter(isUnobserved)).toEqual([
      expect.objectContaining({ what: 'program', detail: program, proc: exec?.proc }),
      expect.objectContaining({
        what: 'socket',
        detail: expect.stringMatching(/^tcp \d+ to 127\.0\.0\.1:\d+, established, of .*static$/),
        proc: exec?.proc,
      }),
    ]);
  });

  it('nothing of a connection that the shim has reported', async () => {
    const seen = await connected(await compile('dynamic', CONNECTS));
    expect(seen.filter((o) => o.kind === 'socket-connect')).toHaveLength(1);
    expect(seen.filter(isUnobserved)).toEqual([]);
  });

  it('raw system calls: the connection by the table of the kernel; a file not at all, but the process and its exit', async () => {
    const program = await compile(
      'raw',
      `${CONNECTS.replace('connect(fd, (struct sockaddr *)&to, sizeof to)', 'raw(42, fd, &to, sizeof to)').replace(
        'int main',
        `static long raw(long n, long a, void *b, long c) {
           long r;
           __asm__ volatile("syscall" : "=a"(r) : "a"(n), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
           return r;
         }
         int main`,
      )}`,
    );
    const seen = await connected(program);
    expect(seen.filter((o) => o.kind === 'socket-connect')).toEqual([]);
    expect(seen.filter(isUnobserved)).toEqual([
      expect.objectContaining({ what: 'socket', detail: expect.stringMatching(/of .*raw$/) }),
    ]);
    expect(seen.filter((o) => o.kind === 'process-exit' && o.code === 0).length).toBeGreaterThan(0);
  });

  it('writes through a mapping: the file was opened for writing; bytes are not counted', async () => {
    const run = await watched.run('/usr/bin/python3', [
      '-c',
      `
import mmap, os
fd = os.open('mapped', os.O_CREAT | os.O_RDWR); os.ftruncate(fd, 4096)
m = mmap.mmap(fd, 4096); m[0:5] = b'hello'; m.close(); os.close(fd)`,
    ]);
    expect(run.status).toBe(0);
    expect(run.of('file-open').find((o) => o.path === at('mapped'))).toMatchObject({ mode: 'rw', created: true });
    expect(run.of('file-close').filter((o) => o.path === at('mapped'))).toEqual([]);
  });

  it('io_uring polled by the kernel: that the process has set one up', async () => {
    const program = await compile(
      'uring',
      `
#include <linux/io_uring.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(void) {
    struct io_uring_params p = {.flags = IORING_SETUP_SQPOLL};
    return syscall(SYS_io_uring_setup, 4, &p) < 0 ? 77 : 0;
}`,
    );
    const run = await watched.run(program, []);
    /* 77: the kernel or the sandbox refuses it, as Lambda does; then there is nothing to hide behind. */
    expect([0, 77]).toContain(run.status);
    expect(run.of('unobserved')).toEqual(
      run.status === 77 ? [] : [expect.objectContaining({ what: 'process', detail: expect.stringMatching(/^io_uring/) })],
    );
  });

  it('libraries from outside the system: the loader opens them unseen, its link map tells', async () => {
    await compile('libplanted.so', 'int planted(void) { return 7; }', '-shared', '-fPIC');
    const program = await compile('uses', 'int planted(void); int main(void) { return planted(); }', at('libplanted.so'));
    const run = await watched.run(program, []);
    expect(run.status).toBe(7);
    expect(run.of('file-open').map((o) => o.path)).toContain(at('libplanted.so'));
  });

  it('a library by dlopen: the path that was given', async () => {
    await compile('libopened.so', 'int opened(void) { return 1; }', '-shared', '-fPIC');
    const load = `import ctypes; ctypes.CDLL('${at('libopened.so')}')`;
    const run = await watched.run('/usr/bin/python3', ['-c', load]);
    expect(run.of('file-open').find((o) => o.path === at('libopened.so'))).toMatchObject({ mode: 'r' });
  });

  it('what libc opens for itself: the name that was looked up; neither its files nor its own traffic', async () => {
    const run = await watched.run('/usr/bin/python3', ['-c', "import socket; socket.getaddrinfo('localhost', 80)"]);
    expect(run.of('dns')).toContainEqual(expect.objectContaining({ name: 'localhost' }));
    const fixed = ['/etc/hosts', '/etc/resolv.conf', '/etc/nsswitch.conf', '/etc/services'];
    expect(run.of('file-open').filter(({ path }) => fixed.includes(path))).toEqual([]);
    expect(run.of('socket-connect').filter(({ peer }) => peer.port === 53)).toEqual([]);
  });

  it('the totals of a process that is killed: what it has opened and that it was killed, not its bytes', async () => {
    const script = "import os, signal; f = open('killed', 'wb', 0); f.write(b'x' * 9); os.kill(os.getpid(), 9)";
    const run = await watched.run('/bin/sh', ['-c', `/usr/bin/python3 -c "${script}"; true`]);
    const open = run.of('file-open').find(({ path }) => path === at('killed'));
    expect(open).toMatchObject({ mode: 'w' });
    expect(run.of('file-close').filter(({ path }) => path === at('killed'))).toEqual([]);
    const killed = run.of('process-exit').find(({ signal }) => signal === 9);
    expect(killed?.child).toBe(Number.parseInt(open?.proc ?? '', 10));
  });

  it('a static program that is killed: its end, told by its parent', async () => {
    const program = await compile('suicide', '#include <signal.h>\nint main(void) { return raise(9); }', '-static');
    const run = await watched.run('/bin/sh', ['-c', `'${program}'; true`]);
    expect(run.of('process-exit').some(({ signal }) => signal === 9)).toBe(true);
  });

  it('single characters put into a pipe: that something went through, not how much', async () => {
    const program = await compile(
      'putc',
      '#include <stdio.h>\nint main(void) { for (int i = 0; i < 50; i++) putc(65, stdout); }',
      '-O0',
    );
    const run = await watched.run('/bin/sh', ['-c', `'${program}' | cat > /dev/null`]);
    const carried = run.of('file-close').filter(({ path }) => path.startsWith('pipe:['));
    const [reader] = carried.filter(({ read }) => read > 0);
    expect(reader).toMatchObject({ read: 50 });
    expect(carried.find(({ path, written }) => path === reader?.path && written > 0)).toMatchObject({ written: 1 });
  });
});
