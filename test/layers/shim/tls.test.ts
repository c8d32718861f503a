import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import { type AddressInfo, createServer as createTcpServer, type Server as TcpServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readClientHello } from '../../../layers/capture/network/client-hello.ts';
import { type Conversation, type Relay, Teed, tlsRelay } from './teed.ts';
import { type Run, Watched } from './watched.ts';

const has = (program: string, ...args: string[]) => spawnSync(program, args).status === 0;
const python = has('/usr/bin/python3', '-c', 'import ssl');
const ruby = has('ruby', '-ropenssl', '-rnet/http', '-e', '0');
const curl = has('curl', '--version');
const openssl = has('openssl', 'version');
for (const [program, there] of Object.entries({ 'python3 with ssl': python, 'ruby with openssl': ruby, curl, openssl }))
  if (!there) console.warn(`${program} is not installed: its TLS is not tested`);

const watched = new Watched();
const servers: TcpServer[] = [];
const relays: Record<string, Relay> = {};
async function started<S extends TcpServer>(server: S): Promise<number> {
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}
beforeAll(async () => {
  const web: Server = createServer((request, response) => {
    let bytes = 0;
    request.on('data', (part: Buffer) => {
      bytes += part.length;
    });
    request.on('end', () => response.end(`${request.method} ${request.url} ${bytes}`));
  });
  const http1 = await started(web);
  const http2 = await started(
    createHttp2Server((request, response) => void response.end(`${request.method} ${request.url}`)) as unknown as TcpServer,
  );
  const names = ['http/1.1'];
  relays['TLS 1.3'] = await tlsRelay(http1, { ALPNProtocols: names, minVersion: 'TLSv1.3' });
  relays['TLS 1.2'] = await tlsRelay(http1, { ALPNProtocols: names, maxVersion: 'TLSv1.2' });
  /* Asks for another key share, so that the client says hello twice. */
  relays['a second hello'] = await tlsRelay(http1, { ALPNProtocols: names, ecdhCurve: 'P-521', minVersion: 'TLSv1.3' });
  relays['HTTP/2'] = await tlsRelay(http2, { ALPNProtocols: ['h2'] });
}, 60_000);
afterAll(() => {
  for (const relay of Object.values(relays)) relay.close();
  for (const server of servers) server.close();
  watched.close();
});

interface Result {
  readonly run: Run;
  readonly teed: Teed;
}
async function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Result> {
  const ring = watched.ring();
  const teed = new Teed(ring);
  return { run: await watched.run(command, args, { ALASTOR_TEE: 'http', ...env }, ring), teed };
}

function expectAllOf(conversation: Conversation | undefined, at: Relay | undefined): void {
  const { tls, clear, closes, open, hellos } = conversation!;
  const heard = at?.heard.get(open?.localPort ?? 0);
  expect(open?.peer).toEqual({ addr: '127.0.0.2', port: at?.port, proto: 'tcp' });
  expect(tls.sent.bytes.equals(heard!.sent)).toBe(true);
  expect(tls.received.bytes.equals(heard!.received)).toBe(true);
  expect([...tls.sent.holes, ...tls.received.holes]).toEqual([]);
  expect([clear.sent.next, clear.received.next]).toEqual([0, 0]);
  expect(hellos).toHaveLength(1);
  expect(closes).toMatchObject([{ sent: heard?.sent.length, received: heard?.received.length, tls: true, unread: false }]);
}

type Client = readonly [command: string, args: readonly string[], answer: string];
const PY = `import ssl, sys; ctx = ssl._create_unverified_context(); ctx.set_alpn_protocols(['http/1.1'])\n`;
const CLIENTS: Record<string, readonly [boolean, (port: number) => Client]> = {
  curl: [curl, (port) => ['curl', ['-sk', '--noproxy', '*', '-d', 'hello', `https://127.0.0.2:${port}/c`], 'POST /c 5']],
  'http.client': [
    python,
    (port) => [
      '/usr/bin/python3',
      [
        '-c',
        `${PY}
import http.client
c = http.client.HTTPSConnection('127.0.0.2', ${port}, context=ctx)
for i in range(3): c.request('POST', '/%d' % i, body=b'z' * 40000); print(c.getresponse().read().decode())`,
      ],
      'POST /0 40000\nPOST /1 40000\nPOST /2 40000',
    ],
  ],
  urllib: [
    python,
    (port) => [
      '/usr/bin/python3',
      ['-c', `${PY}\nimport urllib.request as u; print(u.urlopen('https://127.0.0.2:${port}/u', b'q', context=ctx).read())`],
      'POST /u 1',
    ],
  ],
  'asyncio, which seals in memory': [
    python,
    (port) => [
      '/usr/bin/python3',
      [
        '-c',
        `${PY}
import asyncio
async def one(i):
    r, w = await asyncio.open_connection('127.0.0.2', ${port}, ssl=ctx)
    w.write(b'POST /a HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\nContent-Length: %d\\r\\n\\r\\n' % (i * 50000) + b'y' * (i * 50000))
    text = await r.read(); w.close()
    return text.split(b'\\r\\n\\r\\n')[1].decode()
async def all(): print(sorted(await asyncio.gather(*map(one, range(4)))))
asyncio.run(all())`,
      ],
      "['POST /a 0', 'POST /a 100000', 'POST /a 150000', 'POST /a 50000']",
    ],
  ],
  ruby: [
    ruby,
    (port) => [
      'ruby',
      [
        '-rnet/http',
        '-ropenssl',
        '-e',
        `h = Net::HTTP.new('127.0.0.2', ${port}); h.use_ssl = true; h.verify_mode = 0; puts h.post('/r', 'x' * 20000).body`,
      ],
      'POST /r 20000',
    ],
  ],
  'openssl s_client': [
    openssl,
    (port) => [
      '/bin/sh',
      ['-c', `printf 'GET /s HTTP/1.0\\r\\n\\r\\n' | openssl s_client -quiet -connect 127.0.0.2:${port} 2>/dev/null`],
      'GET /s 0',
    ],
  ],
};

