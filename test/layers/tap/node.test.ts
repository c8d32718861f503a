import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocketServer } from 'ws';
import { beginnings } from '../../../layers/capture/excerpt.ts';
import { counterpart } from '../runtimes/counterparts.ts';
import { comparable, Instance, type Run, type Source } from './harness.ts';

const instance = new Instance();
let servers: string[];

/** How many requests of a connection wait for their answers. */
const waiting = new WeakMap<object, number>();

function serve(request: IncomingMessage, response: ServerResponse): void {
  const url = request.url ?? '';
  if (url === '/echo') return void request.pipe(response.writeHead(200, { 'content-type': 'text/plain' }));
  request.resume();
  if (request.headers['x-amz-target'] !== undefined)
    response.writeHead(200, { 'content-type': 'application/x-amz-json-1.0' }).end('{"MessageId":"id-of-the-message"}');
  else if (url === '/gzip') response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('{"packed":true}'));
  else if (url === '/moved') response.writeHead(302, { location: '/n/target' }).end('moved');
  else if (url === '/none') response.writeHead(204).end();
  else if (url.startsWith('/waiting/')) {
    const { socket } = request;
    const count = (waiting.get(socket) ?? 0) + 1;
    waiting.set(socket, count);
    // The next request is sent when the head of the answer is there.
    response.flushHeaders();
    setTimeout(() => {
      waiting.set(socket, (waiting.get(socket) ?? 1) - 1);
      response.end(`${count}`);
    }, 20);
  } else if (url === '/half') {
    response.writeHead(200, { 'content-length': 100 }).write('half');
    setTimeout(() => response.destroy(), 30);
  } else if (url === '/trailers') {
    response.writeHead(200, { trailer: 'X-Sum' }).write('body');
    response.addTrailers({ 'X-Sum': '42' });
    response.end();
  } else response.end(url);
}

beforeAll(async () => {
  servers = [
    await instance.http('127.91.0.1', serve, (server) =>
      new WebSocketServer({ server }).on('connection', (socket) => socket.on('message', (text) => socket.send(`${text}!`))),
    ),
    await instance.https(serve),
  ];
  await instance.start();
});
afterAll(() => instance.stop());

/** By what was asked, since exchanges that run side by side may end in any order. */
const exchanges = (run: Run): unknown[] =>
  run
    .of('exchange')
    .map(comparable)
    .sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));

async function both(what: string): Promise<{ direct: Run; tap: Run; proxy: Run }> {
  const run = (source: 'direct' | 'tap' | 'proxy') => instance.node(source, 'clients.mjs', [what, ...servers]);
  const direct = await run('direct');
  const tap = await run('tap');
  const proxy = await run('proxy');
  expect(direct.stderr).toBe('');
  expect([tap.stdout, tap.stderr, tap.status]).toEqual([direct.stdout, '', 0]);
  for (const seen of [tap, proxy]) expect(seen.of('gap')).toEqual([]);
  return { direct, tap, proxy };
}

