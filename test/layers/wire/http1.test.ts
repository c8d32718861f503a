import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Http1Conversation } from '../../../layers/capture/wire/http1.ts';
import { type Heard, listening } from './listening.ts';

const GET = 'GET /a?b=c HTTP/1.1\r\nHost: h\r\n\r\n';
const answer = (head: string, body = ''): string => `HTTP/1.1 ${head.replaceAll('\n', '\r\n')}\r\n\r\n${body}`;
/** `>` sent, `<` received, `!>n` and `!<n` passed unseen, `<eof`, `close`. */
type Step = readonly ['>' | '<', string] | readonly ['!>' | '!<', number] | readonly ['eof' | 'close'];

function read(...steps: readonly Step[]): { to: Http1Conversation; heard: Heard[]; short: string[] } {
  const { to, heard } = listening((begin) => new Http1Conversation(begin));
  for (const [what, value] of steps) {
    if (what === '>') to.sent(Buffer.from(value, 'latin1'));
    else if (what === '<') to.received(Buffer.from(value, 'latin1'));
    else if (what === '!>') to.sentLeftOut(value);
    else if (what === '!<') to.receivedLeftOut(value);
    else if (what === 'eof') to.receivedEnd();
    else to.close();
  }
  return { to, heard, short: heard.map((one) => one.short) };
}

