import { once } from 'node:events';
import { closeSync, openSync, writeSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { Watched } from './watched.ts';

const watched = new Watched();
const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});
afterAll(() => watched.close());

/** Answers every connection with `HTTP/1.0 200` and its name; remembers the remote ports. */
async function serve(name: string, host = '127.0.0.1'): Promise<{ port: number; remotePorts: number[] }> {
  const remotePorts: number[] = [];
  const server = createServer((socket: Socket) => {
    remotePorts.push(socket.remotePort ?? 0);
    socket.on('error', () => socket.destroy());
    socket.once('data', () => socket.end(`HTTP/1.0 200 OK\r\nContent-Length: ${name.length}\r\n\r\n${name}`));
  });
  servers.push(server);
  server.listen(0, host);
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, remotePorts };
}
async function closedPort(): Promise<number> {
  const { port } = await serve('gone');
  const server = servers.pop();
  server?.close();
  if (server) await once(server, 'close');
  return port;
}

const CLIENTS: Record<string, (host: string, port: number) => [string, string[]]> = {
  curl: (host, port) => ['curl', ['-s', '--noproxy', '*', `http://${host}:${port}/`]],
  node: (host, port) => [
    process.execPath,
    [
      '-e',
      `const s = require('net').connect(${port}, '${host}', () => { s.write('GET'); });
       let t = ''; s.on('data', (d) => t += d); s.on('end', () => console.log(t, s.remoteAddress, s.remotePort));`,
    ],
  ],
  python: (host, port) => [
    '/usr/bin/python3',
    [
      '-c',
      `
import socket
s = socket.create_connection(('${host}', ${port}), timeout=5)
s.sendall(b'GET'); print(s.recv(4096).decode(), *s.getpeername())`,
    ],
  ],
};

describe.each(Object.keys(CLIENTS))('connections of %s', (name) => {
  const client = (host: string, port: number) => CLIENTS[name]!(host, port);

  it('are led to the front, which finds by port who wanted to go where, and the program does not notice', async () => {
    const front = await serve('front');
    const run = await watched.run(...client('127.9.8.7', 4321), { ALASTOR_PROXY_PORT: String(front.port) });
    expect(run).toMatchObject({ status: 0, stderr: '' });
    expect(run.stdout).toContain('front');
    if (name !== 'curl') expect(run.stdout.trim()).toMatch(/127\.9\.8\.7 4321$/);
    const [connect] = run.of('socket-connect').filter((o) => o.steered);
    expect(connect).toMatchObject({ peer: { addr: '127.9.8.7', port: 4321, proto: 'tcp' }, localPort: front.remotePorts[0] });
    expect(run.of('socket-close').find((o) => o.fd === connect?.fd)).toMatchObject({ peer: { addr: '127.9.8.7', port: 4321 } });
  });

  it('reach the real peer when nobody listens at the front', async () => {
    const real = await serve('real', '127.0.0.2');
    const run = await watched.run(...client('127.0.0.2', real.port), { ALASTOR_PROXY_PORT: String(await closedPort()) });
    expect(run).toMatchObject({ status: 0, stderr: '' });
    expect(run.stdout).toContain('real');
    const tries = run.of('socket-connect').filter((o) => o.peer.port === real.port);
    expect(tries.map((o) => o.steered)).toEqual([true, false]);
    expect(tries[1]?.localPort).toBe(real.remotePorts[0]);
  });

  it('to the own machine are not led away, unless listed', async () => {
    const front = await serve('front');
    const own = await serve('own');
    const env = { ALASTOR_PROXY_PORT: String(front.port) };
    const plain = await watched.run(...client('127.0.0.1', own.port), env);
    expect(plain.stdout).toContain('own');
    expect(plain.of('socket-connect').find((o) => o.peer.port === own.port)).toMatchObject({ steered: false });
    const listed = await watched.run(...client('127.0.0.1', own.port), {
      ...env,
      ALASTOR_STEER: `[::1]:1,127.0.0.1:${own.port},bad,1.2.3`,
    });
    expect(listed.stdout).toContain('front');
  });
});

