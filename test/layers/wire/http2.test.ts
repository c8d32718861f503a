import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Http2Conversation } from '../../../layers/capture/wire/http2.ts';
import { type Heard, listening } from './listening.ts';
import { type Passed, type Relay, relayTo } from './relay.ts';

const server = http2.createServer({ settings: { maxConcurrentStreams: 200 } });
let relay: Relay;

server.on('stream', (stream, headers) => {
  stream.on('error', () => {});
  const what = JSON.parse(decodeURIComponent(String(headers['x-answer'] ?? '{}'))) as Asked['answer'];
  let body = '';
  stream.on('data', (bytes: Buffer) => {
    body += bytes.toString('latin1');
  });
  stream.on('end', () => {
    if (what.how === 'reset') return void stream.close(http2.constants.NGHTTP2_CANCEL);
    if (what.how === 'push')
      stream.pushStream({ ':path': '/pushed', 'x-pushed': 'yes' }, (_error, pushed) =>
        pushed.respond({ ':status': 200 }, { endStream: true }),
      );
    if (what.how === 'early') stream.additionalHeaders({ ':status': 103, link: '</style>' });
    stream.respond({ ':status': what.status ?? 200, ...what.headers }, { waitForTrailers: what.how === 'trailers' });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': 'of it' }));
    stream.end(Buffer.from(what.body ?? body, 'latin1'));
  });
});

beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  relay = await relayTo((server.address() as AddressInfo).port);
});
afterAll(async () => {
  await relay.close();
  await new Promise((resolve) => server.close(resolve));
});

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body: string;
  readonly answer: {
    status?: number;
    headers?: Record<string, string>;
    body?: string;
    how?: 'reset' | 'push' | 'early' | 'trailers';
  };
}

/** One connection for all; what passed on it. */
async function talk(all: readonly Asked[], options: http2.ClientSessionOptions = {}): Promise<readonly Passed[]> {
  const client = http2.connect(`http://127.0.0.1:${relay.port}`, options);
  await Promise.all(
    all.map(async ({ method, path, headers, body, answer }) => {
      const stream = client.request(
        { ':method': method, ':path': path, ...headers, 'x-answer': encodeURIComponent(JSON.stringify(answer)) },
        { endStream: body === '' },
      );
      stream.on('error', () => {}).resume();
      if (body !== '') stream.end(Buffer.from(body, 'latin1'));
      await once(stream, 'close');
    }),
  );
  await client.close();
  if (!client.destroyed) await once(client, 'close');
  const passed = relay.connections.at(-1);
  if (passed === undefined) throw new Error('nothing passed');
  return passed;
}

/** Read whole, or in pieces of `size`. */
function read(passed: readonly Passed[], size = 1 << 20): { to: Http2Conversation; heard: Heard[] } {
  const { to, heard } = listening((begin) => new Http2Conversation(begin));
  for (const [way, bytes] of passed)
    for (let at = 0; at < bytes.length; at += size) {
      const piece = Buffer.from(bytes.subarray(at, at + size));
      if (way === '>') to.sent(piece);
      else to.received(piece);
    }
  return { to, heard };
}

const GET: Asked = { method: 'GET', path: '/', headers: {}, body: '', answer: {} };