describe.each(['TLS 1.3', 'TLS 1.2', 'a second hello'])('under %s', (version) => {
  for (const [name, [there, client]] of Object.entries(CLIENTS))
    it.skipIf(!there)(`the plaintext of ${name} is told as the server heard it`, async () => {
      const relay = relays[version];
      const [command, args, answer] = client(relay?.port ?? 0);
      const { run: done, teed } = await run(command, args);
      expect(done).toMatchObject({ status: 0, stderr: '' });
      expect(done.stdout).toContain(answer);
      for (const conversation of teed.all) expectAllOf(conversation, relay);
      expect(teed.all).toHaveLength(name.startsWith('asyncio') ? 4 : 1);
      expect(done.of('socket-connect').every((o) => o.tapped === true)).toBe(true);
    });
});

describe('TLS', () => {
  it.skipIf(!curl)('tells HTTP/2, and the name asked for in the hello', async () => {
    const { port } = relays['HTTP/2']!;
    const url = `https://shop.example:${port}/two`;
    const { run: done, teed } = await run('curl', ['-sk', '--http2', '--connect-to', `::127.0.0.2:${port}`, url]);
    expect(done.stdout).toBe('GET /two');
    expectAllOf(teed.all[0], relays['HTTP/2']);
    expect(teed.all[0]?.tls.sent.bytes.toString('latin1')).toMatch(/^PRI \* HTTP\/2\.0/);
    expect(readClientHello(teed.all[0]?.hellos[0] ?? Buffer.alloc(0))).toMatchObject({ sni: 'shop.example' });
  });

  it.skipIf(!python)(
    'of a child that goes on with it is told; after the last word of the server that it was the last',
    async () => {
      const { port } = relays['TLS 1.3']!;
      const script = `${PY}
import os, socket
s = ctx.wrap_socket(socket.create_connection(('127.0.0.2', ${port})))
s.sendall(b'GET /f HTTP/1.0\\r\\n')
if os.fork() == 0:
    s.sendall(b'\\r\\n')
    while s.recv(1000): pass
    os._exit(0)
os.wait()`;
      const { run: done, teed } = await run('/usr/bin/python3', ['-c', script]);
      expect(done).toMatchObject({ status: 0, stderr: '' });
      const [conversation] = teed.all;
      const heard = relays['TLS 1.3']?.heard.get(conversation?.open?.localPort ?? 0);
      expect(conversation?.tls.sent.bytes.equals(heard!.sent)).toBe(true);
      expect(conversation?.tls.received.bytes.equals(heard!.received)).toBe(true);
      expect(conversation?.procs.size).toBe(2);
      expect(conversation?.tls.received.ends).toBe(1);
    },
  );

  it.skipIf(!python)('behind words in the clear is found: the rest of the connection is plaintext of libssl', async () => {
    const { port } = relays['TLS 1.3']!;
    /* A proxy that answers CONNECT and then passes everything on. */
    const proxy = createTcpServer((socket) =>
      socket.once('data', async () => {
        const { connect } = await import('node:net');
        const to = connect(port, '127.0.0.2', () => {
          socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
          to.pipe(socket).on('error', () => {});
          socket.pipe(to).on('error', () => {});
        });
      }),
    );
    servers.push(proxy);
    proxy.listen(0, '127.0.0.3');
    await once(proxy, 'listening');
    const at = (proxy.address() as AddressInfo).port;
    const script = `${PY}
import http.client
c = http.client.HTTPSConnection('127.0.0.3', ${at}, context=ctx); c.set_tunnel('127.0.0.2', ${port})
c.request('GET', '/t'); print(c.getresponse().read())`;
    const { run: done, teed } = await run('/usr/bin/python3', ['-c', script]);
    expect(done.stdout).toBe("b'GET /t 0'\n");
    const [conversation] = teed.all;
    expect(conversation?.clear.sent.bytes.toString()).toMatch(/^CONNECT 127\.0\.0\.2:/);
    expect(conversation?.clear.received.bytes.toString()).toMatch(/^HTTP\/1\.1 200 /);
    expect(conversation?.tls.sent.bytes.toString()).toMatch(/^GET \/t HTTP\/1\.1/);
    expect(conversation?.tls.received.bytes.toString()).toMatch(/GET \/t 0$/);
    expect(conversation?.closes).toMatchObject([{ tls: true, unread: false }]);
  });

  it.skipIf(!python)('that fails in the handshake is no sign of a stack that cannot be read', async () => {
    const { port } = relays['TLS 1.3']!;
    const script = `
import ssl, socket
for _ in range(2):
    try: ssl.create_default_context().wrap_socket(socket.create_connection(('127.0.0.2', ${port})), server_hostname='localhost')
    except ssl.SSLError as e: print('refused')`;
    const { run: done, teed } = await run('/usr/bin/python3', ['-c', script], { ALASTOR_PROXY_PORT: '1' });
    expect(done.stdout).toBe('refused\nrefused\n');
    expect(done.of('socket-connect').map(({ steered }) => steered)).toEqual([false, false]);
    for (const { closes } of teed.all) expect(closes).toMatchObject([{ tls: false, unread: false, sent: 0, received: 0 }]);
  });

  it.skipIf(!python)('of a stack of its own cannot be read, which is said; later connections go to the proxy', async () => {
    const { port } = relays['TLS 1.3']!;
    /* Everything of TLS, but on a copy of the library that nothing is linked against: its functions are looked up by hand. */
    const script = `${PY}
import ctypes, ctypes.util, socket
def by_hand():
    s = socket.create_connection(('127.0.0.2', ${port}))
    context = lib.SSL_CTX_new(lib.TLS_client_method()); t = lib.SSL_new(context)
    lib.SSL_set_fd(t, s.fileno()); lib.SSL_connect(t)
    lib.SSL_write(t, b'GET /h HTTP/1.0\\r\\n\\r\\n', 19); room = ctypes.create_string_buffer(999)
    while lib.SSL_read(t, room, 999) > 0: print(room.value.decode()[-8:])
    s.close()
lib = ctypes.CDLL(ctypes.util.find_library('ssl'))
for f in ('SSL_CTX_new', 'TLS_client_method', 'SSL_new'): getattr(lib, f).restype = ctypes.c_void_p
lib.SSL_CTX_new.argtypes = lib.SSL_new.argtypes = lib.SSL_connect.argtypes = [ctypes.c_void_p]
lib.SSL_set_fd.argtypes = [ctypes.c_void_p, ctypes.c_int]
lib.SSL_read.argtypes = lib.SSL_write.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]
by_hand(); by_hand()`;
    const { run: done, teed } = await run('/usr/bin/python3', ['-c', script], { ALASTOR_PROXY_PORT: '1' });
    expect(done).toMatchObject({ status: 0, stderr: '' });
    expect(done.stdout.match(/GET \/h 0/g)).toHaveLength(2);
    expect(teed.all).toHaveLength(1);
    expect(teed.all[0]?.closes).toMatchObject([{ tls: false, unread: true }]);
    expect(teed.all[0]?.closes[0]?.sent).toBeGreaterThan(300);
    expect(teed.all[0]?.closes[0]?.received).toBeGreaterThan(600);
    expect(teed.all[0]?.hellos).toHaveLength(1);
    /* The second: teed no more; led to a proxy that is not there, so it goes on by itself. */
    expect(done.of('socket-connect').map(({ steered, tapped }) => [steered, tapped])).toEqual([
      [false, true],
      [true, undefined],
      [false, undefined],
    ]);
  });

  it("of Node is inside its binary: its connections are led to the proxy, and its addons get Node's functions, not ours", async () => {
    const { port } = relays['TLS 1.3']!;
    const addon = join(watched.dir, 'addon.node');
    const source = `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
int SSL_read(void *, void *, int);
__attribute__((constructor)) static void where(void) { Dl_info info; dladdr((void *)SSL_read, &info); printf("%s\\n", info.dli_fname); fflush(stdout); }`;
    execFileSync('gcc', ['-shared', '-fPIC', '-w', '-o', addon, '-x', 'c', '-'], { input: source });
    writeFileSync(
      join(watched.dir, 'node.cjs'),
      `try { process.dlopen({ exports: {} }, ${JSON.stringify(addon)}); } catch {}
       require('node:https').get({ host: '127.0.0.2', port: ${port}, path: '/n', rejectUnauthorized: false }, (r) => r.pipe(process.stdout));`,
    );
    const { run: done, teed } = await run(process.execPath, ['node.cjs'], { ALASTOR_PROXY_PORT: '1' });
    expect(done).toMatchObject({ status: 0, stderr: '' });
    expect(done.stdout).toBe(`${process.execPath}\nGET /n 0`);
    expect(teed.events).toEqual([]);
    expect(done.of('socket-connect')[0]).toMatchObject({ steered: true });
  });
});
