import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import tls from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { createAuthority } from '../../../layers/capture/network/authority.ts';
import { readAll, request, World } from './harness.ts';

const world = new World();
beforeAll(() => world.start());
afterAll(() => world.stop());

describe('what the network proxy passes on unread', () => {
  it('passes on a request that leaves HTTP for another protocol than WebSocket', async () => {
    const port = await world.listen(
      http.createServer().on('upgrade', (_, socket) => {
        socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhi ');
        socket.pipe(socket);
      }),
      '127.82.0.99',
    );
    const socket = world.steer('127.82.0.99', port, '70@1');
    const text = readAll(socket);
    socket.write('GET / HTTP/1.1\r\nHost: echo.example\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
    socket.on('data', (chunk) => {
      if (chunk.toString().includes('hi ')) socket.end('you');
    });
    expect(await text).toMatch(/\r\n\r\nhi you$/);
    expect(await world.tunnel((t) => t.peer.addr === '127.82.0.99')).toMatchObject({ proc: '70@1', why: 'not-http' });
  });

  it('lets the server speak first, at once on the second connection', async () => {
    const greeting = Buffer.from('J\0\0\0\n8.0.36\0', 'latin1');
    const port = await world.listen(
      net.createServer((socket) => {
        socket.write(greeting);
        socket.once('data', (login) => socket.end(Buffer.concat([Buffer.from('OK '), login])));
      }),
      '127.82.0.1',
    );
    for (let i = 0; i < 2; i++) {
      const socket = world.steer('127.82.0.1', port, '70@1');
      const all = readAll(socket);
      await once(socket, 'data');
      socket.write('login');
      expect(await all).toBe('J\0\0\0\n8.0.36\0OK login');
    }
    const tunnel = await world.tunnel((t) => t.peer.addr === '127.82.0.1');
    expect(tunnel).toMatchObject({ why: 'not-http', proc: '70@1', sent: 5, received: greeting.length + 8 });
    expect(tunnel.peer).toEqual({ addr: '127.82.0.1', port, proto: 'tcp' });
  });

  it('carries other protocols and their half-closed connections', async () => {
    const port = await world.listen(
      net.createServer({ allowHalfOpen: true }, (socket) => {
        let text = '';
        socket.on('data', (chunk) => {
          text += chunk;
        });
        socket.on('end', () => setTimeout(() => socket.end(`got ${text}`), 30));
      }),
      '127.82.0.2',
    );
    const socket = world.steer('127.82.0.2', port);
    const all = readAll(socket);
    socket.end('*1\r\n$4\r\nPING\r\n');
    expect(await all).toBe('got *1\r\n$4\r\nPING\r\n');
    expect(await world.tunnel((t) => t.peer.addr === '127.82.0.2')).toMatchObject({ why: 'not-http', sent: 14, received: 18 });
  });

  it('still reads HTTP of a client that is slow to speak', async () => {
    const port = await world.http('127.82.0.3', (_, r) => r.end('hello'));
    const socket = world.steer('127.82.0.3', port);
    const all = readAll(socket);
    await new Promise((resolve) => setTimeout(resolve, 150));
    socket.write('GET /late HTTP/1.1\r\nHost: late.example\r\nConnec');
    await new Promise((resolve) => setTimeout(resolve, 20));
    socket.write('tion: close\r\n\r\n');
    expect(await all).toMatch(/^HTTP\/1\.1 200 OK[\s\S]*hello$/);
    expect((await world.exchange((e) => e.host === 'late.example')).path).toBe('/late');
  });

  it('shows the application the real certificate of a server that does not verify', async () => {
    const stranger = createAuthority();
    const port = await world.https(
      '127.82.0.4',
      'self.example',
      (_, r) => r.end('own'),
      await world.leaf('self.example', stranger),
    );
    const trusting = await world.agent('127.82.0.4', port, undefined, { ca: stranger.cert });
    expect((await request({ agent: trusting, host: 'self.example', port, path: '/' })).body.toString()).toBe('own');
    const strict = await world.agent('127.82.0.4', port);
    await expect(request({ agent: strict, host: 'self.example', port, path: '/' })).rejects.toMatchObject({
      code: expect.stringMatching(/UNABLE_TO|SELF_SIGNED/),
    });
    trusting.destroy();
    const tunnel = await world.tunnel((t) => t.sni === 'self.example' && t.received > 0);
    expect(tunnel.why).toBe('server-untrusted');
  });

  it('does not get between a client certificate and its server', async () => {
    const clientCa = createAuthority();
    const port = await world.https(
      '127.82.0.5',
      'mutual.example',
      (q, r) => r.end(String((q.socket as tls.TLSSocket).authorized)),
      {
        requestCert: true,
        rejectUnauthorized: true,
        ca: clientCa.cert,
      },
    );
    const agent = await world.agent('127.82.0.5', port, undefined, await world.leaf('client', clientCa));
    expect((await request({ agent, host: 'mutual.example', port, path: '/' })).body.toString()).toBe('true');
    agent.destroy();
    expect((await world.tunnel((t) => t.sni === 'mutual.example')).why).toBe('server-untrusted');
  });

  it('gives up on a client that refuses our CA: its second try works', async () => {
    const port = await world.https('127.82.0.6', 'pinned.example', (_, r) => r.end('pinned'));
    const attempt = async () => {
      const agent = await world.agent('127.82.0.6', port, '71@1', { ca: world.internetCa.cert });
      try {
        return (await request({ agent, host: 'pinned.example', port, path: '/' })).body.toString();
      } finally {
        agent.destroy();
      }
    };
    await expect(attempt()).rejects.toThrow();
    await world.until(() => world.observations.find((o) => o.kind === 'unobserved' && o.what === 'tls'), 'refusal');
    expect(await attempt()).toBe('pinned');
    const tunnel = await world.tunnel((t) => t.sni === 'pinned.example');
    expect(tunnel).toMatchObject({ why: 'client-rejects-ca', proc: '71@1' });
  });

  it('leaves TLS alone that names no server: a certificate for an address is none that it could make', async () => {
    const own = world.leafOfAddress('127.82.0.12');
    const port = await world.https('127.82.0.12', '', (_, r) => r.end('by address'), own);
    const agent = await world.agent('127.82.0.12', port);
    const answer = await request({ agent, host: '127.82.0.12', port, path: '/' });
    expect(answer.body.toString()).toBe('by address');
    agent.destroy();
    expect(await world.tunnel((t) => t.peer.addr === '127.82.0.12')).toMatchObject({ why: 'excluded' });
  });

  it('leaves TLS alone that announces another protocol than HTTP', async () => {
    const server = tls.createServer({ ...(await world.leaf('mqtt.example')), ALPNProtocols: ['mqtt'] }, (s) => s.pipe(s));
    const port = await world.listen(server, '127.82.0.7');
    const ca = world.internetCa.cert;
    const socket = tls.connect({
      socket: world.steer('127.82.0.7', port),
      servername: 'mqtt.example',
      ALPNProtocols: ['mqtt'],
      ca,
    });
    socket.end('ping');
    expect(await readAll(socket)).toBe('ping');
    expect((await world.tunnel((t) => t.sni === 'mqtt.example')).why).toBe('not-http');
  });

  it('shows a connection that cannot be made as a broken one, and records the attempt', async () => {
    const socket = world.steer('127.82.0.8', 9);
    socket.write('\x01binary');
    await expect(readAll(socket)).rejects.toMatchObject({ code: 'ECONNRESET' });
    const tunnel = await world.tunnel((t) => t.peer.addr === '127.82.0.8');
    expect(tunnel.received).toBe(0);
    const agent = await world.agent('127.82.0.8', 9);
    await expect(request({ agent, host: 'nowhere.example', port: 9, path: '/' })).rejects.toThrow();
    expect(await world.tunnel((t) => t.sni === 'nowhere.example')).toMatchObject({ received: 0 });
  });

  it('hands requests for a forward proxy to that proxy', async () => {
    const port = await world.listen(
      net.createServer((socket) => socket.once('data', (d) => socket.end(`via ${String(d).split('\r\n')[0]}`))),
      '127.82.0.9',
    );
    const socket = world.steer('127.82.0.9', port);
    const all = readAll(socket);
    socket.write('CONNECT far.example:443 HTTP/1.1\r\nHost: far.example\r\n\r\n');
    expect(await all).toBe('via CONNECT far.example:443 HTTP/1.1');
    expect((await world.tunnel((t) => t.peer.addr === '127.82.0.9')).why).toBe('excluded');
  });

  it('carries a WebSocket and reports it when it closes', async () => {
    const server = https.createServer(await world.leaf('ws.example'));
    const sockets = new WebSocketServer({ server });
    sockets.on('connection', (ws) => ws.on('message', (data) => ws.send(`echo ${data}`)));
    const port = await world.listen(server, '127.82.0.10');
    const ca = await world.front.caPem();
    const ws = new WebSocket('wss://ws.example/chat?room=1', {
      createConnection: (() =>
        tls.connect({ socket: world.steer('127.82.0.10', port, '72@1'), servername: 'ws.example', ca })) as never,
    });
    await once(ws, 'open');
    ws.send('hello');
    const [data] = await once(ws, 'message');
    expect(String(data)).toBe('echo hello');
    ws.close();
    await once(ws, 'close');
    const exchange = await world.exchange((e) => e.host === 'ws.example');
    expect(exchange).toMatchObject({ status: 101, path: '/chat', query: ['room'], proc: '72@1', scheme: 'https' });
    expect(exchange.request.bytes).toBe(5);
    expect(exchange.response.bytes).toBe(10);
  });

  it('passes on the refusal of a WebSocket', async () => {
    const port = await world.http('127.82.0.11', () => {});
    const ws = new WebSocket('ws://nows.example/chat', { createConnection: (() => world.steer('127.82.0.11', port)) as never });
    const server = world.servers.at(-1)!;
    server.on('upgrade', (_: unknown, socket: net.Socket) =>
      socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno'),
    );
    const [error] = await once(ws, 'error');
    expect(String(error)).toContain('403');
    expect((await world.exchange((e) => e.host === 'nows.example')).status).toBe(403);
  });

  it('closes connections that no shim has announced, and those to local services', async () => {
    const stray = net.connect(world.front.port, '127.0.0.1');
    await expect(readAll(stray)).rejects.toMatchObject({ code: 'ECONNRESET' });
    const port = await world.http('127.0.0.1', (_, r) => r.end('runtime'));
    const forged = world.steer('127.0.0.1', port);
    forged.write('GET / HTTP/1.1\r\n\r\n');
    await expect(readAll(forged)).rejects.toMatchObject({ code: 'ECONNRESET' });
  });
});

describe('a second front', () => {
  it('reaches a local endpoint override, and stops with connections open, leaving nothing', async () => {
    const other = new World();
    const port = await world.http('127.0.0.1', (q, r) => (q.url === '/hang' ? r.write('x') : r.end('engine')));
    await other.start([`127.0.0.1:${port}`]);
    const agent = other.plainAgent('127.0.0.1', port);
    const answer = await request({ protocol: 'http:', agent, host: '127.0.0.1', port, path: '/' });
    expect(answer.body.toString()).toBe('engine');
    const hanging = other.steer('127.0.0.1', port);
    const end = readAll(hanging).catch(() => 'reset');
    hanging.write('GET /hang HTTP/1.1\r\nHost: x\r\n\r\n');
    await once(hanging, 'data');
    await other.stop();
    await end;
    expect(other.observations.filter((o) => o.kind === 'exchange').map((o) => o.path)).toEqual(['/', '/hang']);
    const refused = net.connect(other.front.port, '127.0.0.1');
    await expect(readAll(refused)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    expect(https.globalAgent.sockets).toEqual({});
  });
});
