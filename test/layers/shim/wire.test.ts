import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Conversation, type Relay, relay, Teed } from './teed.ts';
import { type Run, Watched } from './watched.ts';

const watched = new Watched();
let web: Relay;
const http = createServer((request, response) => {
  let bytes = 0;
  request.on('data', (part: Buffer) => {
    bytes += part.length;
  });
  request.on('end', () => response.end(`${request.method} ${request.url} ${bytes}`));
});
beforeAll(async () => {
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  web = await relay((http.address() as AddressInfo).port);
});
afterAll(() => {
  web.close();
  http.closeAllConnections();
  http.close();
  watched.close();
});

function compile(name: string, source: string): string {
  const program = join(watched.dir, name);
  execFileSync('gcc', ['-w', '-pthread', '-o', program, '-x', 'c', '-'], { input: source });
  return program;
}

interface Result {
  readonly run: Run;
  readonly teed: Teed;
}
/** Runs it with the tee on; `web` is listed as plain HTTP unless `env` says otherwise. */
async function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}, ringBytes?: number): Promise<Result> {
  const ring = watched.ring(ringBytes);
  const teed = new Teed(ring);
  const tee = { ALASTOR_TEE: 'http', ALASTOR_STEER: `127.0.0.2:${web.port}/http` };
  return { run: await watched.run(command, args, { ...tee, ...env }, ring), teed };
}

/** Told byte for byte as the server's side heard it, with nothing missing, and closed with the right totals. */
function expectAllOf(conversation: Conversation | undefined, at: Relay = web): void {
  const { clear, closes, open } = conversation!;
  const heard = at.heard.get(open?.localPort ?? 0);
  expect(open?.peer).toEqual({ addr: '127.0.0.2', port: at.port, proto: 'tcp' });
  expect(clear.sent.bytes.equals(heard!.sent)).toBe(true);
  expect(clear.received.bytes.equals(heard!.received)).toBe(true);
  expect([...clear.sent.holes, ...clear.received.holes]).toEqual([]);
  expect(closes).toMatchObject([
    { sent: heard!.sent.length, received: heard!.received.length, tls: false, unread: false, runtimeApi: false },
  ]);
}

/* Connects to 127.0.0.2 at the port given; the rest is the test's. */
const CONNECTED = `
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
static int connected(const char *port) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(port)), .sin_addr.s_addr = inet_addr("127.0.0.2")};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&to, sizeof to)) exit(99);
    return fd;
}
static const char request[] = "POST /c HTTP/1.1\\r\\nHost: c\\r\\nContent-Length: 5\\r\\nConnection: close\\r\\n\\r\\nhello";
`;