describe('an HTTP/2 conversation', () => {
  it('tells of real streams what was asked and answered, however they were cut and interleaved', async () => {
    const text = fc
      .string({ maxLength: 40, unit: fc.constantFrom(...'abcXYZ019 ~!"%&/()=?ß\u00ff{}[]|<>;:,._-') })
      .map((s) => s.trim());
    const headers = fc.dictionary(fc.stringMatching(/^x-[a-z0-9_-]{1,20}$/), text, { maxKeys: 6 });
    const body = fc.oneof(
      fc.constant(''),
      fc.string({ maxLength: 100, unit: 'binary-ascii' }),
      fc.integer({ min: 1, max: 60_000 }).map((n) => 'b'.repeat(n)),
    );
    const asked: fc.Arbitrary<Asked> = fc.record({
      method: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE'),
      path: fc.stringMatching(/^\/[a-z0-9/%?=&._-]{0,60}$/),
      headers,
      body,
      answer: fc.record(
        {
          status: fc.constantFrom(200, 201, 302, 404, 503),
          headers,
          body,
          how: fc.constantFrom('early' as const, 'trailers' as const, 'push' as const),
        },
        { requiredKeys: ['status', 'headers', 'body'] },
      ),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(asked, { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 1, max: 3000 }),
        async (all, size) => {
          const passed = await talk(all, { settings: { enablePush: true } });
          const { to, heard } = read(passed, size);
          expect([to.state, to.problem]).toEqual(['reading', undefined]);
          const of = (way: '>' | '<') => passed.reduce((sum, [other, bytes]) => sum + (other === way ? bytes.length : 0), 0);
          expect(to.read).toEqual({ sent: of('>'), received: of('<') });
          const told = heard.map((one) => [
            one.asked?.method,
            one.asked?.target,
            one.sent,
            one.answer?.status,
            one.received,
            one.end,
          ]);
          const expected = all.map(({ method, path, body, answer }) => [method, path, body, answer.status, answer.body, null]);
          // Streams are opened in the order in which they were asked for.
          expect(told).toEqual(expected);
          for (const [i, one] of heard.entries()) {
            expect(one.asked?.headers).toMatchObject({ ...all[i]!.headers, ':authority': `127.0.0.1:${relay.port}` });
            expect(one.answer?.headers).toMatchObject(all[i]!.answer.headers ?? {});
            expect(one.trailers.received).toEqual(all[i]!.answer.how === 'trailers' ? { 'x-sum': 'of it' } : {});
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  it('reads what nghttp2 sends with padding, a small or large table of headers, and long headers', async () => {
    const long = 'l'.repeat(40_000);
    for (const settings of [{ headerTableSize: 0 }, { headerTableSize: 200 }, { headerTableSize: 65_536 }]) {
      const all = Array.from({ length: 30 }, (_, i) => ({
        ...GET,
        path: `/${i}`,
        headers: { 'x-long': i % 3 ? `${i}` : long, 'x-same': 'same' },
      }));
      const passed = await talk(all, {
        settings,
        paddingStrategy: http2.constants.PADDING_STRATEGY_MAX,
        maxSendHeaderBlockLength: 100_000,
      });
      const { to, heard } = read(passed, 777);
      expect(to.problem).toBeUndefined();
      expect(heard.map((one) => [one.asked?.target, one.end])).toEqual(all.map(({ path }) => [path, null]));
      expect(heard[0]?.asked?.headers['x-long']).toBe(long);
    }
  });

  it('says what was reset, and what was under way when the connection went', async () => {
    const passed = await talk([{ ...GET, answer: { how: 'reset' } }, GET]);
    expect(read(passed).heard.map((one) => one.end)).toEqual(['reset, code 8', null]);
    const { to, heard } = read(passed.filter(([way]) => way === '>'));
    to.close();
    expect(heard.map((one) => one.end)).toEqual(['aborted', 'aborted']);
  });

  it('reads curl', async ({ skip }) => {
    if (!spawnSync('curl', ['--version'], { encoding: 'utf8' }).stdout?.includes('nghttp2')) return skip('no curl with HTTP/2');
    const url = `http://127.0.0.1:${relay.port}/a?b`;
    const child = spawn('curl', [
      '-s',
      '--http2-prior-knowledge',
      '-H',
      'x-answer: {"status":201}',
      '--data-binary',
      'what',
      url,
    ]);
    await once(child, 'close');
    expect(child.exitCode).toBe(0);
    const { heard } = read(relay.connections.at(-1)!);
    expect(heard.map((one) => one.short)).toEqual(['POST /a?b what > 201 what null']);
    expect(heard[0]?.asked?.headers['user-agent']).toMatch(/^curl/);
  });

  it('pairs an answer that is reported before its question', async () => {
    const passed = await talk([GET, { ...GET, path: '/2', body: 'x' }]);
    const turned = [...passed.filter(([way]) => way === '<'), ...passed.filter(([way]) => way === '>')];
    expect(read(turned, 50).heard.map((one) => one.short)).toEqual(['GET /  > 200  null', 'GET /2 x > 200 x null']);
  });

  it('keeps its place after a hole inside of a body, and nowhere else', async () => {
    const body = 'd'.repeat(10_000);
    const passed = await talk([{ ...GET, method: 'POST', body, answer: { body } }, GET]);
    const bytes = Buffer.concat(passed.filter(([way]) => way === '<').map(([, some]) => some));
    const asked = Buffer.concat(passed.filter(([way]) => way === '>').map(([, some]) => some));
    const inside = bytes.indexOf('dddd') + 100;
    const around = (from: number, to: number) => {
      const { to: conversation, heard } = listening((begin) => new Http2Conversation(begin));
      conversation.sent(asked);
      conversation.received(bytes.subarray(0, from));
      conversation.receivedLeftOut(to - from);
      conversation.received(bytes.subarray(to));
      conversation.close();
      return {
        state: conversation.state,
        ends: heard.map((one) => one.end),
        leftOut: heard.map((one) => one.leftOut.received),
      };
    };
    expect(around(inside, inside + 5000)).toEqual({ state: 'reading', ends: [null, null], leftOut: [5000, 0] });
    for (const at of [0, 5, inside - 105]) expect(around(at, at + 3).state).toBe('unreadable');
    expect(around(inside, inside + 20_000).state).toBe('unreadable');
  });

  it('follows HPACK through all of its forms', () => {
    // RFC 7541 C.6: responses with Huffman coding and a table of 256 bytes, in which entries are evicted. (The size is set first.)
    const blocks = [
      '3fe101' + '488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3',
      '4883640effc1c0bf',
      '88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007',
    ];
    const { to, heard } = listening((begin) => new Http2Conversation(begin));
    to.sent(Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'));
    for (const [i, block] of blocks.entries()) {
      const id = 2 * i + 1;
      // GET http /: all in the static table.
      to.sent(frame(1, 5, id, Buffer.from('828684', 'hex')));
      to.received(frame(1, 5, id, Buffer.from(block, 'hex')));
    }
    expect(heard.map((one) => one.answer)).toEqual([
      {
        status: 302,
        headers: { 'cache-control': 'private', date: 'Mon, 21 Oct 2013 20:13:21 GMT', location: 'https://www.example.com' },
      },
      {
        status: 307,
        headers: { 'cache-control': 'private', date: 'Mon, 21 Oct 2013 20:13:21 GMT', location: 'https://www.example.com' },
      },
      {
        status: 200,
        headers: {
          'cache-control': 'private',
          date: 'Mon, 21 Oct 2013 20:13:22 GMT',
          location: 'https://www.example.com',
          'content-encoding': 'gzip',
          'set-cookie': ['foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1'],
        },
      },
    ]);
  });

  it.each([
    ['another preface', 'GET / HTTP/1.1\r\nHost: h\r\n\r\n', ''],
    ['a header block that another frame interrupts', frame(1, 1, 1, '82'), frame(0, 0, 1, '')],
    ['a continuation of nothing', frame(9, 4, 1, '82'), ''],
    ['more padding than frame', frame(0, 8, 1, '05'), ''],
    ['an entry that does not exist', frame(1, 5, 1, 'ff7f'), ''],
    ['a table of gigabytes', frame(1, 5, 1, '3fffffff07'), ''],
    ['a string longer than the block', frame(1, 5, 1, '40ff7f'), ''],
    ['Huffman padding that is none', frame(1, 5, 1, '4081e0'), ''],
    ['EOS in a string', frame(1, 5, 1, '4084ffffffff'), ''],
    ['a request without method or path', frame(1, 5, 1, '86'), ''],
    ['headers without end', frame(1, 1, 1, Buffer.alloc(60_000, 0x82)), frame(9, 0, 1, Buffer.alloc(60_000, 0x82))],
    ['a few bytes that unfold to megabytes', frame(1, 5, 1, Buffer.concat([Buffer.from('828684', 'hex'), bomb()])), ''],
  ])('does not believe %s', (what, first, second) => {
    const { to, heard } = listening((begin) => new Http2Conversation(begin));
    if (what !== 'another preface') to.sent(Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'));
    to.sent(Buffer.from(first));
    to.sent(Buffer.from(second));
    expect(to.state).toBe('unreadable');
    expect(heard.every((one) => one.end?.startsWith('unreadable: request: '))).toBe(true);
  });

  it('survives anything', () => {
    const kind = fc.record({
      type: fc.integer({ min: 0, max: 10 }),
      flags: fc.constantFrom(0, 1, 4, 5, 8, 13, 37, 255),
      stream: fc.constantFrom(0, 1, 2, 3, 5, 7, 0x7fffffff),
      payload: fc.oneof(
        fc.constantFrom('828684', '88', '0005', '00000008', '3fe101', '82868440017801798b', 'be'),
        fc.uint8Array({ maxLength: 30 }).map((b) => Buffer.from(b).toString('hex')),
      ),
    });
    const item = fc.tuple(
      fc.constantFrom('>' as const, '<' as const),
      fc.oneof(
        { weight: 8, arbitrary: kind.map(({ type, flags, stream, payload }) => frame(type, flags, stream, payload)) },
        { weight: 1, arbitrary: fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)) },
        { weight: 1, arbitrary: fc.integer({ min: 1, max: 40 }) },
      ),
    );
    fc.assert(
      fc.property(fc.array(item, { maxLength: 40 }), fc.boolean(), (items, preface) => {
        const { to, heard } = listening((begin) => new Http2Conversation(begin));
        if (preface) to.sent(Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'));
        for (const [way, what] of items) {
          if (typeof what === 'number') (way === '>' ? to.sentLeftOut : to.receivedLeftOut).call(to, what);
          else (way === '>' ? to.sent : to.received).call(to, what);
        }
        to.close();
        for (const one of heard) expect(one.end).not.toBeUndefined();
        expect(to.state === 'unreadable').toBe(to.problem !== undefined);
      }),
      { numRuns: 2000 },
    );
  });
});

function frame(type: number, flags: number, stream: number, payload: string | Buffer): Buffer {
  const bytes = typeof payload === 'string' ? Buffer.from(payload, 'hex') : payload;
  const head = Buffer.alloc(9);
  head.writeUIntBE(bytes.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, bytes]);
}

/** An entry of 3 KB, and references to it. */
function bomb(): Buffer {
  const value = Buffer.alloc(3000, 0x78);
  return Buffer.concat([
    Buffer.from([0x40, 1, 0x78, 0x7f, ((3000 - 127) & 0x7f) | 0x80, (3000 - 127) >> 7]),
    value,
    Buffer.alloc(2000, 0xbe),
  ]);
}