describe('an HTTP/1 conversation', () => {
  it('is read request by request as long as the connection is kept', () => {
    const { heard, short, to } = read(
      ['>', GET],
      ['<', answer('200 OK\nContent-Length: 3', 'one')],
      ['>', 'POST /p HTTP/1.1\r\nhost: h\r\ncontent-length: 4\r\n\r\nbody'],
      ['<', answer('204 No Content')],
      ['>', GET],
      ['<', answer('304 Not Modified\nContent-Length: 77')],
      ['>', GET.replace('GET', 'HEAD')],
      ['<', answer('200 OK\nContent-Length: 77')],
    );
    expect(short).toEqual([
      'GET /a?b=c  > 200 one null',
      'POST /p body > 204  null',
      'GET /a?b=c  > 304  null',
      'HEAD /a?b=c  > 200  null',
    ]);
    expect(heard[0]?.asked?.headers).toEqual({ host: 'h' });
    expect(to.state).toBe('reading');
  });

  it('reads chunks and trailers in both directions', () => {
    const { heard, short } = read(
      ['>', 'POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n4;x="y"\r\nWiki\r\n0\r\nX-Sent: 1\r\n\r\n'],
      [
        '<',
        answer('200 OK\ntransfer-encoding: Chunked', '00A\r\n0123456789\r\n5\r\npedia\r\n000\r\nX-Got: 2\r\nx-got: 3\r\n\r\n'),
      ],
    );
    expect(short).toEqual(['POST / Wiki > 200 0123456789pedia null']);
    expect(heard[0]?.trailers).toEqual({ sent: { 'x-sent': '1' }, received: { 'x-got': '2, 3' } });
  });

  it('pairs pipelined requests with their answers, whatever comes first', () => {
    const { short } = read(
      ['>', GET + GET.replace('/a', '/2') + GET.replace('GET', 'HEAD')],
      [
        '<',
        answer('200 OK\nContent-Length: 1', '1') +
          answer('200 OK\nContent-Length: 1', '2') +
          answer('200 OK\nContent-Length: 1'),
      ],
      ['<', answer('201 Created\nContent-Length: 1', '4')],
      ['>', GET.replace('/a', '/4')],
    );
    expect(short).toEqual([
      'GET /a?b=c  > 200 1 null',
      'GET /2?b=c  > 200 2 null',
      'HEAD /a?b=c  > 200  null',
      'GET /4?b=c  > 201 4 null',
    ]);
  });

  it('passes interim responses over', () => {
    const { short } = read(
      ['>', 'PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n'],
      ['<', answer('100 Continue')],
      ['>', 'ab'],
      ['<', answer('103 Early Hints\nLink: </x>') + answer('200 OK\nContent-Length: 0')],
    );
    expect(short).toEqual(['PUT / ab > 200  null']);
  });

  it('ends a body without a length where the server ends the connection, and calls it cut short when nobody saw that', () => {
    const steps: Step[] = [
      ['>', GET],
      ['<', 'HTTP/1.0 200 OK\r\n\r\nsome'],
      ['<', ' more'],
    ];
    expect(read(...steps, ['eof'], ['close']).short).toEqual(['GET /a?b=c  > 200 some more null']);
    expect(read(...steps, ['close']).short).toEqual(['GET /a?b=c  > 200 some more aborted']);
  });

  it.each([
    [
      'GET /chat HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
      '101 Switching Protocols\nUpgrade: websocket',
    ],
    ['CONNECT far:443 HTTP/1.1\r\nHost: far:443\r\n\r\n', '200 Connection established\nContent-Length: 5'],
  ])('ends where another protocol begins', (ask, reply) => {
    const { to, short, heard } = read(
      ['>', `${ask}\x81\x05early`],
      ['<', `${answer(reply)}\x81\x05frame`],
      ['>', 'GET nothing'],
      ['close'],
    );
    expect(short).toHaveLength(1);
    expect(heard[0]?.end).toBeNull();
    expect(to.state).toBe('tunnel');
    expect(to.read).toEqual({ sent: ask.length, received: answer(reply).length });
  });

  it('goes on when the other protocol is refused', () => {
    const ask = 'GET /chat HTTP/1.1\r\nHost: h\r\nUpgrade: h2c\r\n\r\n';
    const { short } = read(
      ['>', ask],
      ['>', GET],
      ['<', answer('200 OK\nContent-Length: 2', 'no')],
      ['<', answer('204 No Content')],
    );
    expect(short).toEqual(['GET /chat  > 200 no null', 'GET /a?b=c  > 204  null']);
  });

  it('keeps its place when a part of a body was not seen', () => {
    const { heard, short } = read(
      ['>', 'PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\nab'],
      ['!>', 998],
      ['<', answer('200 OK\nTransfer-Encoding: chunked', '64\r\nabcd')],
      ['!<', 96],
      ['<', '\r\n0\r\n\r\n'],
      ['>', GET],
      ['<', 'HTTP/1.0 200 OK\r\n\r\n'],
      ['!<', 7],
      ['eof'],
    );
    expect(short).toEqual(['PUT / ab > 200 abcd null', 'GET /a?b=c  > 200  null']);
    expect(heard.map((one) => one.leftOut)).toEqual([
      { sent: 998, received: 96 },
      { sent: 0, received: 7 },
    ]);
  });

  it('is unreadable from a hole on that hides where a message ends', () => {
    const { to, short } = read(
      ['>', GET],
      ['<', answer('200 OK\nContent-Length: 3')],
      ['!<', 4],
      ['>', GET],
      ['<', answer('204 No')],
    );
    // The three bytes are known to have been the body; what the fourth was is not.
    expect(short).toEqual(['GET /a?b=c  > 200  null']);
    expect([to.state, to.problem]).toEqual(['unreadable', 'response: a part of it was not seen']);
  });

  it.each([
    [
      'two answers to where the body ends',
      'POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n',
    ],
    ['two lengths', 'POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n'],
    ['a signed length', 'POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +4\r\n\r\n'],
    ['an endless length', `POST / HTTP/1.1\r\nHost: h\r\nContent-Length: ${'9'.repeat(20)}\r\n\r\n`],
    ['chunked before the end', 'POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, gzip\r\n\r\n'],
    ['a coding that does not end', 'POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n'],
    ['a coding in HTTP/1.0', 'POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n'],
    ['a chunk in hexadecimal notation', 'POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0x4\r\nabcd\r\n'],
    ['a chunk larger than a number', `POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n${'f'.repeat(14)}\r\n`],
    ['a chunk longer than it says', 'POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcdef'],
    ['a folded field', 'GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n'],
    ['a space before the colon', 'GET / HTTP/1.1\r\nHost : h\r\n\r\n'],
    ['a CR in a field', 'GET / HTTP/1.1\r\nHost: h\rX: y\r\n\r\n'],
    ['two hosts', 'GET / HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n'],
    ['a space in the target', 'GET /a b HTTP/1.1\r\nHost: h\r\n\r\n'],
    ['another version', 'GET / HTTP/2.0\r\nHost: h\r\n\r\n'],
    ['a head that does not end', `GET / HTTP/1.1\r\n${'X-Long: 0123456789\r\n'.repeat(4000)}`],
    ['too many fields', `GET / HTTP/1.1\r\n${'x: y\r\n'.repeat(257)}\r\n`],
    ['another protocol', '*1\r\n$4\r\nPING\r\n\r\n'],
  ])('does not believe %s', (_what, bytes) => {
    const { to, heard } = read(['>', bytes], ['<', answer('200 OK\nContent-Length: 0')]);
    expect(to.state).toBe('unreadable');
    expect(heard.map((one) => one.end?.startsWith('unreadable: request: '))).toEqual(heard.map(() => true));
    expect(heard.map((one) => one.answer)).toEqual(heard.map(() => undefined));
  });

  it('takes an answer that switches without having been asked for none', () => {
    expect(read(['>', GET], ['<', answer('101 Switching Protocols')]).to.state).toBe('unreadable');
  });

  it('waits for the end of a request that is answered before', () => {
    const ask = 'POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbo';
    const early = answer('413 Content Too Large\nContent-Length: 2', 'no');
    expect(read(['>', ask], ['<', early], ['>', 'dy'], ['>', GET], ['<', answer('204 No')]).short).toEqual([
      'POST / body > 413 no null',
      'GET /a?b=c  > 204  null',
    ]);
    const { heard, short } = read(['>', ask], ['<', early], ['close']);
    expect(short).toEqual(['POST / bo > 413 no null']);
    expect(heard[0]?.trailers.sent).toBeUndefined();
  });

  it('reports what is under way when the connection goes, once', () => {
    const { short } = read(
      ['>', `${GET}POST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhal`],
      ['<', answer('200 OK\nContent-Length: 9', 'ha')],
      ['close'],
      ['close'],
    );
    expect(short).toEqual(['GET /a?b=c  > 200 ha aborted', 'POST /2 hal > undefined  aborted']);
  });

  it('holds no more than it must: an answer without a question makes it unreadable', () => {
    expect(read(['<', 'x'.repeat(64 * 1024)]).to.state).toBe('reading');
    expect(read(['<', 'x'.repeat(64 * 1024 + 1)]).to.state).toBe('unreadable');
    expect(read(['>', `${GET.replace('\r\n\r\n', '\r\nUpgrade: x\r\n\r\n')}${'x'.repeat(64 * 1024 + 1)}`]).to.state).toBe(
      'unreadable',
    );
  });

  it('takes time in proportion to what it reads', () => {
    const blank = ' '.repeat(60_000);
    for (let times = 0; times < 30; times++) {
      for (const field of [`X: a${blank}b`, `Transfer-Encoding: a${blank}b`, `Content-Length: 5${blank}5`, `X:${blank}`])
        read(['>', `GET / HTTP/1.1\r\n${field}\r\n\r\n`]);
    }
    const { to } = listening((begin) => new Http1Conversation(begin));
    for (const byte of `GET / HTTP/1.1\r\n${'a\n'.repeat(30_000)}`) to.sent(Buffer.from(byte));
    expect(to.state).toBe('reading');
  });

  /** Messages with bodies of all kinds, in their wire form. */
  const body = fc.string({ maxLength: 60, unit: 'binary-ascii' });
  const message = fc
    .record({ body, chunked: fc.boolean(), sizes: fc.array(fc.integer({ min: 1, max: 20 }), { maxLength: 8 }) })
    .map(({ body, chunked, sizes }) => {
      if (!chunked) return { body, head: `Content-Length: ${body.length}`, bytes: body };
      let bytes = '';
      let at = 0;
      for (const size of [...sizes, 1000]) {
        const piece = body.slice(at, at + size);
        at += size;
        if (piece !== '') bytes += `${piece.length.toString(16)}\r\n${piece}\r\n`;
      }
      return { body, head: 'Transfer-Encoding: chunked', bytes: `${bytes}0\r\n\r\n` };
    });

  it('tells the same whatever the pieces are in which it comes', () => {
    const cuts = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(message, message), { minLength: 1, maxLength: 5 }),
        cuts,
        fc.boolean(),
        (pairs, sizes, late) => {
          const ask = pairs.map(([one], i) => `POST /${i} HTTP/1.1\r\nHost: h\r\n${one.head}\r\n\r\n${one.bytes}`).join('');
          const reply = pairs.map(([, one]) => `HTTP/1.1 200 OK\r\n${one.head}\r\n\r\n${one.bytes}`).join('');
          const { to, heard } = listening((begin) => new Http1Conversation(begin));
          const [one, other] = late ? [ask, reply] : [reply, ask];
          const feed = (bytes: string, to: (bytes: Buffer) => void): void => {
            for (let at = 0, i = 0; at < bytes.length; i++) {
              const size = sizes[i % sizes.length]!;
              to(Buffer.from(bytes.slice(at, at + size), 'latin1'));
              at += size;
            }
          };
          feed(one, (bytes) => (late ? to.sent(bytes) : to.received(bytes)));
          feed(other, (bytes) => (late ? to.received(bytes) : to.sent(bytes)));
          expect(heard.map((h) => h.short)).toEqual(pairs.map(([q, a], i) => `POST /${i} ${q.body} > 200 ${a.body} null`));
          expect(to.read).toEqual({ sent: ask.length, received: reply.length });
        },
      ),
    );
  });

  it('survives anything', () => {
    const token = fc.constantFrom(
      'GET / HTTP/1.1\r\n',
      'HTTP/1.1 200 OK\r\n',
      'HTTP/1.1 101 S\r\n',
      '\r\n',
      '\n',
      'Content-Length: 5\r\n',
      'Transfer-Encoding: chunked\r\n',
      'Upgrade: x\r\n',
      '5\r\n',
      '0\r\n',
      'hello',
      'CONNECT a:1 HTTP/1.1\r\n',
      '__proto__: x\r\n',
    );
    const piece = fc.oneof({ weight: 4, arbitrary: token }, fc.string({ maxLength: 10, unit: 'binary-ascii' }));
    const step = fc.oneof(
      fc.tuple(fc.constantFrom('>' as const, '<' as const), piece),
      fc.tuple(fc.constantFrom('!>' as const, '!<' as const), fc.integer({ min: -1, max: 10 })),
      fc.tuple(fc.constantFrom('eof' as const, 'close' as const)),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { heard, to } = read(...(steps as Step[]), ['close']);
        for (const one of heard) expect(one.end).not.toBeUndefined();
        expect(to.state === 'unreadable').toBe(to.problem !== undefined);
      }),
      { numRuns: 1000 },
    );
  });
});