describe('plain connections', () => {
  it.each([
    ['curl', 'curl', (url: string) => ['-s', '--noproxy', '*', '-d', 'hello', url], 'POST /x 5'],
    [
      'Python',
      '/usr/bin/python3',
      (url: string) => ['-c', `import urllib.request as u; print(u.urlopen('${url}', b'q' * 30000).read().decode())`],
      'POST /x 30000',
    ],
    [
      "Node's sockets",
      process.execPath,
      (url: string) => [
        '-e',
        `const s = require('net').connect(${new URL(url).port}, '127.0.0.2', () => {
           s.cork(); s.write('GET /x HTTP/1.1\\r\\nConnection: close\\r\\n'); s.write('Host: n\\r\\n\\r\\n'); s.uncork(); });
         s.pipe(process.stdout)`,
      ],
      'GET /x 0',
    ],
  ])('of %s are told as the server heard them', async (_, command, args, answer) => {
    const { run: done, teed } = await run(command, args(`http://127.0.0.2:${web.port}/x`));
    expect(done).toMatchObject({ status: 0, stderr: '' });
    expect(done.stdout).toContain(answer);
    expect(teed.all).toHaveLength(1);
    expectAllOf(teed.all[0]);
    expect(done.of('socket-connect')).toMatchObject([{ steered: false, tapped: true }]);
  });

  it('are whole whatever call moves the bytes, and nothing is told twice that was only looked at', async () => {
    const program = compile(
      'calls',
      `${CONNECTED}
int main(int argc, char **argv) {
    char room[4][512], rest[4096];
    struct iovec parts[3] = {{(void *)request, 10}, {(void *)request, 0}, {(void *)request + 10, 5}};
    struct msghdr out = {.msg_iov = parts, .msg_iovlen = 2};
    int fd = connected(argv[1]);
    writev(fd, parts, 3);
    parts[0] = (struct iovec){(void *)request + 15, 7}, parts[1] = (struct iovec){(void *)request + 22, 3};
    sendmsg(fd, &out, 0);
    struct mmsghdr many[2] = {{{.msg_iov = parts, .msg_iovlen = 1}}, {{.msg_iov = parts + 1, .msg_iovlen = 1}}};
    parts[0] = (struct iovec){(void *)request + 25, 2}, parts[1] = (struct iovec){(void *)request + 27, 3};
    sendmmsg(fd, many, 2, 0);
    send(fd, request + 30, 4, MSG_NOSIGNAL);
    sendto(fd, request + 34, 6, 0, NULL, 0);
    write(fd, request + 40, strlen(request) - 40);
    recv(fd, rest, 20, MSG_PEEK);
    read(fd, rest, 3);
    struct iovec in[2] = {{room[0], 4}, {room[1], 6}};
    readv(fd, in, 2);
    struct msghdr message = {.msg_iov = in, .msg_iovlen = 2};
    recvmsg(fd, &message, 0);
    recvfrom(fd, rest, 5, 0, NULL, NULL);
    recv(fd, rest, 1, MSG_DONTWAIT);
    struct mmsghdr heard[1] = {{message}};
    recvmmsg(fd, heard, 1, 0, NULL);
    while (recv(fd, rest, sizeof rest, 0) > 0);
    errno = 7;
    return close(fd) || errno != 7;
}`,
    );
    const { run: done, teed } = await run(program, [String(web.port)]);
    expect(done.status).toBe(0);
    expectAllOf(teed.all[0]);
    expect(teed.all[0]?.clear.received.ends).toBe(1);
    const totals = web.heard.get(teed.all[0]?.open?.localPort ?? 0);
    expect(done.of('socket-close')).toMatchObject([{ sent: totals?.sent.length, received: totals?.received.length }]);
  });

  it('tell only what was accepted of a write that could not be finished, and keep errno', async () => {
    const size = 3_000_000;
    const sink = createTcpServer((socket) => {
      let left = size;
      socket.on('data', (part: Buffer) => {
        left -= part.length;
        if (left === 0) socket.end('all');
      });
    });
    sink.listen(0, '127.0.0.1');
    await once(sink, 'listening');
    const sunk = await relay((sink.address() as AddressInfo).port);
    const program = compile(
      'partial',
      `${CONNECTED}
#include <poll.h>
int main(int argc, char **argv) {
    int fd = connected(argv[1]), size = ${size}, done = 0, refused = 0, partial = 0, small = 20000;
    char *bytes = malloc(size), end[4];
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    for (int i = 0; i < size; i++) bytes[i] = i ? (char)(i * 2654435761u >> 24) : 'P';
    fcntl(fd, F_SETFL, O_NONBLOCK);
    while (done < size) {
        errno = 0;
        ssize_t sent = send(fd, bytes + done, size - done, 0);
        if (sent > 0) partial += sent < size - done, done += sent;
        else if (errno == EAGAIN) { struct pollfd ask = {fd, POLLOUT}; refused++; poll(&ask, 1, -1); }
        else return 1;
    }
    fcntl(fd, F_SETFL, 0);
    recv(fd, end, 3, MSG_WAITALL);
    printf("%d %d", partial > 0, refused > 0);
    return 0;
}`,
    );
    const { run: done, teed } = await run(program, [String(sunk.port)], { ALASTOR_STEER: `127.0.0.2:${sunk.port}/http` });
    expect(done).toMatchObject({ status: 0, stdout: '1 1' });
    expectAllOf(teed.all[0], sunk);
    expect(teed.all[0]?.clear.sent.bytes).toHaveLength(size);
    sunk.close();
    sink.close();
  });

  it('say how much went past them: files sent by the kernel, streams of stdio', async () => {
    writeFileSync(join(watched.dir, 'body'), 'hello');
    const program = compile(
      'unseen',
      `${CONNECTED}
int main(int argc, char **argv) {
    char rest[4096];
    int fd = connected(argv[1]), file = open("body", O_RDONLY);
    write(fd, request, strlen(request) - 5);
    if (sendfile(fd, file, NULL, 5) != 5) return 1;
    FILE *stream = fdopen(fd, "r");
    int got = fread(rest, 1, sizeof rest, stream);
    printf("%d", got);
    return fclose(stream);
}`,
    );
    const { run: done, teed } = await run(program, [String(web.port)]);
    const [conversation] = teed.all;
    const heard = web.heard.get(conversation?.open?.localPort ?? 0);
    const length = heard!.sent.length;
    expect(done).toMatchObject({ status: 0, stdout: String(heard?.received.length) });
    expect(conversation?.clear.sent.holes).toEqual([{ at: length - 5, bytes: 5 }]);
    expect(conversation?.clear.received.holes).toEqual([{ at: 0, bytes: heard?.received.length }]);
    expect(conversation?.closes).toMatchObject([{ sent: length, received: heard?.received.length }]);
  });

  it('end with the last descriptor; a child that goes on keeps their name, one that does not ends nothing', async () => {
    const program = compile(
      'children',
      `${CONNECTED}
int main(int argc, char **argv) {
    char rest[4096];
    int fd = connected(argv[1]), copy = dup(fd), moved = dup2(copy, 50), more = fcntl(fd, F_DUPFD, 60), status;
    write(fd, request, 20);
    close(fd), close(copy), close(more);
    if (!fork()) exit(0);
    wait(&status);
    if (!vfork()) { close(moved); _exit(0); }
    wait(&status);
    if (!fork()) {
        write(moved, request + 20, strlen(request) - 20);
        while (read(moved, rest, sizeof rest) > 0);
        exit(0);
    }
    wait(&status);
    return close(moved);
}`,
    );
    const { run: done, teed } = await run(program, [String(web.port)]);
    expect(done.status).toBe(0);
    const [conversation] = teed.all;
    const heard = web.heard.get(conversation?.open?.localPort ?? 0);
    expect(conversation?.clear.sent.bytes.equals(heard!.sent)).toBe(true);
    expect(conversation?.clear.received.bytes.equals(heard!.received)).toBe(true);
    expect(conversation?.procs.size).toBe(2);
    /* The child's totals at its exit, and what its parent knows of. */
    expect(conversation?.closes.map(({ sent }) => sent)).toEqual([heard?.sent.length, 20]);
    expect(conversation?.closes[1]?.proc).toBe(conversation?.open?.proc);
    expect(new Set(conversation?.closes.map(({ proc }) => proc)).size).toBe(2);
  });

  it('carry anything: what is no HTTP is told as it is, and what only looks like TLS ends the telling, not the program', async () => {
    const echo = createTcpServer((socket) => socket.on('error', () => {}).pipe(socket));
    echo.listen(0, '127.0.0.1');
    await once(echo, 'listening');
    const mirror = await relay((echo.address() as AddressInfo).port);
    const script = `
import random, socket, sys
random.seed(4)
def talk(first):
    s = socket.create_connection(('127.0.0.2', ${mirror.port}))
    for i in range(40):
        part = first if i == 0 else random.randbytes(random.choice([1, 7, 900, 7999, 8000, 8001, 20000]))
        s.sendall(part); back = b''
        while len(back) < len(part): back += s.recv(random.choice([1, 500, 9000]))
        assert back == part
    s.close()
talk(random.randbytes(300)); talk(b'\\x00'); talk(b'\\x16'); talk(b'\\x16\\x03\\x01\\x00'); talk(b'GET / HTTP/1.1\\r\\n'); talk(b'CONNECT ')
talk(b'\\x16\\x03\\x01\\x00\\x05'); talk(b'\\x16\\x03\\x03\\xff\\xff\\x01' + b'x' * 5000)
print('whole')`;
    const { run: done, teed } = await run('/usr/bin/python3', ['-c', script], {
      ALASTOR_STEER: `127.0.0.2:${mirror.port}/http`,
    });
    expect(done).toMatchObject({ status: 0, stdout: 'whole\n' });
    expect(teed.all).toHaveLength(8);
    for (const conversation of teed.all.slice(4, 6)) expectAllOf(conversation, mirror);
    /* What begins like no request is told until that shows, then only counted. */
    for (const { open, clear, closes } of teed.all.slice(0, 4)) {
      const { sent } = mirror.heard.get(open?.localPort ?? 0)!;
      for (const told of [clear.sent, clear.received]) {
        expect(told.bytes.length).toBeGreaterThan(4096);
        expect(told.bytes.length).toBeLessThan(40_000);
        expect(told.bytes.equals(sent.subarray(0, told.bytes.length))).toBe(true);
      }
      expect(closes).toMatchObject([{ sent: sent.length, received: sent.length, unread: false }]);
    }
    for (const { open, clear, hellos, closes } of teed.all.slice(6)) {
      const bytes = mirror.heard.get(open?.localPort ?? 0)?.sent.length;
      expect([clear.sent.next, clear.received.next, hellos.length]).toEqual([0, 0, 1]);
      expect(hellos[0]?.length).toBeLessThanOrEqual(4000);
      expect(closes).toMatchObject([{ unread: true, tls: false, sent: bytes, received: bytes }]);
    }
    mirror.close();
    echo.close();
  });

  it('are kept apart when many threads talk at once, and are told when the program ends', async () => {
    const program = compile(
      'threads',
      `${CONNECTED}
static const char *port;
static void *talk(void *number) {
    char text[2000], rest[4096];
    for (int i = 0; i < 10; i++) {
        int fd = connected(port), n = snprintf(text, sizeof text, "GET /%ld/%d HTTP/1.1\\r\\nHost: c\\r\\nConnection: close\\r\\nX: %0*d\\r\\n\\r\\n", (long)number, i, 10 + 150 * i, 1);
        for (int at = 0; at < n; at += 100) write(fd, text + at, n - at < 100 ? n - at : 100);
        while (read(fd, rest, sizeof rest) > 0);
        if (i < 9) close(fd);
    }
    return NULL;
}
int main(int argc, char **argv) {
    pthread_t all[12];
    port = argv[1];
    for (long i = 0; i < 12; i++) pthread_create(&all[i], NULL, talk, (void *)i);
    for (int i = 0; i < 12; i++) pthread_join(all[i], NULL);
    _exit(0);
}`,
    );
    const { run: done, teed } = await run(program, [String(web.port)]);
    expect(done.status).toBe(0);
    expect(teed.all).toHaveLength(120);
    for (const conversation of teed.all) expectAllOf(conversation);
  });

  it('beyond the number that is kept are led to the proxy as before', async () => {
    const idle = createTcpServer((socket) => socket.on('error', () => {}));
    idle.listen(0, '127.0.0.1');
    await once(idle, 'listening');
    const many = await relay((idle.address() as AddressInfo).port);
    const proxy = (idle.address() as AddressInfo).port;
    const script = `import socket; all = [socket.create_connection(('127.0.0.2', ${many.port})) for _ in range(300)]`;
    const { run: done, teed } = await run('/usr/bin/python3', ['-c', script], {
      ALASTOR_STEER: `127.0.0.2:${many.port}/http`,
      ALASTOR_PROXY_PORT: String(proxy),
    });
    expect(done).toMatchObject({ status: 0, stderr: '' });
    expect(teed.all).toHaveLength(255);
    expect(
      done
        .of('socket-connect')
        .map(({ steered }) => steered)
        .sort(),
    ).toEqual([...Array<boolean>(255).fill(false), ...Array<boolean>(45).fill(true)]);
    many.close();
    idle.close();
  });

  it('of a shell, whose programs would go on unseen, are led to the proxy as before', async () => {
    const script = `exec 3<>/dev/tcp/127.0.0.2/${web.port}; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3`;
    const proxy = String((http.address() as AddressInfo).port);
    const { run: done, teed } = await run('/bin/bash', ['-c', script], { ALASTOR_PROXY_PORT: proxy });
    expect(done.stdout).toContain('GET / 0');
    expect(teed.all).toEqual([]);
    expect(done.of('socket-connect')).toMatchObject([{ steered: true }]);
  });

  it('are not teed at all unless that was asked for', async () => {
    const url = `http://127.0.0.2:${web.port}/x`;
    const { run: done, teed } = await run('curl', ['-s', '--noproxy', '*', url], { ALASTOR_TEE: '' });
    expect(done.stdout).toBe('GET /x 0');
    expect(teed.events).toEqual([]);
    expect(done.of('socket-connect')).toMatchObject([{ steered: false }]);
  });
});

