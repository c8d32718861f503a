/**
 * What the shim's hooks add to a call: on descriptors that do not concern it, and on a connection that is teed. The variants take
 * turns, so that whatever else the machine does falls on all of them.
 *
 *     node test/bench/tee.ts [rounds] [--json]
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ring } from '../../layers/capture/ring.ts';
import { buildShim } from '../../layers/shim/build.ts';

const json = process.argv.includes('--json');
const rounds = Number(process.argv[2]) || 10;

/* Prints ns per turn: a write to nowhere; a write and a read through a Unix socket; the same over TCP, of two sizes. */
const SOURCE = `
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
static char bytes[8000];
static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec * 1e9 + t.tv_nsec; }
static double turn(int out, int in, int size, int times) {
    double from = now();
    for (int i = 0; i < times; i++) {
        if (write(out, bytes, size) != size) return -1;
        for (int got = 0; in >= 0 && got < size;) got += read(in, bytes, size);
    }
    return (now() - from) / times;
}
int main(int argc, char **argv) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1])), .sin_addr.s_addr = inet_addr("127.0.0.2")};
    int pair[2], one = 1, server = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    bind(server, (void *)&at, sizeof at), listen(server, 1);
    if (connect(client, (void *)&at, sizeof at)) return 1;
    int accepted = accept(server, 0, 0);
    printf("[%f, %f, %f, %f]", turn(open("/dev/null", O_WRONLY), -1, 100, 20000), turn(pair[0], pair[1], 100, 5000),
           turn(client, accepted, 300, 2000), turn(client, accepted, 8000, 300));
    return 0;
}`;
const WORKS = ['write to /dev/null', 'Unix socket, 100 B', 'TCP, 300 B', 'TCP, 8000 B'];

interface Variant {
  readonly name: string;
  readonly env: NodeJS.ProcessEnv;
  readonly times: number[][];
}

/** `shim`: no tee. `ready`: the tee is on, and none of these descriptors concerns it. `teed`: both TCP works are. */
function variants(shim: string, ring: Ring, port: number): Variant[] {
  const audited = { LD_PRELOAD: shim, ALASTOR_RING: ring.path };
  return [
    { name: 'nothing', env: {}, times: [] },
    { name: 'shim', env: audited, times: [] },
    { name: 'ready', env: { ...audited, ALASTOR_TEE: 'runtime', AWS_LAMBDA_RUNTIME_API: '127.0.0.2:1' }, times: [] },
    { name: 'teed', env: { ...audited, ALASTOR_TEE: 'http', ALASTOR_STEER: `127.0.0.2:${port}/http` }, times: [] },
  ];
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.2');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

const dir = mkdtempSync(join(tmpdir(), 'alastor-tee-'));
try {
  const shim = join(dir, 'libalastor.so');
  const program = join(dir, 'loop');
  buildShim(shim);
  execFileSync('gcc', ['-O2', '-w', '-o', program, '-x', 'c', '-'], { input: SOURCE });
  const ring = Ring.create(join(dir, 'ring'));
  const port = await freePort();
  const all = variants(shim, ring, port);
  for (let round = 0; round < rounds; round++) {
    for (const { env, times } of all) {
      const child = spawn(program, [String(port)], { env, stdio: ['ignore', 'pipe', 'inherit'] });
      let said = '';
      child.stdout.on('data', (bytes: Buffer) => {
        said += bytes;
      });
      await once(child, 'close');
      // Between the turns: what a turn tells fits into the ring.
      ring.drain();
      times.push(JSON.parse(said) as number[]);
    }
  }
  ring.close();
  const figures = all.map(({ name, times }) => ({ name, ns: WORKS.map((_, i) => median(times.map((t) => t[i] ?? 0))) }));
  if (json) console.log(JSON.stringify({ works: WORKS, figures }));
  else
    for (const { name, ns } of figures)
      console.log(name.padEnd(10), ...WORKS.map((work, i) => `${work}: ${(ns[i] ?? 0).toFixed(0)} ns`.padEnd(32)));
} finally {
  rmSync(dir, { recursive: true, force: true });
}
