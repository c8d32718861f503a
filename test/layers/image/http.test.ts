import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it, onTestFailed, onTestFinished } from 'vitest';
import { buildShards } from '../../../functions/graph/build.ts';
import { requestId, requestPartition } from '../../../functions/graph/ids.ts';
import { Provenance } from '../../../functions/graph/provenance.ts';
import { buildLayer } from '../../../layers/build.ts';
import { memorySource } from '../../functions/memory-source.ts';
import { World } from '../network/harness.ts';
import { Container, pause } from './container.ts';

const fixtures = join(import.meta.dirname, 'fixtures');
const server = [process.execPath, join(fixtures, 'server.mjs')];
const java = spawnSync('javac', ['-version']).error === undefined;
if (!java) console.warn('javac is not installed (Debian: default-jdk-headless): a JVM in a container is not tested');
let image: string;
let container: Container;

beforeAll(async () => {
  image = await buildLayer({ image: true });
});
beforeEach(() => {
  container = new Container(image);
  onTestFailed(() => console.error(container.stderr));
});
afterEach(() => container.remove());

const at = (name: string) => join(container.dir, name);

describe('a function that serves HTTP', () => {
  it('gets every request as it came, and each is one request of the record', async () => {
    await container.start(server);
    const first = await container.get('/echo?secret=1', { 'X-Call-Id': 'call-1' }, 'hello');
    expect(first).toMatchObject({ status: 200, body: 'hello', headers: { 'x-given': 'call-1', 'content-type': 'text/plain' } });
    await container.get(`/write?path=${at('one')}`, { 'X-Request-Id': 'second' });
    await container.get('/fail', { 'X-Call-Id': 'third' });
    await container.get('/echo', { 'X-Call-Id': 'not an id' });
    expect(await container.stop()).toBe(0);

    expect(container.records()[0]).toMatchObject({
      kind: 'init',
      fn: 'checkout',
      initType: 'http',
      caps: { shim: true, runtimeProxy: false },
    });
    const begins = container.of('request-begin').filter(({ trigger }) => trigger.path !== '/probe');
    expect(begins.slice(0, 3)).toMatchObject([
      {
        req: 'call-1',
        phase: 'invoke',
        event: { bytes: 5, sha256: expect.stringMatching(/^2cf24dba/) },
        trigger: { type: 'http', method: 'POST', path: '/echo', sourceIp: expect.stringContaining('127.0.0.1') },
        keys: [{ key: 'call:call-1', sure: 'inferred' }],
      },
      { req: 'second' },
      { req: 'third' },
    ]);
    expect(begins[3]?.req).toMatch(/^[0-9a-f-]{36}$/);
    expect(begins[3]?.keys).toEqual([]);
    const end = (req: string) => container.of('request-end').find((r) => r.req === req);
    expect(end('call-1')).toMatchObject({ status: 'ok', response: { bytes: 5, sha256: expect.stringMatching(/^2cf24dba/) } });
    expect(end('third')).toMatchObject({ status: 'error', errorType: 'HTTP 500' });
    expect(container.of('file-open').find(({ path }) => path === at('one'))).toMatchObject({ req: 'second', mode: 'w' });
    expect(container.of('gap')).toEqual([]);
    expect(container.records().at(-1)).toMatchObject({ kind: 'shutdown', reason: 'SIGTERM' });
    expect(JSON.stringify(container.records())).not.toContain('secret=1');
  });

  it('streams answers, carries upgrades, and sees what the function fetches', async () => {
    await container.start(server);
    expect((await container.get('/stream')).pieces.length).toBeGreaterThan(1);
    const answer = await new Promise<string>((resolve) => {
      const socket = net.connect(container.port, '127.0.0.1');
      let text = '';
      socket.write('GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: test\r\nConnection: Upgrade\r\nX-Call-Id: upgraded\r\n\r\n');
      socket.on('data', (data) => {
        text += data;
        if (text.endsWith('\r\n\r\n')) socket.write('ping');
      });
      socket.on('close', () => resolve(text));
    });
    expect(answer).toMatch(/^HTTP\/1.1 101.*ping$/s);
    const other = net.createServer((socket) =>
      socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi')),
    );
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.9', resolve));
    const { port } = other.address() as net.AddressInfo;
    expect((await container.get(`/fetch?path=http://127.0.0.9:${port}/`, { 'X-Call-Id': 'fetching' })).body).toBe('hi');
    await container.stop();
    other.close();
    expect(container.of('request-end').find(({ req }) => req === 'upgraded')).toMatchObject({ status: 'ok' });
    expect(container.of('exchange')).toMatchObject([{ req: 'fetching', host: '127.0.0.9', status: 200 }]);
  });

  it('that calls another one is joined with it by the id that both have seen, and not with itself', async () => {
    const other = new Container(image);
    onTestFinished(() => other.remove());
    await other.start(server, { ALASTOR_FUNCTION: 'stock' });
    await container.start(server);
    const target = encodeURIComponent(`http://127.0.0.9:${other.port}/echo`);
    await container.get(`/pass?path=${target}`, { 'X-Call-Id': 'order-1' });
    await Promise.all([container.stop(), other.stop()]);
    const key = { key: 'call:order-1', sure: 'inferred' };
    expect(container.of('exchange')).toMatchObject([{ req: 'order-1', keys: [key] }]);
    expect(other.of('request-begin').find(({ req }) => req === 'order-1')).toMatchObject({ keys: [key] });

    const built = [container, other].flatMap((one) => one.segments().map(({ segment, key }) => buildShards(segment, key)));
    const graph = new Provenance(memorySource(built));
    const of = (one: Container) => one.segments()[0]!.segment.header.instanceId;
    const [caller, callee] = [container, other].map((one) => requestId(of(one), requestPartition('order-1')));
    const causes = await graph.causesOf(callee!, Number.MAX_SAFE_INTEGER);
    const [invoke] = causes.filter(({ op, sure }) => op === 'invoke' && sure === 'inferred');
    expect(invoke?.from).toMatch(/^exchange:/);
    // What it answered came back to that exchange, and nothing else did.
    const replies = (await graph.causesOf(invoke!.from, Number.MAX_SAFE_INTEGER)).filter(({ from }) =>
      from.startsWith('request:'),
    );
    expect(replies).toMatchObject([{ from: callee, op: 'reply', sure: 'inferred' }]);
    // Who passes an id on has it on both sides, and has not called itself.
    const own = (await graph.causesOf(caller!, Number.MAX_SAFE_INTEGER)).filter(({ from }) => from.startsWith('exchange:'));
    expect(own).toEqual([]);
  });

  it('are two requests when they come with the same id, at once or one after the other', async () => {
    await container.start(server);
    const ask = (name: string) => container.get(`/slow?path=${at(name)}`, { 'X-Request-Id': 'again' });
    await Promise.all([ask('A'), ask('B')]);
    await ask('C');
    await container.stop();
    const begins = container.of('request-begin').filter(({ trigger }) => trigger.path === '/slow');
    expect(new Set(begins.map(({ req }) => req)).size).toBe(3);
    expect(begins[0]?.req).toBe('again');
    for (const { keys } of begins) expect(keys).toEqual([{ key: 'call:again', sure: 'inferred' }]);
    const ends = container.of('request-end').filter(({ req }) => begins.some((begin) => begin.req === req));
    expect(ends).toHaveLength(3);
  });

  it('passes its exit status on, with the evidence up to that moment', async () => {
    await container.start(server);
    await container.get('/crash', { 'X-Call-Id': 'last' }).catch(() => undefined);
    const exited = container.child.exitCode ?? (await new Promise((resolve) => container.child.once('exit', resolve)));
    expect(exited).toBe(3);
    expect(container.of('request-end').find(({ req }) => req === 'last')).toMatchObject({ status: 'crash' });
    expect(container.records().at(-1)).toMatchObject({ kind: 'shutdown', reason: 'exit 3' });
  });

  it('names no request for what a process does that works on two at once, and says so', async () => {
    await container.start(server);
    await Promise.all(['A', 'B'].map((id) => container.get(`/slow?path=${at(id)}`, { 'X-Call-Id': id })));
    await container.stop();
    const writes = container.of('file-open').filter(({ path }) => path === at('A') || path === at('B'));
    expect(writes.map(({ req, phase }) => [req, phase])).toEqual([
      [null, 'invoke'],
      [null, 'invoke'],
    ]);
    expect(container.of('unobserved').filter(({ detail }) => detail.includes('several requests at once'))).toHaveLength(1);
  });

  it('names the request when each is in the hands of a process of its own, and of the processes that one starts', async () => {
    await container.start(['/usr/bin/python3', join(fixtures, 'server.py')], { WORKERS: '2' });
    await Promise.all(['A', 'B'].map((id) => container.get(`/slow?path=${at(id)}`, { 'X-Call-Id': id })));
    await container.stop();
    const writer = (name: string) => container.of('file-open').find(({ path, mode }) => path === at(name) && mode === 'w')?.req;
    expect(['A', 'A.child', 'B', 'B.child'].map(writer)).toEqual(['A', 'A', 'B', 'B']);
  });

  it.each(['shim', 'auto'])('sees the processes that a static watchdog starts, one for each request (%s)', async (backend) => {
    const watchdog = at('watchdog');
    execFileSync('gcc', ['-static', '-O1', '-w', '-o', watchdog, join(fixtures, 'watchdog.c')]);
    const fprocess = `read name; echo x > ${container.dir}/$name; echo "$Http_X_Call_Id made $name"`;
    await container.start([watchdog], { fprocess, ALASTOR_BACKEND: backend });
    for (const name of ['A', 'B'])
      expect((await container.get('/', { 'X-Call-Id': name }, `${name}\n`)).body).toBe(`${name} made ${name}\n`);
    await container.stop();
    for (const name of ['A', 'B'])
      expect(container.of('file-open').find(({ path }) => path === at(name))).toMatchObject({ req: name, mode: 'w' });
    expect(container.of('gap')).toEqual([]);
  });

  it.skipIf(!java)('sees what a JVM says over TLS', async () => {
    const world = new World();
    onTestFinished(() => world.stop());
    const port = await world.https('127.0.0.32', 'shop.example', (_request, answer) => answer.end('bought'));
    writeFileSync(at('internet.pem'), world.internetCa.cert);
    writeFileSync(at('hosts'), '127.0.0.32 shop.example\n');
    const program = ['java', '-XX:TieredStopAtLevel=1', `-Djdk.net.hosts.file=${at('hosts')}`, join(fixtures, 'Server.java')];
    await container.start(program, { NODE_EXTRA_CA_CERTS: at('internet.pem') });
    const url = `https://shop.example:${port}/buy`;
    expect((await container.get(`/?${url}`, { 'X-Call-Id': 'A' })).body).toBe('bought');
    await container.stop();
    expect(container.of('exchange')).toMatchObject([
      { req: 'A', scheme: 'https', host: 'shop.example', path: '/buy', status: 200 },
    ]);
  });

  it('that is a Lambda image which somebody tries out gets out of the way of AWS\u2019s emulator', () => {
    const program = at('lambda-entrypoint.sh');
    writeFileSync(program, '#!/bin/sh\necho "$LD_PRELOAD|$*"\n', { mode: 0o755 });
    const said = execFileSync(join(image, 'alastor/entrypoint'), [program, 'app.handler'], { encoding: 'utf8', env: {} });
    expect(said).toBe('|app.handler\n');
  });

  it('starts as it is where there is nothing to record with', async () => {
    const bare = mkdtempSync('/tmp/alastor-image-');
    cpSync(join(image, 'alastor/entrypoint'), join(bare, 'entrypoint'));
    await container.start(server, {}, join(bare, 'entrypoint'));
    expect((await container.get('/echo', {}, 'x')).body).toBe('x');
    expect(container.stderr).toContain('not audited');
    expect(await container.stop()).toBe(0);
    rmSync(bare, { recursive: true });
  });
});

