import { spawnSync } from 'node:child_process';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { beginnings } from '../../../layers/capture/excerpt.ts';
import { comparable, Instance, type Run } from './harness.ts';

/* Programs whose plaintext the shim tees: the same traffic through the tee and through the network proxy. */

const instance = new Instance();
let plain: string;
let secure: string;
let both: string;
let echo: string;

function serve(request: IncomingMessage | Http2ServerRequest, answer: ServerResponse | Http2ServerResponse): void {
  // The calls used here are the same in both.
  const response = answer as ServerResponse;
  if (request.url?.startsWith('/echo'))
    return void request.pipe(response.writeHead(200, { 'content-type': 'application/json' }));
  // The network proxy does not see the end of a request that is answered before.
  request.resume().once('end', () => reply(request as IncomingMessage, response));
}

function reply({ url = '', method, headers, socket }: IncomingMessage, response: ServerResponse): void {
  if (headers['x-amz-target'] !== undefined)
    response.writeHead(200, { 'content-type': 'application/x-amz-json-1.0' }).end('{"MessageId":"id-of-the-message"}');
  else if (url === '/big') response.end(Buffer.alloc(20 << 20, 'answer'));
  else if (url.endsWith('/gzip')) response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('{"packed":true}'));
  else if (url === '/moved') response.writeHead(302, { location: '/n/target' }).end('moved');
  else if (url === '/missing') response.writeHead(404, { 'x-amzn-requestid': 'a-gateway-request' }).end('no');
  else if (url === '/none' || method === 'PUT') response.writeHead(204).end();
  else if (url === '/close') socket.end(`HTTP/1.0 200 OK\r\n\r\n${'until the end '.repeat(1000)}`);
  else if (url === '/half') {
    response.writeHead(200, { 'content-length': 100 }).write('half');
    setTimeout(() => socket.destroy(), 30);
  } else if (url === '/trailers') {
    response.writeHead(200, { trailer: 'X-Sum' }).write('body');
    response.addTrailers({ 'X-Sum': '42' });
    response.end();
  } else if (url !== '/never') response.end(url);
}

beforeAll(async () => {
  plain = await instance.http('127.91.0.2', serve);
  secure = await instance.https(serve);
  both = await instance.http2(serve);
  echo = await instance.tls((socket) => socket.pipe(socket));
  await instance.start();
});
afterAll(() => instance.stop());

/** By what was asked, since exchanges that run side by side may end in any order. */
const exchanges = (run: Run): unknown[] =>
  run
    .of('exchange')
    .map(comparable)
    .sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));

async function compare(command: string, args: readonly string[]): Promise<{ direct: Run; tee: Run; proxy: Run }> {
  const run = (source: 'direct' | 'tee' | 'proxy') => instance.run(source, command, args);
  const direct = await run('direct');
  const tee = await run('tee');
  const proxy = await run('proxy');
  expect(direct.stderr).toBe('');
  expect([tee.stdout, tee.stderr, tee.status]).toEqual([direct.stdout, '', direct.status]);
  for (const seen of [tee, proxy]) expect(seen.of('gap')).toEqual([]);
  return { direct, tee, proxy };
}

function same({ tee, proxy }: { tee: Run; proxy: Run }): void {
  expect(exchanges(tee).length).toBeGreaterThan(0);
  expect(exchanges(tee)).toEqual(exchanges(proxy));
  expect(tee.of('exchange').filter((e) => e.seenBy !== 'tap')).toEqual([]);
  expect(tee.of('socket-connect').filter((o) => o.steered)).toEqual([]);
  expect(tee.of('tunnel')).toEqual([]);
  // Each is told in its place: before its connection is reported closed, after its process has begun.
  const started = new Set(tee.of('process-start').map((o) => o.proc));
  for (const e of tee.of('exchange')) expect(started.has(e.proc)).toBe(true);
}

const fixture = (name: string): string => join(import.meta.dirname, 'fixtures', name);
/** The program itself: `python3` may be a script that looks for it. */
const PYTHON =
  spawnSync('python3', ['-c', 'import ssl, sys; print(sys.executable)'], { encoding: 'utf8' }).stdout?.trim() ?? '';
const has = (command: string, args: readonly string[]): boolean => spawnSync(command, args, { stdio: 'ignore' }).status === 0;
const python = (what: string) => compare(PYTHON, [fixture('clients.py'), what, plain, secure]);

