import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { beginnings } from '../../../layers/capture/excerpt.ts';
import { Conversations } from '../../../layers/capture/wire/conversations.ts';
import type { WireEvent } from '../../../layers/capture/wire/event.ts';
import type { Observation } from '../../../layers/record/types.ts';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const EMPTY = { bytes: 0, sha256: sha256('') };

/** Events as the shim writes them, one µs apart. */
class Wire {
  readonly seen: Observation[] = [];
  readonly conversations = new Conversations();
  #t = 1000;
  readonly #passed = new Map<string, number>();

  open(conn = 1, port = 80): this {
    return this.event({ kind: 'open', conn, localPort: 5000, peer: { addr: '10.0.0.1', port, proto: 'tcp' } });
  }
  sent(text: string, more: Partial<WireEvent> = {}): this {
    return this.bytes(true, text, more);
  }
  received(text: string, more: Partial<WireEvent> = {}): this {
    return this.bytes(false, text, more);
  }
  bytes(sent: boolean, text: string | Buffer, more: Partial<WireEvent> & { total?: number } = {}): this {
    const bytes = Buffer.from(text as string, 'latin1');
    const event = {
      kind: 'bytes',
      sent,
      tls: false,
      hello: false,
      leftOut: false,
      conn: 1,
      total: bytes.length,
      bytes,
      ...more,
    } as const;
    const name = `${event.conn} ${event.tls} ${sent}`;
    const offset = this.#passed.get(name) ?? 0;
    if (!event.hello) this.#passed.set(name, offset + event.total);
    return this.event({ offset, ...event } as never);
  }
  close(more: Partial<WireEvent> = {}): this {
    return this.event({ kind: 'close', conn: 1, tls: false, unread: false, sent: 0, received: 0, ...more } as never);
  }
  event(event: Partial<WireEvent>): this {
    this.conversations.take({ proc: '7@70', t: this.#t++, runtimeApi: false, ...event } as WireEvent, this.seen);
    return this;
  }
  get paths(): unknown[] {
    return this.seen.map((o) =>
      o.kind === 'exchange'
        ? `${o.path} ${o.error ?? o.status}`
        : o.kind === 'tunnel'
          ? `${o.why} ${o.sent} ${o.received}`
          : o.kind,
    );
  }
}

const GET = 'GET /a?b=c&d HTTP/1.1\r\nHost: name:8080\r\n\r\n';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

describe('the conversations on teed connections', () => {
  it('tell of an exchange in the place where it ends', () => {
    const wire = new Wire()
      .open(1, 8080)
      .sent(GET, { proc: '8@80' } as never)
      .received(OK);
    expect(wire.seen).toEqual([
      {
        kind: 'exchange',
        t: 1002,
        proc: '8@80',
        id: '1-1000-0',
        seenBy: 'tap',
        from: 1001,
        answered: 1002,
        to: 1002,
        method: 'GET',
        scheme: 'http',
        host: 'name',
        port: 8080,
        addr: '10.0.0.1',
        path: '/a',
        query: ['b', 'd'],
        status: 200,
        request: EMPTY,
        response: { bytes: 2, sha256: sha256('ok') },
        keys: [],
        resources: [],
      },
    ]);
    expect(wire.sent(GET).received(OK).close().paths).toEqual(['/a 200', '/a 200']);
  });

  it('tell the parts of bodies up to 64 KB, whoever is spoken to', () => {
    const put = (host: string, body: Buffer) => {
      const wire = new Wire().open();
      wire.sent(`PUT /x HTTP/1.1\r\nHost: ${host}\r\nContent-Length: ${body.length}\r\n\r\n`).bytes(true, body);
      const [exchange] = wire.received(OK).close().seen;
      return exchange?.kind === 'exchange' ? exchange.request : undefined;
    };
    const body = Buffer.from(Array.from({ length: 300 }, (_, i) => sha256(String(i))).join(''));
    expect(put('drop.example', body)?.parts?.length).toBeGreaterThan(2);
    expect(put('b.s3.eu-west-1.amazonaws.com', body)).toEqual(put('drop.example', body));
    const long = put('drop.example', Buffer.concat([body, body, body, body]));
    expect(long).toEqual({ bytes: 4 * body.length, sha256: sha256(body.toString().repeat(4)) });
  });

  it('tell TLS from what went before it on the same connection', () => {
    const wire = new Wire()
      .open(1, 3128)
      .sent('CONNECT name:443 HTTP/1.1\r\nHost: name:443\r\n\r\n')
      .received('HTTP/1.1 200 OK\r\n\r\n');
    wire.sent(GET, { tls: true }).received(OK, { tls: true }).close({ tls: true, sent: 41, received: 40 });
    expect(wire.seen).toMatchObject([
      { method: 'CONNECT', scheme: 'http', host: 'name', path: 'name:443', status: 200 },
      { method: 'GET', scheme: 'https', host: 'name', path: '/a', status: 200, addr: '10.0.0.1' },
    ]);
  });

  it('name the host that a forward proxy is asked for', () => {
    const wire = new Wire().open(1, 3128).sent('GET http://u:p@far.example/x?y HTTP/1.1\r\nHost: wrong\r\n\r\n').received(OK);
    expect(wire.seen).toMatchObject([{ scheme: 'http', host: 'far.example', path: '/x', query: ['y'], port: 3128 }]);
  });

  it('give bodies that were not seen whole no digest', () => {
    const ask = 'PUT /p HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc';
    const answer = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n';
    const wire = new Wire().open().sent(ask);
    wire.sent('def', { total: 6, leftOut: true } as never);
    wire.received(answer).close({ sent: ask.length + 6, received: answer.length + 4 });
    // The connection's totals say that the last bytes were there.
    expect(wire.seen).toMatchObject([{ status: 200, request: { bytes: 9 }, response: { bytes: 4 } }]);
    expect(JSON.stringify(wire.seen)).not.toMatch(/sha256|error/);
  });

  it('keep bodies of AWS calls for the identifiers in them', () => {
    const sign =
      'Authorization: AWS4-HMAC-SHA256 Credential=AKID/20260101/eu-west-1/sqs/aws4_request, SignedHeaders=host, Signature=0\r\n';
    const body = '{"QueueUrl":"https://sqs/1/queue","MessageBody":"hello"}';
    const answer = '{"MessageId":"the-id"}';
    const wire = new Wire().open();
    wire.sent(
      `POST / HTTP/1.1\r\nHost: sqs\r\nX-Amz-Target: AmazonSQS.SendMessage\r\n${sign}Content-Length: ${body.length}\r\n\r\n${body}`,
    );
    wire.received(`HTTP/1.1 200 OK\r\nContent-Length: ${answer.length}\r\n\r\n${answer}`);
    expect(wire.seen).toMatchObject([
      { aws: { service: 'sqs', operation: 'SendMessage' }, keys: [{ key: 'sqs:the-id', sure: 'exact' }] },
    ]);
  });

  it('give the beginning of bodies where that is wanted', () => {
    beginnings.wanted = true;
    try {
      expect(new Wire().open().sent(GET).received(OK).seen).toMatchObject([{ response: { bytes: 2, text: 'ok' } }]);
    } finally {
      beginnings.wanted = false;
    }
  });

  it('pass what is no HTTP as a tunnel', () => {
    expect(new Wire().open().sent('\x16\x03\x01').received('later').close().paths).toEqual(['not-http 3 5']);
    expect(new Wire().open().received('220 smtp.example ready\r\n').sent('EHLO me\r\n').close().paths).toEqual([
      'not-http 9 24',
    ]);
    expect(new Wire().open().received('x'.repeat(20_000)).sent(GET).close().paths).toEqual([`not-http ${GET.length} 20000`]);
    expect(new Wire().open().sent('GE').close().paths).toEqual(['not-http 2 0']);
    expect(new Wire().open().close().paths).toEqual([]);
  });

  it('name the server of TLS that nobody could look into', () => {
    // A ClientHello with nothing but a server name.
    const name = Buffer.from('example.org');
    const sni = Buffer.concat([Buffer.from([0, 0, 0, name.length + 5, 0, name.length + 3, 0, 0, name.length]), name]);
    const body = Buffer.concat([
      Buffer.from([3, 3]),
      Buffer.alloc(32),
      Buffer.from([0, 0, 2, 19, 1, 1, 0, 0, sni.length]),
      sni,
    ]);
    const hello = Buffer.concat([Buffer.from([22, 3, 1, 0, body.length + 4, 1, 0, 0, body.length]), body]);
    const wire = new Wire()
      .open(1, 443)
      .bytes(true, hello, { hello: true } as never)
      .close({ unread: true, sent: 500, received: 900 });
    expect(wire.seen).toMatchObject([{ kind: 'tunnel', why: 'unreadable', sni: 'example.org', sent: 500, received: 900 }]);
  });

  it('tell what passed after a switch of protocols, and after HTTP that has two meanings', () => {
    const wire = new Wire().open().sent(GET.replace('\r\n\r\n', '\r\nUpgrade: websocket\r\n\r\n'));
    wire.received('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n12345').sent('123').close();
    expect(wire.paths).toEqual(['/a 101', 'not-http 3 5']);
    const both = 'POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n';
    expect(new Wire().open().sent(GET).received(OK).sent(`${both}smuggled`).received('answer').close().paths).toEqual([
      '/a 200',
      `unreadable ${both.length + 8} 6`,
    ]);
  });

  it('end with the process, whoever says so', () => {
    for (const proc of ['7@70', 7]) {
      const wire = new Wire().open().sent(GET).received(OK.slice(0, -1));
      wire.conversations.gone('7@71', 5000, wire.seen);
      wire.conversations.gone(70, 5000, wire.seen);
      expect(wire.seen).toEqual([]);
      wire.conversations.gone(proc, 5000, wire.seen);
      wire.conversations.gone(proc, 5001, wire.seen);
      expect(wire.seen).toMatchObject([
        { kind: 'exchange', t: 5000, to: 5000, status: 200, error: 'aborted', response: { bytes: 1 } },
      ]);
    }
  });

  it('end with the instance', () => {
    const wire = new Wire().open().sent(GET);
    wire.conversations.end(9000, wire.seen);
    expect(wire.seen).toMatchObject([{ path: '/a', from: 1001, to: 9000, error: 'under way when the instance ended' }]);
    expect(wire.received(OK).seen).toHaveLength(1);
  });

  it('do not understand who goes on after a close, or counts for himself', () => {
    const wire = new Wire().open().sent(GET).received(OK).close();
    expect(wire.sent(GET).received(OK).close().paths).toEqual(['/a 200', `unreadable ${GET.length} ${OK.length}`]);
    expect(
      new Wire()
        .open()
        .sent(GET)
        .sent(GET, { offset: 5 } as never)
        .received(OK)
        .close().paths[0],
    ).toMatch(/^\/a unreadable: two processes/);
    expect(
      new Wire()
        .open()
        .sent(GET, { offset: 5 } as never)
        .close().paths,
    ).toEqual([`unreadable ${GET.length + 5} 0`]);
    expect(new Wire().sent(GET).close().paths).toEqual([]);
  });

  it('give up the connection not used for longest, and count it', () => {
    const wire = new Wire();
    for (let conn = 1; conn <= 256; conn++) wire.open(conn).sent(GET, { conn });
    wire.received(OK, { conn: 1 }).sent(GET, { conn: 1 }).close({ conn: 3 });
    expect(wire.paths).toEqual(['/a 200', '/a aborted']);
    wire.open(1000);
    expect(wire.paths).toHaveLength(2);
    wire.open(1001);
    expect(wire.paths.slice(2)).toEqual(['/a given up for newer connections', 'gap']);
    expect(wire.seen.at(-1)).toMatchObject({ kind: 'gap', why: 'buffer-full', lost: 1 });
  });

  it('hold a bounded sum', () => {
    const wire = new Wire();
    const head = `PUT /p HTTP/1.1\r\nHost: s3.amazonaws.com\r\nX: ${'x'.repeat(50_000)}\r\nContent-Length: 1000000\r\n\r\n`;
    const body = 'b'.repeat(1_000_000);
    for (let conn = 1; conn <= 60; conn++) wire.open(conn).sent(head, { conn }).sent(body, { conn });
    for (let conn = 1; conn <= 60; conn++) wire.received(OK, { conn });
    // Bodies that found no room are only summed up.
    expect(wire.seen).toHaveLength(60);
    for (const o of wire.seen) expect(o).toMatchObject({ status: 200, request: { bytes: 1_000_000, sha256: sha256(body) } });
    const many = new Wire();
    for (let i = 0; i < 100; i++) many.open(i).sent(GET.repeat(200), { conn: i });
    expect(many.paths.some((path) => String(path).includes('too much is under way'))).toBe(true);
    for (let i = 0; i < 100; i++) many.close({ conn: i });
    // All that was held has been given back.
    const before = many.seen.length;
    for (let i = 0; i < 10; i++)
      many
        .open(i + 1000)
        .sent(GET.repeat(200), { conn: i + 1000 })
        .received(OK.repeat(200), { conn: i + 1000 });
    expect(many.paths.slice(before)).toEqual(Array(2000).fill('/a 200'));
  });

  it('survive anything', () => {
    const piece = fc.constantFrom(
      GET,
      OK,
      'HTTP/1.1 101 x\r\n\r\n',
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
      '\0\0\0\x04\0\0\0\0\0',
      '\x16\x03\x01\0\x05\x01\0\0\x01\0',
      'GET /',
      '\r\n',
      'x',
    );
    const event = fc.oneof(
      fc.record({ kind: fc.constant('open' as const), conn: fc.nat(3) }),
      fc.record({
        kind: fc.constant('close' as const),
        conn: fc.nat(3),
        tls: fc.boolean(),
        unread: fc.boolean(),
        sent: fc.maxSafeNat(),
        received: fc.maxSafeNat(),
      }),
      fc.record({ kind: fc.constant('exit' as const) }),
      fc.record(
        {
          kind: fc.constant('bytes' as const),
          conn: fc.nat(3),
          sent: fc.boolean(),
          piece,
          tls: fc.boolean(),
          hello: fc.boolean(),
          offset: fc.oneof(fc.nat(50), fc.maxSafeNat()),
          total: fc.nat(100),
        },
        { requiredKeys: ['kind', 'conn', 'sent', 'piece'] },
      ),
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 40 }), (events) => {
        const wire = new Wire();
        for (const one of events) {
          if (one.kind === 'open') wire.open(one.conn);
          else if (one.kind === 'close') wire.close(one);
          else if (one.kind === 'exit') wire.conversations.gone('7@70', 2000, wire.seen);
          else {
            const { piece, total, sent, ...more } = one;
            wire.bytes(sent, piece, {
              ...more,
              ...(total === undefined ? {} : { total: Math.max(total, piece.length), leftOut: true }),
            } as never);
          }
        }
        wire.conversations.end(9999, wire.seen);
        expect(wire.seen.filter((o) => o.kind === 'gap')).toEqual([]);
      }),
      { numRuns: 2000 },
    );
  });
});
