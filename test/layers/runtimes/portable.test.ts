import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { buildShim, hostArch } from '../../../layers/shim/build.ts';
import { Setup, workplace } from '../capture/setup.ts';
import { Teed } from '../shim/teed.ts';
import { Watched } from '../shim/watched.ts';
import { counterpart } from './counterparts.ts';

const has = (program: string) => spawnSync(program, ['--version']).error === undefined;
const node = counterpart('node-arm64');
const musl = has('musl-gcc');
const cross = hostArch() === 'x64' && has('aarch64-linux-gnu-gcc');
const emulator = cross && has('qemu-aarch64-static');
if (!musl) console.warn('musl-gcc is not installed (Debian: musl-tools): programs under musl are not tested');
if (!cross) console.warn('aarch64-linux-gnu-gcc is not installed: the shim for arm64 is not tested');
else if (!emulator)
  console.warn('qemu-aarch64-static is not installed (Debian: qemu-user-static): the arm64 shim is built, not run');

const PROGRAM = `
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
int main(int argc, char **argv) {
  FILE *file = fopen(argv[1], "w");
  fputs("hello", file);
  fclose(file);
  if (vfork() == 0) _exit(3);
  int status = 0;
  wait(&status);
  printf("%d", WEXITSTATUS(status));
  return 0;
}`;

let watched: Watched;
beforeAll(() => {
  watched = new Watched();
  writeFileSync(join(watched.dir, 'program.c'), PROGRAM);
});
afterAll(() => watched.close());

/** Asks the server at the port given for something, through calls that write and read in parts. */
const CLIENT = `
#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
int main(int argc, char **argv) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1])), .sin_addr.s_addr = inet_addr("127.0.0.1")};
  struct iovec parts[2] = {{"GET / HTTP/1.0\\r\\n", 16}, {"\\r\\n", 2}};
  char room[1000];
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(fd, (struct sockaddr *)&to, sizeof to) || writev(fd, parts, 2) != 18) return 1;
  while (recv(fd, room, 7, 0) > 0);
  return close(fd);
}`;
async function server(): Promise<{ port: number; close: () => void }> {
  const web = createServer((_, response) => response.end('answer'));
  web.listen(0, '127.0.0.1');
  await once(web, 'listening');
  return { port: (web.address() as AddressInfo).port, close: () => web.close() };
}
function expectTold(teed: Teed): void {
  const [conversation] = teed.all;
  expect(conversation?.clear.sent.bytes.toString()).toBe('GET / HTTP/1.0\r\n\r\n');
  expect(conversation?.clear.received.bytes.toString()).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*answer$/);
  expect(conversation?.closes).toMatchObject([{ sent: 18, received: conversation?.clear.received.next }]);
}

const dynamic = (file: string) =>
  execFileSync('readelf', ['-W', '-d', '--dyn-syms', '--version-info', file], { encoding: 'utf8' });

describe('one shim for every C library', () => {
  it('names no library and no version of a symbol, so glibc 2.26 and musl both load it', () => {
    const said = dynamic(watched.shim);
    expect(said).not.toMatch(/\(NEEDED\)/);
    expect(said).not.toMatch(/GLIBC_|@/);
    expect(said).toContain('No version information found');
  });

  it.skipIf(!musl)('sees the files and children of a program under musl', async () => {
    const program = join(watched.dir, 'under-musl');
    execFileSync('musl-gcc', ['-o', program, join(watched.dir, 'program.c')]);
    expect(dynamic(program)).toMatch(/NEEDED.*\[libc\.so\]/);
    const path = join(watched.dir, 'from-musl');
    const run = await watched.run(program, [path]);
    expect(run.stdout).toBe('3');
    expect(run.of('file-close')).toMatchObject([{ path, written: 5 }]);
    expect(run.of('process-start').map(({ how }) => how)).toEqual(['runtime', 'vfork']);
    expect(run.of('process-exit')).toContainEqual(expect.objectContaining({ code: 3 }));
  });

  it.skipIf(!musl)('tees the connections of a program under musl', async () => {
    const program = join(watched.dir, 'client-under-musl');
    execFileSync('musl-gcc', ['-w', '-o', program, '-x', 'c', '-'], { input: CLIENT });
    const { port, close } = await server();
    const ring = watched.ring();
    const teed = new Teed(ring);
    const env = { ALASTOR_TEE: 'http', ALASTOR_STEER: `127.0.0.1:${port}/http` };
    expect(await watched.run(program, [String(port)], env, ring)).toMatchObject({ status: 0 });
    expectTold(teed);
    close();
  });
});

