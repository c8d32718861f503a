import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, describe, expect, it } from 'vitest';
import type { Ring } from '../../../layers/capture/ring.ts';
import { Teed } from './teed.ts';
import { Watched } from './watched.ts';

const watched = new Watched();
const server = createServer((request, response) => {
  request.resume().on('end', () => response.end('{"answer": 42}'));
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const { port } = server.address() as AddressInfo;
const api = `127.0.0.1:${port}`;
afterAll(() => {
  server.closeAllConnections();
  server.close();
  watched.close();
});

/** The recorder's end of `<ring>.bell`. */
class Bell {
  readonly #fd: number;
  constructor(ring: Ring) {
    execFileSync('mkfifo', ['-m', '600', `${ring.path}.bell`]);
    this.#fd = openSync(`${ring.path}.bell`, constants.O_RDONLY | constants.O_NONBLOCK);
  }
  /** How often it was rung since the last call. */
  rings(): number {
    try {
      return readSync(this.#fd, Buffer.alloc(4096));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return 0;
      throw error;
    }
  }
  close(): void {
    closeSync(this.#fd);
  }
}
async function finish(ring: Ring, command: string, args: string[], env: NodeJS.ProcessEnv): Promise<string> {
  const child = watched.start(command, args, watched.env(ring, env));
  let said = '';
  child.stdout?.on('data', (bytes) => {
    said += bytes;
  });
  await once(child, 'close');
  return said;
}

/* Asks and answers as a runtime does, over one connection. */
const RUNTIME = `
import http.client, os
c = http.client.HTTPConnection(os.environ['AWS_LAMBDA_RUNTIME_API'])
for i in range(3):
    c.request('GET', '/2018-06-01/runtime/invocation/next'); c.getresponse().read()
    c.request('POST', '/2018-06-01/runtime/invocation/id/response', body=b'{}'); c.getresponse().read()`;
const TEE = { ALASTOR_TEE: 'runtime', AWS_LAMBDA_RUNTIME_API: api };

describe('the conversation with the Runtime API', () => {
  it('is marked, and every word of the runtime rings the bell', async () => {
    const ring = watched.ring();
    const bell = new Bell(ring);
    const teed = new Teed(ring);
    await finish(ring, '/usr/bin/python3', ['-c', RUNTIME], TEE);
    ring.drain();
    const [conversation] = teed.all;
    expect(teed.all).toHaveLength(1);
    expect(conversation?.open).toMatchObject({ runtimeApi: true, peer: { addr: '127.0.0.1', port } });
    expect(new Set(conversation?.runtimeApi)).toEqual(new Set([true]));
    expect(conversation?.clear.sent.bytes.toString().match(/invocation\/next|\/response/g)).toHaveLength(6);
    expect(conversation?.clear.received.bytes.toString().match(/"answer": 42/g)).toHaveLength(6);
    /* One write for each head, one for each body that is sent apart. */
    expect(bell.rings()).toBeGreaterThanOrEqual(6);
    bell.close();
  });

  it('is known to a child whose environment says nothing of it, and under all names it had on the way', async () => {
    const ring = watched.ring();
    const teed = new Teed(ring);
    const curl = `curl -s --noproxy '*' http://${api}/stolen`;
    const moved = `AWS_LAMBDA_RUNTIME_API=localhost:9 exec /bin/sh -c "env -i PATH=$PATH ${curl}; env | grep ALASTOR_RUNTIME"`;
    const said = await finish(ring, '/bin/sh', ['-c', moved], TEE);
    ring.drain();
    expect(said).toContain('{"answer": 42}');
    expect(said).toContain(`ALASTOR_RUNTIME_API=${api},localhost:9\n`);
    expect(teed.all[0]?.clear.sent.bytes.toString()).toMatch(/^GET \/stolen /);
    expect(teed.all[0]?.open?.runtimeApi).toBe(true);
  });

  it('is all that is teed when nothing else was asked for', async () => {
    const ring = watched.ring();
    const teed = new Teed(ring);
    const other = { ...TEE, AWS_LAMBDA_RUNTIME_API: '127.0.0.1:1', ALASTOR_STEER: `${api}/http` };
    expect(await finish(ring, 'curl', ['-s', '--noproxy', '*', `http://${api}/`], other)).toBe('{"answer": 42}');
    ring.drain();
    expect(teed.events).toEqual([]);
  });

  it('still finds room when everything else has filled the ring', async () => {
    const ring = watched.ring(1 << 20);
    const teed = new Teed(ring);
    const flood = `import os\nfor i in range(30000): os.close(os.open('/dev/zero', os.O_RDONLY))\n${RUNTIME}`;
    await finish(ring, '/usr/bin/python3', ['-c', flood], TEE);
    const gaps = ring.drain().filter((o) => o.kind === 'gap');
    expect(gaps).toMatchObject([{ why: 'ring-full' }]);
    const [conversation] = teed.all;
    expect(conversation?.open).toBeDefined();
    expect(conversation?.clear.sent.bytes.toString().match(/invocation\/next|\/response/g)).toHaveLength(6);
    expect([...(conversation?.clear.sent.holes ?? []), ...(conversation?.clear.received.holes ?? [])]).toEqual([]);
    expect(conversation?.closes).toHaveLength(1);
  });
});

describe('the bell', () => {
  it('is rung once when a quarter of the ring waits, and again only after the recorder has looked', async () => {
    const ring = watched.ring(1 << 20);
    const bell = new Bell(ring);
    const open = (times: number) => ['-c', `import os\nfor i in range(${times}): os.close(os.open('/dev/zero', os.O_RDONLY))`];
    await finish(ring, '/usr/bin/python3', open(10), {});
    expect(bell.rings()).toBe(0);
    await finish(ring, '/usr/bin/python3', open(4000), {});
    expect(bell.rings()).toBe(1);
    await finish(ring, '/usr/bin/python3', open(10), {});
    expect(bell.rings()).toBe(0);
    ring.drain();
    await finish(ring, '/usr/bin/python3', open(4000), {});
    expect(bell.rings()).toBe(1);
    bell.close();
  });

  it('that nobody hears stops nobody', async () => {
    const ring = watched.ring();
    execFileSync('mkfifo', [`${ring.path}.bell`]);
    const said = await finish(ring, '/usr/bin/python3', ['-c', `${RUNTIME}\nprint('done')`], TEE);
    expect(said).toBe('done\n');
  });
});
