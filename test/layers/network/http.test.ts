import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import { join } from 'node:path';
import tls from 'node:tls';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readAll, request, sha256, World } from './harness.ts';

const run = promisify(execFile);
const world = new World();
beforeAll(() => world.start());
afterAll(() => world.stop());

describe('HTTP through the network proxy', () => {
  it('reaches the original address with target, header case and header order untouched', async () => {
    const seen: { url?: string; rawHeaders?: string[] } = {};
    const port = await world.http('127.81.0.1', (q, r) => {
      Object.assign(seen, { url: q.url, rawHeaders: q.rawHeaders });
      r.writeHead(203, 'Quite Fine', [
        'X-One',
        'a',
        'set-cookie',
        'a=1',
        'X-oNe',
        'b',
        'Set-Cookie',
        'b=2',
        'Content-Length',
        '2',
      ]);
      r.end('ok');
    });
    const socket = world.steer('127.81.0.1', port, '42@9000');
    const text = readAll(socket);
    socket.write(
      `GET /a/../b'c//d%2e%2E/?q='1'&x={}|&q=2 HTTP/1.1\r\nhOsT: shop.example\r\nB: 1\r\nA: 2\r\nb: 3\r\nConnection: close\r\n\r\n`,
    );
    const answer = await text;
    expect(seen.url).toBe(`/a/../b'c//d%2e%2E/?q='1'&x={}|&q=2`);
    expect(seen.rawHeaders).toEqual(['hOsT', 'shop.example', 'B', '1', 'A', '2', 'b', '3', 'Connection', 'close']);
    expect(answer).toMatch(/^HTTP\/1\.1 203 Quite Fine\r\nX-One: a\r\nset-cookie: a=1\r\nX-oNe: b\r\nSet-Cookie: b=2\r\n/);
    expect(answer.endsWith('\r\n\r\nok')).toBe(true);

    const exchange = await world.exchange((e) => e.host === 'shop.example');
    expect(exchange).toMatchObject({
      proc: '42@9000',
      method: 'GET',
      scheme: 'http',
      port,
      addr: '127.81.0.1',
      path: "/a/../b'c//d%2e%2E/",
      query: ['q', 'x'],
      status: 203,
      request: { bytes: 0, sha256: sha256('') },
      response: { bytes: 2, sha256: sha256('ok') },
    });
    expect(exchange.from).toBeLessThanOrEqual(exchange.to);
    expect(JSON.stringify(exchange)).not.toContain("'1'");
  });

  it('reads HTTPS with the certificate of our own CA and leaves encoded bodies as they are', async () => {
    const packed = gzipSync('{"card":"4111"}');
    const port = await world.https('127.81.0.2', 'pay.example', (_, r) => {
      r.writeHead(200, { 'Content-Encoding': 'gzip', 'X-Served': 'yes' }).end(packed);
    });
    const agent = await world.agent('127.81.0.2', port, '43@1');
    const answer = await request({ agent, host: 'pay.example', port, path: '/card', method: 'POST' }, 'body');
    expect(answer.body.equals(packed)).toBe(true);
    expect(answer.rawHeaders.slice(0, 4)).toEqual(['Content-Encoding', 'gzip', 'X-Served', 'yes']);
    const exchange = await world.exchange((e) => e.host === 'pay.example');
    expect(exchange).toMatchObject({ scheme: 'https', path: '/card', status: 200, addr: '127.81.0.2', proc: '43@1' });
    expect(exchange.request).toEqual({ bytes: 4, sha256: sha256('body') });
    expect(exchange.response).toEqual({ bytes: packed.length, sha256: sha256(packed) });
  });

  it('tells by its parts that a body left which had come in encoded, as a part of a larger one', async () => {
    const secret = randomBytes(12_000);
    const port = await world.https('127.81.0.9', 'parts.example', (q, r) => {
      if (q.method === 'GET') r.writeHead(200, { 'Content-Encoding': 'gzip' }).end(gzipSync(secret));
      else q.resume().on('end', () => r.end('ok'));
    });
    const agent = await world.agent('127.81.0.9', port, '49@1');
    await request({ agent, host: 'parts.example', port, path: '/in' });
    await request(
      { agent, host: 'parts.example', port, path: '/out', method: 'POST' },
      Buffer.concat([randomBytes(300), secret]),
    );
    const came = await world.exchange((e) => e.path === '/in' && e.host === 'parts.example');
    const left = await world.exchange((e) => e.path === '/out' && e.host === 'parts.example');
    const shared = came.response.parts?.filter((part) => left.request.parts?.includes(part)) ?? [];
    expect(shared.length).toBeGreaterThanOrEqual(2);
    expect([came.request.parts, left.response.parts]).toEqual([undefined, undefined]);
  });

  it('keeps the connection alive and attributes every exchange on it to its process', async () => {
    let connections = 0;
    const port = await world.https('127.81.0.3', 'keep.example', (q, r) => r.end(q.url));
    const agent = await world.agent('127.81.0.3', port, '44@1');
    const original = agent.createConnection;
    agent.createConnection = ((...args: Parameters<typeof original>) => {
      connections++;
      return original.apply(agent, args);
    }) as never;
    for (let i = 0; i < 5; i++) {
      const answer = await request({ agent, host: 'keep.example', port, path: `/${i}` });
      expect(answer.body.toString()).toBe(`/${i}`);
    }
    await world.exchange((e) => e.path === '/4');
    const of = world.observations.filter((o) => o.kind === 'exchange' && o.host === 'keep.example');
    expect(of.map((o) => o.proc)).toEqual(Array(5).fill('44@1'));
    expect(connections).toBe(1);
  });

  it('streams 20 MB both ways with equal digests', async () => {
    const port = await world.https('127.81.0.4', 'big.example', (q, r) => q.pipe(r));
    const agent = await world.agent('127.81.0.4', port);
    const body = randomBytes(20 * 1024 * 1024);
    const answer = await request({ agent, host: 'big.example', port, path: '/big', method: 'PUT' }, body);
    expect(sha256(answer.body)).toBe(sha256(body));
    const exchange = await world.exchange((e) => e.host === 'big.example');
    expect(exchange.request).toEqual({ bytes: body.length, sha256: sha256(body) });
    expect(exchange.response).toEqual({ bytes: body.length, sha256: sha256(body) });
  });

  it('passes on a response while it is being made, informational responses and trailers included', async () => {
    let finish = (): void => {};
    const port = await world.http('127.81.0.5', (_, r) => {
      r.writeEarlyHints({ link: '</a.css>; rel=preload' });
      r.writeHead(200, { Trailer: 'X-Sum' });
      r.write('first');
      finish = () => {
        r.addTrailers({ 'X-Sum': '99' });
        r.end('second');
      };
    });
    const hints: unknown[] = [];
    const answer = await new Promise<{ chunks: string[]; trailers: NodeJS.Dict<string> }>((resolve, reject) => {
      const sent = http.get({ agent: world.plainAgent('127.81.0.5', port), host: 'slow.example', path: '/' }, (r) => {
        const chunks: string[] = [];
        r.on('data', (chunk) => {
          chunks.push(String(chunk));
          if (chunks.length === 1) finish();
        });
        r.on('end', () => resolve({ chunks, trailers: r.trailers }));
      });
      sent.on('information', (info) => hints.push(info.statusCode));
      sent.on('error', reject);
    });
    expect(answer.chunks).toEqual(['first', 'second']);
    expect(answer.trailers).toEqual({ 'x-sum': '99' });
    expect(hints).toEqual([103]);
  });

  it('speaks HTTP/2 with those who do, and HTTP/1.1 where the server has no HTTP/2', async () => {
    const port = await world.http2('127.81.0.6', 'two.example', (q, r) => {
      r.setHeader('x-version', q.httpVersion);
      q.pipe(r);
    });
    const one = await world.https('127.81.0.7', 'one.example', (q, r) => r.end(q.httpVersion));
    const ca = await world.front.caPem();
    const connect = (addr: string, at: number, host: string) =>
      new Promise<tls.TLSSocket>((resolve, reject) => {
        const socket = tls.connect(
          { socket: world.steer(addr, at, '50@2'), servername: host, ALPNProtocols: ['h2', 'http/1.1'], ca },
          () => resolve(socket),
        );
        socket.on('error', reject);
      });
    const other = await connect('127.81.0.7', one, 'one.example');
    expect(other.alpnProtocol).toBe('http/1.1');
    other.destroy();

    const socket = await connect('127.81.0.6', port, 'two.example');
    expect(socket.alpnProtocol).toBe('h2');
    const session = http2.connect('https://two.example', { createConnection: () => socket });
    const texts = await Promise.all(
      ['x', 'y', 'z'].map(
        (body) =>
          new Promise<string>((resolve, reject) => {
            const stream = session.request({ ':path': `/${body}?k=1`, ':method': 'POST' });
            let text = '';
            stream.on('response', (headers) => {
              text += headers['x-version'];
            });
            stream.on('data', (chunk) => {
              text += chunk;
            });
            stream.on('end', () => resolve(text)).on('error', reject);
            stream.end(body);
          }),
      ),
    );
    session.close();
    expect(texts).toEqual(['2.0x', '2.0y', '2.0z']);
    const exchange = await world.exchange((e) => e.path === '/y');
    expect(exchange).toMatchObject({ host: 'two.example', status: 200, proc: '50@2', method: 'POST', query: ['k'] });
    expect(exchange.request).toEqual({ bytes: 1, sha256: sha256('y') });
  });

  it('serves curl, which trusts the bundle that it is given', async () => {
    const port = await world.https('127.81.0.8', 'curl.example', (q, r) => q.resume().on('end', () => r.end(`hi ${q.url}`)));
    const bundle = join(world.folder, 'ca.pem');
    writeFileSync(bundle, await world.front.caPem());
    world.anyone = { proc: '60@5', peer: { addr: '127.81.0.8', port, proto: 'tcp' }, t: 0 };
    const { stdout } = await run(
      'curl',
      [
        '-sS',
        '--connect-to',
        `::127.0.0.1:${world.front.port}`,
        '-H',
        'Expect: 100-continue',
        '-d',
        'a=b',
        `https://curl.example:${port}/from/curl`,
      ],
      { env: { PATH: process.env.PATH!, CURL_CA_BUNDLE: bundle } },
    );
    world.anyone = undefined;
    expect(stdout).toBe('hi /from/curl');
    const exchange = await world.exchange((e) => e.host === 'curl.example');
    expect(exchange).toMatchObject({ proc: '60@5', method: 'POST', request: { bytes: 3 } });
  });

  it('records an exchange that the client aborts, and lets the server know', async () => {
    const gone = new Promise<void>((resolve) => {
      world
        .http('127.81.0.9', (_, r) => {
          r.write('never ends');
          r.on('close', () => resolve());
        })
        .then((port) => {
          http
            .get({ agent: world.plainAgent('127.81.0.9', port), host: 'abort.example', path: '/endless' }, (r) =>
              r.once('data', () => r.destroy()),
            )
            .on('error', () => {});
        });
    });
    await gone;
    const exchange = await world.exchange((e) => e.host === 'abort.example');
    expect(exchange.status).toBe(200);
    expect(exchange.error).toBeDefined();
    expect(exchange.response).toEqual({ bytes: 10 });
  });

  it('breaks the connection when the server breaks it, without inventing an answer', async () => {
    const port = await world.http('127.81.0.10', (_, r) => {
      r.writeHead(200, { 'content-length': '100' }).write('half');
      setTimeout(() => r.destroy(), 20);
    });
    const refused = await world.http('127.81.0.11', () => {});
    await expect(
      request({ protocol: 'http:', agent: world.plainAgent('127.81.0.10', port), host: 'cut.example', path: '/' }),
    ).rejects.toThrow();
    expect((await world.exchange((e) => e.host === 'cut.example')).error).toBeDefined();
    await expect(
      request({ protocol: 'http:', agent: world.plainAgent('127.81.0.12', refused), host: 'down.example', path: '/' }),
    ).rejects.toMatchObject({ code: 'ECONNRESET' });
    const exchange = await world.exchange((e) => e.host === 'down.example');
    expect(exchange.error).toBe('ECONNREFUSED');
    expect(exchange.status).toBeUndefined();
  });
});
