import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import net from 'node:net';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { Bucket } from '../capture/bucket.ts';
import { exited } from '../capture/platform.ts';
import { Setup } from '../capture/setup.ts';

const installed = (...programs: string[]) => programs.every((program) => spawnSync(program, ['--version']).error === undefined);
const redis = installed('redis-server', 'redis-cli');
const postgresRoot = '/usr/lib/postgresql';
const postgres = existsSync(postgresRoot)
  ? join(postgresRoot, readdirSync(postgresRoot).sort().at(-1) ?? '', 'bin')
  : undefined;
const mariadb = installed('mariadbd', 'mariadb');
if (!mariadb) console.warn('mariadbd is not installed (scripts/runtime-clients brings it): the MySQL protocol is not tested');
if (!redis) console.warn('redis-server is not installed: the Redis protocol is not tested');
if (postgres === undefined) console.warn('postgresql is not installed: the PostgreSQL protocol is not tested');

let setup: Setup;
let dir: string;
beforeEach(async () => {
  setup = await Setup.start();
  ({ dir } = setup);
});
const of: Bucket['of'] = (kind) => setup.bucket.of(kind);

/** Lets an audited function run programs, one per request (`r0`, `r1`, …), and ends it. */
async function audited(...commands: readonly (readonly string[])[]): Promise<void> {
  const { platform } = setup;
  await setup.boot();
  for (const [i, argv] of commands.entries()) {
    const answer = await platform.invoke({ do: 'exec', argv }, { reqId: `r${i}` });
    expect(answer.kind).toBe('response');
  }
  // The other end of a connection may take its time to close; what it carried is told then.
  await platform.invoke({ do: 'sleep', ms: 300 }, { reqId: 'later' });
  await platform.idle();
  await setup.shutDown();
}

/** The process that a program of this name ran in. */
const process_ = (exe: RegExp) =>
  of('process-start')
    .filter((r) => exe.test(r.exe))
    .at(-1)?.proc;

async function listening(port: number, host: string): Promise<void> {
  for (let tries = 0; tries < 1000; tries++) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = net.connect(port, host);
      socket.once('connect', () => {
        socket.destroy();
        resolve(true);
      });
      socket.once('error', () => resolve(false));
    });
    if (open) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`nothing listens on ${host}:${port}`);
}

function started(child: ChildProcess): void {
  onTestFinished(async () => {
    child.kill('SIGTERM');
    await exited(child);
  });
}

/** A directory for a server's data, and a way to run the server: these refuse to run as root. */
function asServer(user: string, group = user) {
  const data = join(dir, 'data');
  mkdirSync(data);
  const root = process.getuid?.() === 0;
  if (root) execFileSync('chown', ['-R', user, dir]);
  const become = root ? ['setpriv', `--reuid=${user}`, `--regid=${group}`, '--clear-groups'] : [];
  const run = (...command: readonly string[]) => {
    const [program = '', ...args] = [...become, ...command];
    return spawn(program, args, { stdio: 'ignore', cwd: dir });
  };
  return { data, run };
}