describe('sockets', () => {
  it('of IPv6 are led to the front as well, and answer with their own peer', async () => {
    const front = await serve('front');
    const run = await watched.run(
      '/usr/bin/python3',
      [
        '-c',
        `
import socket
s = socket.socket(socket.AF_INET6); s.connect(('2001:db8::5', 443))
s.sendall(b'GET'); print(s.recv(4096)[:8], s.getpeername()[:2])`,
      ],
      { ALASTOR_PROXY_PORT: String(front.port) },
    );
    expect(run).toMatchObject({ stderr: '', stdout: "b'HTTP/1.0' ('2001:db8::5', 443)\n" });
    expect(run.of('socket-connect')).toEqual([
      expect.objectContaining({ peer: { addr: '2001:db8::5', port: 443, proto: 'tcp' }, steered: true }),
    ]);
  });

  it('go straight to their peer once the recorder has been silent for ten seconds', async () => {
    const front = await serve('front');
    const real = await serve('real', '127.0.0.2');
    const ring = watched.ring();
    /* Set back by hand: waiting is all that a test could do otherwise. */
    const fd = openSync(ring.path, 'r+');
    const before = Buffer.alloc(8);
    before.writeBigUInt64LE(process.hrtime.bigint() / 1000n - 11_000_000n);
    writeSync(fd, before, 0, 8, 136);
    closeSync(fd);
    const child = watched.start(
      ...CLIENTS.curl!('127.0.0.2', real.port),
      watched.env(ring, { ALASTOR_PROXY_PORT: String(front.port) }),
    );
    let said = '';
    child.stdout?.on('data', (bytes) => {
      said += bytes;
    });
    await once(child, 'close');
    expect(said).toBe('real');
  });

  it('report names looked up, accepted peers, bound ports, datagrams and Unix paths', async () => {
    const run = await watched.run('/usr/bin/python3', [
      '-c',
      `
import socket
l = socket.socket(); l.bind(('127.0.0.1', 0)); l.listen()
c = socket.create_connection(('localhost', l.getsockname()[1])); a, _ = l.accept()
c.sendall(b'12345'); a.recv(10); a.close(); c.close()
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.sendto(b'x', ('127.0.0.1', 9)); u.sendto(b'yz', ('127.0.0.1', 9)); u.close()
w = socket.socket(socket.AF_UNIX); w.bind('sock'); w.listen()
v = socket.socket(socket.AF_UNIX); v.connect('sock')
try: socket.create_connection(('127.0.0.1', 1))
except OSError: pass
print(l.getsockname()[1])`,
    ]);
    const port = Number(run.stdout);
    expect(run.of('dns')).toContainEqual(
      expect.objectContaining({ name: 'localhost', addrs: expect.arrayContaining(['127.0.0.1']) }),
    );
    expect(run.of('socket-bind')[0]?.peer).toEqual({ addr: '127.0.0.1', port, proto: 'tcp' });
    const [connect] = run.of('socket-connect');
    expect(connect).toMatchObject({ peer: { port }, steered: false });
    expect(run.of('socket-accept')[0]).toMatchObject({ peer: { port: connect?.localPort }, localPort: port });
    const inet = run.of('socket-close').filter((o) => o.peer.proto !== 'unix');
    expect(inet.map((o) => [o.peer.proto, o.received, o.sent])).toEqual([
      ['tcp', 5, 0],
      ['tcp', 0, 5],
      ['udp', 0, 3],
    ]);
    expect(run.of('socket-connect').filter((o) => o.peer.proto === 'udp')).toHaveLength(1);
    expect(run.of('socket-connect').find((o) => o.peer.proto === 'unix')?.peer.addr).toBe('sock');
    expect(run.of('socket-connect').find((o) => o.errno === 111)?.peer.port).toBe(1);
  });

  it('keep the meaning of a second connect while the first is under way', async () => {
    const front = await serve('front');
    const run = await watched.run(
      '/usr/bin/python3',
      [
        '-c',
        `
import errno, select, socket
s = socket.socket(); s.setblocking(False)
first = s.connect_ex(('127.7.7.7', 7)); select.select([], [s], [])
print(first in (0, errno.EINPROGRESS), s.connect_ex(('127.7.7.7', 7)) in (0, errno.EISCONN), s.connect_ex(('127.7.7.7', 7)) == errno.EISCONN)`,
      ],
      { ALASTOR_PROXY_PORT: String(front.port) },
    );
    expect(run.stdout).toBe('True True True\n');
    expect(run.of('socket-connect')).toHaveLength(1);
  });
});

describe('the recorder gone', () => {
  it('leaves programs as they are', async () => {
    const missing = { path: join(watched.dir, 'no-such-ring') };
    const child = watched.start('/bin/bash', ['-c', 'echo a | cat; env -i echo b; exit 4'], watched.env(missing));
    let said = '';
    child.stdout?.on('data', (bytes) => {
      said += bytes;
    });
    await once(child, 'close');
    expect([said, child.exitCode]).toEqual(['a\nb\n', 4]);
  });
});

it('a call with no message at the address it names fails, as without us', async () => {
  const program = `
import ctypes, errno, socket
libc = ctypes.CDLL(None, use_errno=True)
a, b = socket.socketpair()
for name in ('recvmsg', 'sendmsg'):
    for fd in (a.fileno(), 4444):
        ctypes.set_errno(0)
        answer = getattr(libc, name)(fd, None, 0x40)
        print(name, answer, errno.errorcode[ctypes.get_errno()])`;
  const run = await watched.run('/usr/bin/python3', ['-c', program]);
  expect(run).toMatchObject({ status: 0, stderr: '' });
  expect(run.stdout.trim().split('\n')).toEqual([
    'recvmsg -1 EFAULT',
    'recvmsg -1 EBADF',
    'sendmsg -1 EFAULT',
    'sendmsg -1 EBADF',
  ]);
});