describe('a tap in Node', () => {
  it.each(['basic', 'keepAlive', 'fetch', 'big', 'headers', 'patched', 'worker', 'concurrent'])(
    'reports the same exchanges as the network proxy, and steers nothing: %s',
    async (what) => {
      const { tap, proxy } = await both(what);
      expect(exchanges(tap).length).toBeGreaterThan(0);
      expect(exchanges(tap)).toEqual(exchanges(proxy));
      expect(tap.of('exchange').map((e) => e.seenBy)).toEqual(tap.of('exchange').map(() => 'tap'));
      expect(tap.of('socket-connect').filter((o) => o.steered)).toEqual([]);
      expect(tap.of('tunnel')).toEqual([]);
      const [runtime] = tap.of('process-start');
      expect(new Set(tap.of('exchange').map((e) => e.proc))).toEqual(new Set([runtime?.proc]));
    },
  );

  it('tells pipelined requests apart', async () => {
    const { direct, tap, proxy } = await both('pipeline');
    expect(direct.stdout).toBe('12 true\n12 true\n');
    // The bodies are counts, which differ; the network proxy does not pass pipelining on.
    const told = (run: Run) =>
      run.of('exchange').map(({ scheme, path, status, error, seenBy }) => [scheme, path, status, error, seenBy]);
    expect(told(tap).sort()).toEqual(
      told(proxy)
        .map(([scheme, path, status, error]) => [scheme, path, status, error, 'tap'])
        .sort(),
    );
    expect(tap.of('exchange')).toHaveLength(25);
    for (const { response } of tap.of('exchange')) expect(response.sha256).toBeDefined();
  });

  it('finds in the calls of the AWS SDK what the network proxy finds, also in long bodies', async () => {
    const { tap, proxy } = await both('aws');
    expect(exchanges(tap)).toEqual(exchanges(proxy));
    expect(tap.of('exchange').map((e) => e.seenBy)).toEqual(Array(10).fill('tap'));
    const of = (service: string) => tap.of('exchange').filter((e) => e.aws?.service === service);
    expect(of('sqs').map((e) => e.keys)).toEqual(Array(2).fill([{ key: 'sqs:id-of-the-message', sure: 'exact' }]));
    expect(of('s3').map((e) => e.resources.length)).toEqual(Array(6).fill(1));
    expect(of('lambda')).toHaveLength(2);
  });

  it('reports what was cut short with what had come until then', async () => {
    const { tap, proxy } = await both('cut');
    const told = (run: Run) => run.of('exchange').map(({ path, status, response, error }) => [path, status, response, !!error]);
    expect(told(tap)).toEqual(told(proxy));
    expect(tap.of('exchange')).toHaveLength(4);
  });

  it('hands over the beginning of bodies where that is wanted', async () => {
    beginnings.wanted = true;
    const run = (source: Source, what: string) =>
      instance.node(source, 'clients.mjs', [what, ...servers], { ALASTOR_BODIES: 'redacted' });
    try {
      for (const what of ['basic', 'text']) {
        const tap = await run('tap', what);
        expect(exchanges(tap)).toEqual(exchanges(await run('proxy', what)));
        expect(tap.of('exchange').map((e) => e.seenBy)).toEqual(tap.of('exchange').map(() => 'tap'));
        for (const { method, request } of tap.of('exchange')) expect(request.text !== undefined).toBe(method !== 'GET');
      }
    } finally {
      beginnings.wanted = false;
    }
  });

  it('leaves connections that stop being HTTP to the network proxy', async () => {
    const { tap, proxy } = await both('upgrade');
    expect(exchanges(tap)).toEqual(exchanges(proxy));
    expect(tap.of('socket-connect')).toMatchObject([{ steered: true }, { steered: true }]);
  });

  it('leaves connections that it did not see being made to the network proxy, and reports none twice', async () => {
    const { tap, proxy } = await both('own');
    expect(exchanges(tap)).toEqual(exchanges(proxy));
    // By name: the proxy tells a moment later than the tap.
    const seenBy = Object.fromEntries(tap.of('exchange').map((e) => [e.path, e.seenBy]));
    expect(seenBy).toEqual({ '/n/own': undefined, '/n/none': 'tap', '/n/made': undefined, '/n/raw': undefined });
  });

  it('takes nothing from a response that nobody reads, or that is read late', async () => {
    const { tap } = await both('unread');
    expect(tap.of('exchange').map((e) => [e.path, e.status])).toEqual([
      ['/n/unread', 200],
      ['/n/late', 200],
    ]);
  });

  it('reports a refused connection as an exchange that failed', async () => {
    const { tap } = await both('refused');
    expect(tap.of('exchange')).toMatchObject([{ path: '/nobody', port: 9, error: 'ECONNREFUSED', request: { bytes: 0 } }]);
  });

  it('is in child processes too; those that were started without it go through the network proxy', async () => {
    const { tap } = await both('child');
    expect(
      tap
        .of('exchange')
        .map((e) => `${e.path} ${e.seenBy}`)
        .sort(),
    ).toEqual(['/n/child tap', '/n/child undefined']);
    expect(new Set(tap.of('exchange').map((e) => e.proc)).size).toBe(2);
  });

  it('does nothing where there is no shim', async () => {
    const { LD_PRELOAD, ...env } = instance.env('tap');
    const run = await instance.node('direct', 'clients.mjs', ['basic', ...servers], { ...env, LD_PRELOAD: '' });
    expect(run.status).toBe(0);
    expect(run.seen).toEqual([]);
  });
});