const strace = existsSync('/usr/bin/strace');
if (!strace) console.warn('strace is not installed: the tests of the strace backend are skipped');

describe.skipIf(!strace)('under strace', () => {
  it('is seen the same: processes, files and sockets in the request during which they happened', async () => {
    await container.start(server, { ALASTOR_BACKEND: 'strace' });
    await container.get(`/run?path=${at('made')}`, { 'X-Call-Id': 'A' });
    await container.get(`/write?path=${at('other')}`, { 'X-Call-Id': 'B' });
    expect(await container.stop()).toBe(0);
    expect(container.of('init')[0]).toMatchObject({
      runtime: 'http; backend strace (as set)',
      caps: { shim: false, ptrace: true },
    });
    expect(container.of('process-exec').find(({ argv }) => argv[1] === '-c')).toMatchObject({
      req: 'A',
      path: '/bin/sh',
      ok: true,
    });
    expect(container.of('file-open').find(({ path }) => path === at('made'))).toMatchObject({ req: 'A', mode: 'w' });
    expect(container.of('file-open').find(({ path }) => path === at('other'))).toMatchObject({ req: 'B', mode: 'w' });
    const shell = container.of('process-start').find(({ exe, how }) => exe === '/bin/sh' && how === 'exec');
    const runtime = container.of('process-start').find(({ how }) => how === 'runtime');
    expect(shell?.parent).toBe(runtime?.proc);
    expect(container.of('process-exit').find(({ proc }) => proc === shell?.proc)).toMatchObject({ req: 'A', code: 0 });
    expect(container.of('gap')).toEqual([]);
  });

  it('is chosen for a statically linked program, which would not load the shim', async () => {
    const program = at('static');
    execFileSync('gcc', ['-static', '-O1', '-w', '-o', program, join(fixtures, 'static.c')]);
    await container.start([program]);
    expect((await container.get(at('from-static'), { 'X-Call-Id': 'A' })).body).toBe('ok');
    await container.stop();
    expect(container.of('init')[0]?.runtime).toBe('http; backend strace (auto: the program is statically linked)');
    expect(container.of('file-open').find(({ path }) => path === at('from-static'))).toMatchObject({ req: 'A', mode: 'w' });
  });

  it('ends as the function ends, which is no reason to start it again', async () => {
    await container.start(server, { ALASTOR_BACKEND: 'strace' });
    const exit = new Promise((resolve) => container.child.once('exit', resolve));
    await container.get('/crash', { 'X-Call-Id': 'last' }).catch(() => undefined);
    expect(await exit).toBe(3);
    expect(container.of('gap')).toEqual([]);
    expect(container.of('process-start').filter(({ how }) => how === 'runtime')).toHaveLength(1);
    expect(container.records().at(-1)).toMatchObject({ kind: 'shutdown', reason: 'exit 3' });
  });

  it('that dies before the function listens leaves a function that serves', async () => {
    const first = `
      const { existsSync, readFileSync, writeFileSync } = process.getBuiltinModule('node:fs');
      const tracer = Number(/TracerPid:\\s*(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]);
      if (!existsSync('${at('started')}')) {
        writeFileSync('${at('started')}', String(tracer));
        process.kill(tracer, 'SIGKILL');
        setInterval(() => {}, 1000);
      } else await import('${join(fixtures, 'server.mjs')}');`;
    writeFileSync(at('first.mjs'), first);
    await container.start([process.execPath, at('first.mjs')], { ALASTOR_BACKEND: 'strace' });
    expect(Number(readFileSync(at('started'), 'utf8'))).toBeGreaterThan(0);
    expect((await container.get('/echo', {}, 'x')).body).toBe('x');
    expect(await container.stop()).toBe(0);
    expect(container.of('gap')).toMatchObject([{ why: 'shim-lost' }]);
  });

  it('a dead strace does not take the function with it', async () => {
    await container.start(server, { ALASTOR_BACKEND: 'strace' });
    const pid = (await container.get('/pid')).body;
    const tracer = Number(/TracerPid:\s*(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
    expect(tracer).toBeGreaterThan(0);
    process.kill(tracer, 'SIGKILL');
    await pause(100);
    expect((await container.get(`/write?path=${at('late')}`, { 'X-Call-Id': 'B' })).status).toBe(200);
    expect(existsSync(at('late'))).toBe(true);
    expect(await container.stop()).toBe(0);
    expect(container.of('gap')).toMatchObject([{ why: 'shim-lost', detail: expect.stringContaining('strace has ended') }]);
    expect(container.of('file-open').find(({ path }) => path === at('late'))).toMatchObject({ req: 'B' });
  });
});