async function anyPort(host: string): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe('protocols that are not HTTP pass through, with peer, bytes and process', () => {
  it.skipIf(!redis)('Redis', async () => {
    const host = '127.0.0.21';
    const port = await anyPort(host);
    started(spawn('redis-server', ['--port', String(port), '--bind', host, '--save', '', '--dir', dir], { stdio: 'ignore' }));
    await listening(port, host);
    const cli = ['redis-cli', '-h', host, '-p', String(port)];
    await audited([...cli, 'set', 'key', 'value'], [...cli, '--raw', 'get', 'key']);
    expect(execFileSync('redis-cli', [...cli.slice(1), 'get', 'key'], { encoding: 'utf8' })).toBe('value\n');
    expect(of('tunnel').map(({ req, peer, why }) => ({ req, peer, why }))).toEqual([
      { req: 'r0', peer: { addr: host, port, proto: 'tcp' }, why: 'not-http' },
      { req: 'r1', peer: { addr: host, port, proto: 'tcp' }, why: 'not-http' },
    ]);
    const last = of('tunnel').at(-1);
    expect(last?.proc).toBe(process_(/redis-cli$/));
    expect(last?.sent).toBeGreaterThan(10);
    expect(last?.received).toBeGreaterThanOrEqual('$5\r\nvalue\r\n'.length);
  });

  it.skipIf(postgres === undefined)('PostgreSQL', async () => {
    const host = '127.0.0.22';
    const port = await anyPort(host);
    const { data, run } = asServer('postgres');
    await exited(run(`${postgres}/initdb`, '-D', data, '-A', 'trust', '-U', 'shop', '--no-sync'));
    started(run(`${postgres}/postgres`, '-D', data, '-h', host, '-p', String(port), '-k', '', '-c', 'fsync=off'));
    await listening(port, host);
    const url = `postgresql://shop@${host}:${port}/postgres`;
    await audited([`${postgres}/psql`, '-X', url, '-c', "select 'answer' || 42"]);
    const tunnels = of('tunnel').filter(({ sent }) => sent > 50);
    expect(tunnels).toMatchObject([{ req: 'r0', peer: { addr: host, port, proto: 'tcp' }, why: 'not-http' }]);
    expect(tunnels[0]?.proc).toBe(process_(/psql$/));
    expect(tunnels[0]?.received).toBeGreaterThan(100);
  });

  it.skipIf(!mariadb)('MySQL, in which the server speaks first', async () => {
    const host = '127.0.0.24';
    const port = await anyPort(host);
    const { data, run } = asServer('nobody', 'nogroup');
    const options = [
      `--datadir=${data}`,
      `--bind-address=${host}`,
      `--port=${port}`,
      `--socket=${dir}/socket`,
      '--skip-grant-tables',
    ];
    started(run('mariadbd', '--no-defaults', ...options));
    await listening(port, host);
    const client = ['mariadb', '--no-defaults', '--protocol=tcp', '-h', host, '-P', String(port), '-u', 'shop'];
    await audited([...client, '-e', "select concat('answer', 42)"], [...client, '-e', 'select 1']);
    expect(of('tunnel').map(({ req, peer, why }) => ({ req, peer, why }))).toEqual([
      { req: 'r0', peer: { addr: host, port, proto: 'tcp' }, why: 'not-http' },
      { req: 'r1', peer: { addr: host, port, proto: 'tcp' }, why: 'not-http' },
    ]);
    const [first, second] = of('tunnel');
    expect(second?.proc).toBe(process_(/mariadb$/));
    expect(first?.sent).toBeGreaterThan(second?.sent ?? 0);
    expect(second?.received).toBeGreaterThan(100);
  });

  it('UDP, IPv6 and names: seen by the shim, not led anywhere', async () => {
    const script = [
      'import socket',
      'u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.connect(("127.0.0.23", 5353)); u.send(b"question"); u.close()',
      's = socket.socket(socket.AF_INET6); s.bind(("::1", 0)); s.listen()',
      'c = socket.create_connection(s.getsockname()[:2]); a, _ = s.accept(); c.sendall(b"six"); a.recv(3); c.close(); a.close()',
      'socket.getaddrinfo("localhost", 80)',
    ].join('\n');
    await audited(['/usr/bin/python3', '-c', script]);
    const connects = of('socket-connect').filter(({ req }) => req === 'r0');
    expect(connects).toContainEqual(
      expect.objectContaining({ peer: { addr: '127.0.0.23', port: 5353, proto: 'udp' }, steered: false }),
    );
    expect(connects).toContainEqual(
      expect.objectContaining({ peer: expect.objectContaining({ addr: '::1', proto: 'tcp' }), steered: false }),
    );
    expect(of('socket-close').find(({ peer }) => peer.proto === 'udp')).toMatchObject({ sent: 8, req: 'r0' });
    expect(of('socket-close').find(({ peer, sent }) => peer.addr === '::1' && sent === 3)).toBeDefined();
    const name = of('dns').find((r) => r.name === 'localhost');
    expect(name?.addrs.every((address) => /^(127\.|::1$)/.test(address))).toBe(true);
    expect(name?.addrs.length).toBeGreaterThan(0);
  });

  it('a program that the shim cannot see leaves at least its start, and that it was not observed', async () => {
    const program = join(dir, 'static');
    const source = 'int main(void) { return 0; }';
    execFileSync('gcc', ['-static', '-x', 'c', '-o', program, '-'], { input: source });
    await audited([program]);
    expect(of('process-exec').find(({ path }) => path === program)).toMatchObject({ req: 'r0' });
    expect(of('unobserved').find(({ what }) => what === 'program')).toMatchObject({ req: 'r0' });
  });
});