describe.skipIf(PYTHON === '')('the tee of a Python program (skipped without python3)', () => {
  it.each(['basic', 'urllib', 'early', 'pipeline', 'threads', 'asyncio'])(
    'gives the same exchanges as the network proxy, and steers nothing: %s',
    async (what) => same(await python(what)),
  );

  it('gives the same beginnings of bodies where these are wanted', async () => {
    beginnings.wanted = true;
    try {
      const { tee, proxy } = await python('basic');
      same({ tee, proxy });
      expect(tee.of('exchange').filter((e) => e.request.text === 'body')).toHaveLength(2);
    } finally {
      beginnings.wanted = false;
    }
  });

  it.skipIf(!has(PYTHON, ['-c', 'import requests']))('gives the same exchanges of requests (skipped without it)', async () =>
    same(await python('requests')),
  );

  // Older ones speak another protocol to SQS, which the server of this test does not (test/layers/handover has it).
  const recent = 'import boto3; assert tuple(map(int, boto3.__version__.split(".")[:2])) >= (1, 29)';
  it.skipIf(!has(PYTHON, ['-c', recent]))(
    'finds the same join keys in calls of boto3 (skipped without 1.29 or later)',
    async () => {
      const { tee, proxy } = await python('boto3');
      same({ tee, proxy });
      const of = (service: string) => tee.of('exchange').filter((e) => e.aws?.service === service);
      expect(of('sqs').map((e) => e.keys)).toEqual(Array(2).fill([{ key: 'sqs:id-of-the-message', sure: 'exact' }]));
      expect(of('s3').map((e) => e.resources.length)).toEqual(Array(6).fill(1));
      expect(of('dynamodb').map((e) => e.resources.length > 0)).toEqual([true, true]);
      expect(of('lambda')).toHaveLength(2);
    },
  );

  it('counts bodies that are too much for the ring, and then gives no digest', async () => {
    const { tee, proxy } = await python('big');
    const sizes = (run: Run) =>
      run
        .of('exchange')
        .map(({ path, status, request, response, error }) => [path, status, request.bytes, response.bytes, error]);
    expect(sizes(tee)).toEqual(sizes(proxy));
    for (const [i, e] of tee.of('exchange').entries())
      for (const way of ['request', 'response'] as const)
        if (e[way].sha256 !== undefined) expect(e[way]).toEqual(proxy.of('exchange')[i]?.[way]);
  });

  it('reports what was cut short with what had come until then', async () => {
    const { tee, proxy } = await python('cut');
    const told = (run: Run) => run.of('exchange').map(({ path, status, response, error }) => [path, status, response, !!error]);
    expect(told(tee)).toEqual(told(proxy));
    expect(tee.of('exchange')).toHaveLength(2);
  });

  it('reports a body that ends with its connection', async () => {
    const { tee, proxy } = await python('close');
    expect(exchanges(tee)).toEqual(exchanges(proxy));
  });

  it('names the process that asked, also when a child goes on with the connection', async () => {
    const { tee } = await python('fork');
    const procs = tee.of('process-start').map((o) => o.proc);
    expect(procs).toHaveLength(3);
    expect(tee.of('exchange').map((e) => [e.path, e.proc])).toEqual([
      ['/n/parent', procs[0]],
      ['/n/child', procs[1]],
      ['/n/parent', procs[0]],
      ['/n/child', procs[2]],
    ]);
  });

  it('reports what a killed process had under way', async () => {
    const run = await instance.run('tee', 'sh', ['-c', `${PYTHON} ${fixture('clients.py')} killed ${plain} ${secure}; true`]);
    expect(run.of('exchange')).toMatchObject([
      { path: '/never', error: 'aborted', request: { bytes: 0 }, response: { bytes: 0 } },
    ]);
  });
});

describe.skipIf(!has('curl', ['--version']))('the tee of curl (skipped without it)', () => {
  it.each([
    ['HTTP/1', ['--http1.1']],
    ['HTTP/2', ['--http2']],
  ])('gives the same exchanges as the network proxy: %s', async (_name, version) => {
    const urls = (base: string): string[] => [`${base}/n/1?secret=x`, `${base}/n/2`, `${base}/gzip`, `${base}/missing`];
    same(await compare('curl', ['-s', ...version, '--compressed', ...urls(both)]));
    same(await compare('curl', ['-s', ...version, '--data-binary', 'x'.repeat(100_000), `${both}/echo`]));
    same(await compare('curl', ['-s', '-I', '-o', '/dev/null', ...version, `${both}/n/head`]));
    if (version[0] === '--http1.1')
      same(await compare('curl', ['-s', ...version, ...urls(plain), '-T', fixture('clients.py'), `${plain}/echo`]));
  });

  it('reads many streams of one connection', async () => {
    const urls = Array.from({ length: 30 }, (_, n) => `${both}/echo/${n}`);
    same(
      await compare('curl', [
        '-s',
        '-Z',
        '--no-progress-meter',
        '--http2',
        '-o',
        '/dev/null',
        '--data-binary',
        'x'.repeat(5000),
        ...urls.flatMap((url) => ['-o', '/dev/null', url]),
      ]),
    );
  });
});

describe.skipIf(!has('openssl', ['version']))('the tee of TLS that carries no HTTP (skipped without openssl)', () => {
  it('is a tunnel with the bytes inside', async () => {
    const { port } = new URL(echo);
    const run = await instance.run('tee', 'sh', [
      '-c',
      `(echo hello; sleep 0.3) | openssl s_client -quiet -no_ign_eof -servername localhost -connect 127.0.0.1:${port} 2>/dev/null`,
    ]);
    expect(run.stdout).toBe('hello\n');
    expect(run.of('exchange')).toEqual([]);
    expect(run.of('tunnel')).toMatchObject([
      { why: 'not-http', sni: 'localhost', sent: 6, received: 6, peer: { port: Number(port) } },
    ]);
  });
});

describe.skipIf(!has('ruby', ['-e', 'require "openssl"']))('the tee of a Ruby program (skipped without ruby)', () => {
  it('gives the same exchanges as the network proxy', async () => {
    same(await compare('ruby', [fixture('clients.rb'), plain, secure]));
  });
});
