import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { payloadDigest } from '../../../layers/capture/handover/index.ts';
import { type Bucket, chainProblems } from './bucket.ts';
import { exited, type Instance, type Platform } from './platform.ts';
import { Setup } from './setup.ts';

let setup: Setup;
let bucket: Bucket;
let platform: Platform;
let instance: Instance;
let dir: string;
beforeEach(async () => {
  setup = await Setup.start();
  ({ bucket, platform, instance, dir } = setup);
});
/** What sees where requests begin and end. */
const SOURCES = ['tap', 'proxy'] as const;

const boot: Setup['boot'] = (...environments) => setup.boot(...environments);
const shutDown: Setup['shutDown'] = (reason) => setup.shutDown(reason);
const of: Bucket['of'] = (kind) => bucket.of(kind);

/** Holds at the end of every test that lost nothing. */
function expectWhole(): void {
  expect(chainProblems(bucket)).toEqual([]);
  expect(of('gap')).toEqual([]);
  expect(bucket.records().map(({ seq }) => seq)).toEqual(bucket.records().map((_, i) => i));
}

describe('a request', () => {
  it.each(SOURCES)(
    'is answered as without the extension, and recorded from begin to end before the environment may freeze (%s)',
    async (requests) => {
      await boot({ ALASTOR_REQUESTS: requests });
      expect((await platform.invoke({ do: 'echo', value: 'ü' }, { reqId: 'req-1' })).body).toBe('{"got":"ü"}');
      await platform.idle();
      // Without SHUTDOWN: an instance may be killed at any time after this.
      const records = bucket.records();
      expect(records[0]).toMatchObject({
        kind: 'init',
        seq: 0,
        fn: 'purchase',
        phase: 'init',
        memoryMb: 512,
        caps: { shim: true },
      });
      expect(of('request-begin')).toMatchObject([
        {
          req: 'req-1',
          phase: 'invoke',
          fnArn: 'arn:aws:lambda:eu-central-1:123456789012:function:purchase',
          event: { bytes: 26, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
          trigger: { type: 'invoke' },
          keys: expect.arrayContaining([
            { key: 'lambda:req-1', sure: 'exact' },
            { key: 'trace:1-5759e988-bd862e3fe1be46a994272793', sure: 'inferred' },
          ]),
        },
      ]);
      expect(of('request-end')).toMatchObject([{ req: 'req-1', status: 'ok', response: { bytes: 12 } }]);
      await shutDown();
      expect(bucket.records().at(-1)).toMatchObject({ kind: 'shutdown', reason: 'spindown' });
      expectWhole();
    },
  );

  it.each(SOURCES)(
    'names by what its result can be recognised, once for the same result, and not for one that went out over HTTP (%s)',
    async (requests) => {
      await boot({ ALASTOR_REQUESTS: requests });
      const value = 'long enough to be told from any other result';
      const http = { requestContext: { requestId: 'gateway', http: { method: 'GET' } } };
      await platform.invoke({ do: 'echo', value }, { reqId: 'first' });
      await platform.invoke({ do: 'echo', value }, { reqId: 'again' });
      await platform.invoke({ do: 'echo', value: `${value}, too` }, { reqId: 'other' });
      await platform.invoke({ do: 'echo', value: `${value} at all`, ...http }, { reqId: 'http' });
      await platform.invoke({ do: 'echo', value: 'short' }, { reqId: 'short' });
      await platform.idle();
      const key = (got: string) => ({ key: `payload:${payloadDigest({ got })}`, sure: 'inferred' });
      expect(of('request-end').map(({ req, keys }) => [req, keys])).toEqual([
        ['first', [key(value)]],
        ['again', undefined],
        ['other', [key(`${value}, too`)]],
        ['http', undefined],
        ['short', undefined],
      ]);
      expect(of('request-begin')[0]?.keys).toContainEqual({
        key: `payload:${payloadDigest({ do: 'echo', value })}`,
        sure: 'inferred',
      });
      await shutDown();
      expectWhole();
    },
  );

  it.each(SOURCES)('separates what happened before, during and after it, and in the next one (%s)', async (requests) => {
    await boot({ ALASTOR_REQUESTS: requests });
    const path = (name: string) => join(dir, name);
    await platform.invoke({ do: 'write', path: path('one'), value: 'x', after: path('one-after') }, { reqId: 'A' });
    await platform.invoke({ do: 'read', path: path('one') }, { reqId: 'B' });
    await platform.idle();
    await shutDown();
    const place = (name: string) =>
      of('file-open')
        .filter((r) => r.path === path(name))
        .map((r) => `${r.mode} ${r.req} ${r.phase}`);
    expect(place('one')).toEqual(['w A invoke', 'r B invoke']);
    expect(place('one-after')).toEqual(['w A after']);
    expect(of('process-start').find((r) => r.how === 'runtime')).toMatchObject({ req: null, phase: 'init' });
    expectWhole();
  });

  it('keeps a process that outlives it apart from the request during which it acts', async () => {
    await boot();
    await platform.invoke({ do: 'leave', path: join(dir, 'late') }, { reqId: 'A' });
    await platform.invoke({ do: 'release', path: join(dir, 'late') }, { reqId: 'B' });
    await platform.idle();
    await shutDown();
    expect(of('process-exec').find((r) => r.argv.includes('-c'))).toMatchObject({ req: 'A' });
    expect(of('file-open').find((r) => r.path === join(dir, 'late'))).toMatchObject({ req: 'B', mode: 'w' });
  });

  it.each([-30, 0, 30])('ends before the extension asks for more, when INVOKE comes %i ms after the request', async (lag) => {
    platform.extensionLagMs = lag;
    await boot();
    const ends: number[] = [];
    platform.onExtensionNext = () => ends.push(of('request-end').length);
    for (let i = 0; i < 4; i++) await platform.invoke({ do: 'echo', value: i }, { reqId: `r${i}` });
    await platform.idle();
    expect(ends).toEqual([1, 2, 3, 4]);
    await shutDown();
    expectWhole();
  });

  it('may repeat an id, as asynchronous invocations that are tried again do', async () => {
    await boot();
    for (let i = 0; i < 3; i++) await platform.invoke({ do: 'fail' }, { reqId: 'same' });
    await platform.idle();
    expect(of('request-begin').map((r) => r.req)).toEqual(['same', 'same', 'same']);
    expect(of('request-end')).toMatchObject([{ status: 'error' }, { status: 'error' }, { status: 'error' }]);
    await shutDown();
    expectWhole();
  });

  it.each(SOURCES)('passes with an event and an answer of several megabytes (%s)', async (requests) => {
    await boot({ ALASTOR_REQUESTS: requests });
    const { body } = await platform.invoke({ do: 'large', filler: 'x'.repeat(5_900_000) });
    expect(body).toBe('{"bytes":5900000}');
    await platform.idle();
    expect(of('request-begin')[0]!.event).toMatchObject({ bytes: 5_900_026, sha256: expect.any(String) });
    await shutDown();
    expectWhole();
  });

  it('leaves during its run what would otherwise wait too long', async () => {
    await boot();
    const answer = platform.invoke({ do: 'until', path: join(dir, 'go') }, { reqId: 'long' });
    // The request goes on until its beginning has left.
    while (of('request-begin').length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    writeFileSync(join(dir, 'go'), '');
    await answer;
    await platform.idle();
    expect(of('request-end')).toHaveLength(1);
  });

  it('records thousands of events without losing one', async () => {
    await boot();
    await platform.invoke({ do: 'many', count: 3000, path: join(dir, 'log') });
    await platform.idle();
    await shutDown();
    expect(of('file-open').filter((r) => r.path === join(dir, 'log'))).toHaveLength(3000);
    expectWhole();
  });
});

describe('an answer', () => {
  it.each(SOURCES)('that is streamed arrives piece by piece, with its headers (%s)', async (requests) => {
    await boot({ ALASTOR_REQUESTS: requests });
    const answer = await platform.invoke({ do: 'stream' });
    expect(answer.pieces).toEqual(['one', 'two', 'three']);
    expect(answer.headers).toMatchObject({
      'lambda-runtime-function-response-mode': 'streaming',
      'content-type': 'application/vnd.awslambda.http-integration-response',
      'transfer-encoding': 'chunked',
    });
    await platform.idle();
    expect(of('request-end')).toMatchObject([{ status: 'ok', response: { bytes: 11 } }]);
  });

  it.each(SOURCES)('that fails half-way keeps its trailers and is an error (%s)', async (requests) => {
    await boot({ ALASTOR_REQUESTS: requests });
    const answer = await platform.invoke({ do: 'stream', broken: true });
    expect(answer.trailers).toEqual({ 'lambda-runtime-function-error-type': 'Stream.Broken' });
    await platform.idle();
    expect(of('request-end')).toMatchObject([{ status: 'error', errorType: 'Stream.Broken' }]);
  });

  it.each(SOURCES)('that reports an error is passed on and recorded as one (%s)', async (requests) => {
    await boot({ ALASTOR_REQUESTS: requests });
    const answer = await platform.invoke({ do: 'fail' });
    expect(answer).toMatchObject({
      kind: 'error',
      body: '{"errorMessage":"no"}',
      headers: { 'lambda-runtime-function-error-type': 'Function.Broken' },
    });
    await platform.idle();
    expect(of('request-end')).toMatchObject([{ status: 'error', errorType: 'Function.Broken' }]);
  });
});

it.each(SOURCES)(
  'an answer that the platform refuses does not end the request; the error that follows does (%s)',
  async (requests) => {
    platform.refuseResponses = true;
    await boot({ ALASTOR_REQUESTS: requests });
    expect(await platform.invoke({ do: 'echo', value: 1 })).toMatchObject({ kind: 'error' });
    await platform.idle();
    expect(of('request-end')).toMatchObject([{ status: 'error' }]);
  },
);

describe('a runtime', () => {
  it.each(SOURCES)('that cannot start is recorded with its error (%s)', async (requests) => {
    await boot({ ALASTOR_REQUESTS: requests }, { FAIL_INIT: '1' });
    await exited(instance.children[1]!);
    await shutDown('failure');
    expect(platform.calls).toContain('init error');
    expect(of('request-end')).toMatchObject([{ req: null, phase: 'init', status: 'init-error', errorType: 'Init.Broken' }]);
  });

  it.each(SOURCES)('that dies in a request ends it as a crash, long before its deadline (%s)', async (requests) => {
    await boot({ ALASTOR_REQUESTS: requests });
    void platform.invoke({ do: 'crash' }, { reqId: 'doomed', deadlineMs: 60_000 });
    await exited(instance.children[1]!);
    await platform.extensionWaits();
    expect(of('request-end')).toMatchObject([{ req: 'doomed', status: 'crash' }]);
    await shutDown('failure');
  });

  it.each(SOURCES)('that is started anew in the same environment goes on in the same record (%s)', async (requests) => {
    await boot({ ALASTOR_REQUESTS: requests });
    void platform.invoke({ do: 'crash' }, { reqId: 'doomed' });
    await exited(instance.children[1]!);
    await platform.extensionWaits();
    instance.startRuntime();
    await platform.invoke({ do: 'echo', value: 1 }, { reqId: 'next' });
    await platform.idle();
    expect(of('request-end')).toMatchObject([
      { req: 'doomed', status: 'crash' },
      { req: 'next', status: 'ok' },
    ]);
    await shutDown();
    expect(chainProblems(bucket)).toEqual([]);
  });

  it.each(SOURCES)('that does not finish in time ends its request with the deadline (%s)', async (requests) => {
    await boot({ ALASTOR_REQUESTS: requests });
    void platform.invoke({ do: 'sleep', ms: 60_000 }, { reqId: 'slow', deadlineMs: 500 });
    await platform.extensionWaits();
    while (of('request-end').length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(of('request-end')).toMatchObject([{ req: 'slow', status: 'timeout' }]);
    await shutDown('timeout');
  });

  it.each(SOURCES)('restored from a snapshot is another instance (%s)', async (requests) => {
    await boot({ ALASTOR_REQUESTS: requests }, { RESTORE: '1' });
    await platform.invoke({ do: 'echo', value: 1 });
    await platform.idle();
    const [restore] = of('restore');
    const ids = new Set(bucket.segments().map(({ header }) => header.instanceId));
    expect(ids.size).toBe(2);
    expect(ids).toContain(restore!.previous);
    expect(chainProblems(bucket)).toEqual([]);
  });

  it('that does not use the wrapper works, and the record says so', async () => {
    instance.startExtension();
    await platform.extensionWaits();
    // A wrapper that finds nothing leaves the runtime as it is: straight against the platform.
    const bare = instance.startRuntime({ ALASTOR_DIR: join(dir, 'nothing-here') });
    await platform.invoke({ do: 'echo', value: 1 }, { reqId: 'a' });
    await platform.invoke({ do: 'echo', value: 2 }, { reqId: 'b' });
    await platform.idle();
    expect(bare.exitCode).toBeNull();
    await shutDown();
    expect(of('request-begin').map((r) => r.req)).toEqual(['a', 'b']);
  });
});

describe('traffic of the function', () => {
  let server: Server;
  let url: string;
  beforeEach(async () => {
    server = createServer((_request, answer) => answer.end('hello'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.2', resolve));
    url = `http://127.0.0.2:${(server.address() as AddressInfo).port}/path?card=4111`;
  });
  afterEach(() => new Promise((resolve) => server.close(resolve)));

  it.each(['auto', 'proxy', 'tap'])(
    'is recorded with the process and the request it came from (ALASTOR_NETWORK=%s)',
    async (network) => {
      await boot({ ALASTOR_NETWORK: network });
      expect((await platform.invoke({ do: 'fetch', url }, { reqId: 'R' })).body).toBe('{"fetched":"hello"}');
      await platform.idle();
      await shutDown();
      const runtime = of('process-start').find((r) => r.how === 'runtime')!.proc;
      const tapped = network !== 'proxy';
      expect(of('socket-connect').find((r) => r.peer.addr === '127.0.0.2')).toMatchObject({
        ...{ req: 'R', proc: runtime, steered: !tapped, ...(tapped ? { tapped } : {}) },
      });
      expect(of('exchange').map((r) => r.seenBy)).toEqual([tapped ? 'tap' : undefined]);
      expect(of('exchange')).toMatchObject([
        { req: 'R', proc: runtime, host: '127.0.0.2', path: '/path', query: ['card'], status: 200 },
      ]);
      expectWhole();
    },
  );

  it('whose process is killed in the turn in which it ends shows at least as a connection', async () => {
    await boot();
    void platform.invoke({ do: 'fetch-and-die', url }, { reqId: 'doomed', deadlineMs: 60_000 });
    await exited(instance.children[1]!);
    await platform.extensionWaits();
    expect(of('socket-connect').find((r) => r.peer.addr === '127.0.0.2')).toMatchObject({ req: 'doomed' });
    expect(of('request-end')).toMatchObject([{ req: 'doomed', status: 'crash' }]);
    expectWhole();
  });

  it('that is still open at the end is told with what it has carried', async () => {
    const talker = net.createServer((socket) => socket.on('error', () => {}).write('welcome'));
    await new Promise<void>((resolve) => talker.listen(0, '127.0.0.2', resolve));
    onTestFinished(() => void talker.close());
    const { port } = talker.address() as AddressInfo;
    await boot();
    await platform.invoke({ do: 'hold', host: '127.0.0.2', port, value: 'hello' }, { reqId: 'R' });
    await platform.invoke({ do: 'echo', value: 1 }, { reqId: 'later' });
    await platform.idle();
    expect(of('tunnel')).toEqual([]);
    await shutDown();
    expect(of('tunnel')).toMatchObject([
      { req: 'R', peer: { addr: '127.0.0.2', port, proto: 'tcp' }, why: 'not-http', sent: 5, received: 7 },
    ]);
    expectWhole();
  });

  it('shows as sockets when neither taps nor proxy are wanted', async () => {
    await boot({ ALASTOR_NETWORK: 'sockets' });
    expect((await platform.invoke({ do: 'fetch', url }, { reqId: 'R' })).body).toBe('{"fetched":"hello"}');
    await platform.idle();
    await shutDown();
    expect(of('exchange')).toEqual([]);
    expect(of('socket-connect').find((r) => r.peer.addr === '127.0.0.2')).toMatchObject({ req: 'R', steered: false });
    expectWhole();
  });
});

describe('the settings', () => {
  it('name a value that means nothing, and go on with auto', async () => {
    await boot({ ALASTOR_NETWORK: 'all' });
    await platform.idle();
    expect(instance.stderr).toContain('ALASTOR_NETWORK must be one of auto, proxy, tap, sockets; auto is used');
    await shutDown();
  });
});

describe('secrets', () => {
  it('planted in what the function runs never reach the bucket', async () => {
    await boot();
    const secret = 'pl4ntedS3cret';
    await platform.invoke({
      do: 'exec',
      argv: ['true', '--password', secret, `TOKEN=${secret}`, `https://u:${secret}@h/?k=${secret}`],
    });
    await platform.invoke({ do: 'write', path: join(dir, `token=${secret}`), value: secret });
    await platform.idle();
    await shutDown();
    expect(of('process-exec').some((r) => r.argv.includes('--password'))).toBe(true);
    expect(JSON.stringify(bucket.records())).not.toContain(secret);
    expectWhole();
  });
});

describe('when S3 is down', () => {
  it('requests are answered all the same, and what was kept arrives afterwards', async () => {
    bucket.mood = () => 503;
    await boot();
    for (let i = 0; i < 3; i++) expect((await platform.invoke({ do: 'echo', value: i })).body).toBe(`{"got":${i}}`);
    await platform.idle();
    expect(bucket.objects.size).toBe(0);
    bucket.mood = () => 'ok';
    await platform.invoke({ do: 'echo', value: 3 });
    await platform.idle();
    await shutDown();
    expect(of('request-end')).toHaveLength(4);
    expectWhole();
  });

  it('keeps what many events have left until S3 is back', async () => {
    bucket.mood = () => 503;
    await boot();
    // In parts that the ring can hold however late it is read: this is about what waits for S3.
    for (let part = 0; part < 10; part++) {
      await platform.invoke({ do: 'many', count: 4000, path: join(dir, 'log') }, { deadlineMs: 60_000 });
      await platform.idle();
    }
    bucket.mood = () => 'ok';
    await platform.invoke({ do: 'echo', value: 1 }, { reqId: 'last' });
    await platform.idle();
    await shutDown();
    const opens = of('file-open').filter((r) => r.path === join(dir, 'log'));
    const apart = of('file-close').filter((r) => r.path === join(dir, 'log'));
    expect(opens).toHaveLength(40_000);
    expect(opens.filter((r) => r.openFor !== undefined).length + apart.length).toBe(40_000);
    expect(of('request-end')).toHaveLength(11);
    expectWhole();
  });
});

describe('the extension', () => {
  it('has everything in place before it registers', async () => {
    instance.startExtension();
    await platform.extensionWaits();
    expect(platform.registration).toMatchObject({
      headers: { 'lambda-extension-name': 'alastor' },
      body: { events: ['INVOKE', 'SHUTDOWN'] },
    });
    const shared = join(dir, 'shared');
    expect(statSync(shared).mode & 0o777).toBe(0o700);
    expect(readFileSync(join(shared, 'ports'), 'utf8')).toMatch(
      new RegExp(
        `^ALASTOR_RUNTIME_PORT=\\d+\nALASTOR_PROXY_PORT=\\d+\nALASTOR_TAP=1\nALASTOR_TEE=http,runtime\nALASTOR_RECORDER=\\d+@\\d+\nALASTOR_STEER=${bucket.url.slice(7)}/http\n$`,
      ),
    );
    expect(readFileSync(join(shared, 'ca.pem'), 'utf8').match(/BEGIN CERTIFICATE/g)!.length).toBeGreaterThan(50);
    expect(existsSync(join(shared, 'ring'))).toBe(true);
    await shutDown();
  });

  it('registers only SHUTDOWN where requests run concurrently, and ships without waiting to be asked', async () => {
    await boot({ AWS_LAMBDA_INITIALIZATION_TYPE: 'lambda-managed-instances' });
    expect(platform.registration!.body).toEqual({ events: ['SHUTDOWN'] });
    await shutDown();
    expect(of('init')).toMatchObject([{ initType: 'lambda-managed-instances' }]);
  });

  it('goes on where the shared directory cannot be made, and says so', async () => {
    writeFileSync(join(dir, 'file'), '');
    const impossible = { ALASTOR_DIR: join(dir, 'file/shared') };
    instance.startExtension(impossible);
    await platform.extensionWaits();
    instance.startRuntime(impossible);
    expect((await platform.invoke({ do: 'echo', value: 1 })).body).toBe('{"got":1}');
    await platform.idle();
    await shutDown();
    expect(
      of('gap')
        .map((r) => r.detail)
        .join(),
    ).toContain('event ring');
  });

  it('lets the function run unobserved where there is no Node for it', async () => {
    const extension = instance.startExtension({ PATH: join(dir, 'nothing-here') });
    await platform.extensionWaits();
    instance.startRuntime();
    // It has asked for no events, and waits: the request goes to the runtime alone.
    expect((await platform.invoke({ do: 'echo', value: 1 })).body).toBe('{"got":1}');
    expect(platform.registration!.body).toEqual({ events: [] });
    expect(extension.exitCode).toBeNull();
    expect(instance.stderr).toContain('no Node');
  });

  it('starts afresh after a reset that leaves /tmp as it was', async () => {
    await boot();
    await platform.invoke({ do: 'echo', value: 1 });
    await platform.idle();
    await shutDown('failure');
    await instance.stop();
    instance.startExtension();
    await platform.extensionWaits();
    instance.startRuntime();
    await platform.invoke({ do: 'echo', value: 2 });
    await platform.idle();
    expect(new Set(bucket.segments().map(({ header }) => header.instanceId)).size).toBe(2);
    expect(chainProblems(bucket)).toEqual([]);
  });
});