describe('bounds', () => {
  const upload = (bytes: number, chunk: number) => `
import socket
s = socket.create_connection(('127.0.0.2', ${web.port}))
s.sendall(b'POST /big HTTP/1.1\\r\\nHost: p\\r\\nConnection: close\\r\\nContent-Length: ${bytes}\\r\\n\\r\\n')
for _ in range(${bytes / chunk}): s.sendall(b'z' * ${chunk})
while s.recv(65536): pass`;

  it('hold a large body that the recorder takes as it comes, byte for byte', async () => {
    const { run: done, teed } = await run('/usr/bin/python3', ['-c', upload(2_000_000, 50_000)], {}, 16 << 20);
    expect(done.status).toBe(0);
    expectAllOf(teed.all[0]);
  });

  it('leave the ring to others when it fills: the rest of a body is counted, what comes after is told', async () => {
    const ring = watched.ring(1 << 20);
    const teed = new Teed(ring);
    /* Nobody drains while it runs. */
    const child = watched.start(
      '/usr/bin/python3',
      ['-c', `${upload(4_000_000, 50_000)}\nopen('after', 'w').write('x')`],
      watched.env(ring, { ALASTOR_TEE: 'http', ALASTOR_STEER: `127.0.0.2:${web.port}/http` }),
    );
    await once(child, 'close');
    const seen = ring.drain();
    const [conversation] = teed.all;
    const heard = web.heard.get(conversation?.open?.localPort ?? 0);
    expect(child.exitCode).toBe(0);
    expect(conversation?.clear.sent.next).toBe(heard?.sent.length);
    expect(conversation?.clear.sent.holes.length).toBeGreaterThan(0);
    const shown = conversation?.clear.sent.bytes.length ?? 0;
    expect(shown).toBeGreaterThan(65_536);
    expect(shown).toBeLessThan(600_000);
    const hidden = conversation?.clear.sent.holes.reduce((sum, { bytes }) => sum + bytes, 0) ?? 0;
    expect(shown + hidden).toBe(heard?.sent.length);
    expect(conversation?.clear.received.bytes.equals(heard!.received)).toBe(true);
    expect(conversation?.closes).toMatchObject([{ sent: heard?.sent.length, received: heard?.received.length }]);
    expect(seen.filter((o) => o.kind === 'gap')).toEqual([]);
    expect(seen.find((o) => o.kind === 'file-open' && o.path.endsWith('/after'))).toBeDefined();
  });

  it('never hold up a program whose ring is full; offsets show what is missing, and it is counted', async () => {
    const ring = watched.ring(16_384);
    const teed = new Teed(ring);
    const child = watched.start(
      '/usr/bin/python3',
      ['-c', upload(4_000_000, 50_000)],
      watched.env(ring, { ALASTOR_TEE: 'http', ALASTOR_STEER: `127.0.0.2:${web.port}/http` }),
    );
    await once(child, 'close');
    expect(child.exitCode).toBe(0);
    const gaps = ring.drain().filter((o) => o.kind === 'gap');
    expect(gaps).toMatchObject([{ why: 'ring-full' }]);
    const shown = teed.all.flatMap(({ clear }) => [clear.sent.bytes.length]);
    expect(shown.every((bytes) => bytes < 16_384)).toBe(true);
  });
});