describe.skipIf(!cross)('the shim for arm64', () => {
  it('is as portable as the other', () => {
    const out = join(watched.dir, 'arm64.so');
    buildShim(out, 'arm64');
    expect(execFileSync('readelf', ['-h', out], { encoding: 'utf8' })).toMatch(/Machine:\s+AArch64/);
    expect(dynamic(out)).not.toMatch(/\(NEEDED\)|GLIBC_/);
  });

  it.skipIf(!emulator)('sees files and children under an emulator', async () => {
    const program = join(watched.dir, 'for-arm64');
    execFileSync('aarch64-linux-gnu-gcc', ['-o', program, join(watched.dir, 'program.c')]);
    const ring = watched.ring();
    const path = join(watched.dir, 'from-arm64');
    const inside = ['-E', `LD_PRELOAD=${join(watched.dir, 'arm64.so')}`, '-E', `ALASTOR_RING=${ring.path}`];
    const args = ['-L', '/usr/aarch64-linux-gnu', ...inside, program, path];
    expect(execFileSync('qemu-aarch64-static', args, { encoding: 'utf8' })).toBe('3');
    const seen = ring.drain();
    expect(seen).toContainEqual(expect.objectContaining({ kind: 'file-close', path, written: 5 }));
    expect(seen).toContainEqual(expect.objectContaining({ kind: 'process-start', how: 'vfork' }));
    expect(seen).toContainEqual(expect.objectContaining({ kind: 'process-exit', code: 3 }));
  });

  it.skipIf(!emulator || node === undefined)(
    'with the whole recorder, and a runtime that fetches, under an emulator',
    { timeout: 180_000 },
    async () => {
      const server = createServer((_request, answer) => answer.end('hello'));
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.2', resolve));
      onTestFinished(() => void server.close());
      const url = `http://127.0.0.2:${(server.address() as AddressInfo).port}/path`;
      const bin = join(workplace(), 'node');
      writeFileSync(bin, `#!/bin/sh\nexec qemu-aarch64-static -L /usr/aarch64-linux-gnu '${node}' "$@"\n`, { mode: 0o755 });
      const setup = await Setup.start({ recorder: bin, runtime: bin, arch: 'arm64' });
      const { platform, bucket, dir } = setup;
      await setup.boot();
      expect((await platform.invoke({ do: 'fetch', url }, { reqId: 'A' })).body).toBe('{"fetched":"hello"}');
      await platform.invoke({ do: 'write', path: `${dir}/made`, value: 'x' }, { reqId: 'B' });
      await platform.idle();
      expect(bucket.of('init')[0]).toMatchObject({ caps: { shim: true, runtimeProxy: true } });
      expect(bucket.of('request-end')).toMatchObject([
        { req: 'A', status: 'ok' },
        { req: 'B', status: 'ok' },
      ]);
      expect(bucket.of('exchange')).toMatchObject([{ req: 'A', host: '127.0.0.2', path: '/path', status: 200 }]);
      expect(bucket.of('socket-connect').find(({ peer }) => peer.addr === '127.0.0.2')).toMatchObject({ req: 'A' });
      expect(bucket.of('file-open').find(({ path }) => path === `${dir}/made`)).toMatchObject({ req: 'B', mode: 'w' });
      expect(bucket.of('gap')).toEqual([]);
    },
  );
  it.skipIf(!emulator)('tees connections under an emulator', async () => {
    const program = join(watched.dir, 'client-for-arm64');
    execFileSync('aarch64-linux-gnu-gcc', ['-w', '-o', program, '-x', 'c', '-'], { input: CLIENT });
    const { port, close } = await server();
    const ring = watched.ring();
    const teed = new Teed(ring);
    const env = [`LD_PRELOAD=${join(watched.dir, 'arm64.so')}`, `ALASTOR_RING=${ring.path}`, 'ALASTOR_TEE=http'];
    const inside = [...env, `ALASTOR_STEER=127.0.0.1:${port}/http`].flatMap((line) => ['-E', line]);
    const emulated = spawn('qemu-aarch64-static', ['-L', '/usr/aarch64-linux-gnu', ...inside, program, String(port)]);
    expect((await once(emulated, 'close'))[0]).toBe(0);
    ring.drain();
    expectTold(teed);
    close();
  });
});