const node22 = counterpart('node22');

describe.skipIf(node22 === undefined)('the tap in Node 22', () => {
  const script = join(import.meta.dirname, 'fixtures/clients.mjs');
  const run = (source: Source, what: string) => instance.run(source, node22 ?? '', [script, what, ...servers]);

  it.each(['basic', 'keepAlive', 'fetch', 'headers', 'patched', 'worker', 'concurrent', 'aws'])(
    'reports the same exchanges as the network proxy, and steers nothing: %s',
    async (what) => {
      const direct = await run('direct', what);
      const tap = await run('tap', what);
      const proxy = await run('proxy', what);
      expect([tap.stdout, tap.stderr, tap.status]).toEqual([direct.stdout, direct.stderr, 0]);
      expect(exchanges(tap).length).toBeGreaterThan(0);
      expect(exchanges(tap)).toEqual(exchanges(proxy));
      expect(tap.of('exchange').map((e) => e.seenBy)).toEqual(tap.of('exchange').map(() => 'tap'));
      expect(tap.of('socket-connect').filter((o) => o.steered)).toEqual([]);
    },
  );

  it('reports what was cut short, and leaves what stops being HTTP to the network proxy', async () => {
    expect((await run('tap', 'cut')).of('exchange').map(({ status, response, error }) => [status, response, !!error])).toEqual(
      Array(4).fill([200, { bytes: 4 }, true]),
    );
    const [tap, proxy] = [await run('tap', 'upgrade'), await run('proxy', 'upgrade')];
    expect(exchanges(tap)).toEqual(exchanges(proxy));
  });

  it('tells pipelined requests apart', async () => {
    const tap = await run('tap', 'pipeline');
    expect(tap.stdout).toBe('12 true\n12 true\n');
    expect(new Set(tap.of('exchange').map((e) => `${e.scheme} ${e.path} ${e.status} ${e.seenBy}`)).size).toBe(25);
  });
});

describe('the tee beside a tap in Node', () => {
  const tee = (what: string) => instance.node('tee', 'clients.mjs', [what, ...servers]);
  const proxied = (what: string) => instance.node('proxy', 'clients.mjs', [what, ...servers]);

  it('leaves to the tap what the tap has announced, and reports none twice', async () => {
    for (const what of ['basic', 'fetch', 'concurrent'])
      expect(exchanges(await tee(what))).toEqual(exchanges(await proxied(what)));
  });

  it('sees plain HTTP over sockets that the tap did not see being made', async () => {
    const run = await tee('own');
    expect(exchanges(run)).toEqual(exchanges(await proxied('own')));
    expect(run.of('exchange').map((e) => e.seenBy)).toEqual(Array(4).fill('tap'));
    expect(run.of('socket-connect').filter((o) => o.steered)).toEqual([]);
  });

  it('sees a connection leave HTTP, and counts the rest', async () => {
    const run = await tee('upgrade');
    expect(run.stdout).toBe('you!\nyou!\n');
    expect(run.of('exchange')).toMatchObject(Array(2).fill({ path: '/socket', status: 101, seenBy: 'tap' }));
    // A frame with a mask and the text, and the one that closes; those of the server have no mask.
    expect(run.of('tunnel')).toMatchObject(Array(2).fill({ why: 'not-http', sent: 9 + 6, received: 6 + 2 }));
  });
});
