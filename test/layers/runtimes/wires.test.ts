import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import net from 'node:net';
import { dirname, join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it, onTestFailed, onTestFinished } from 'vitest';
import { buildLayer } from '../../../layers/build.ts';
import type { AuditRecord } from '../../../layers/record/types.ts';
import { type Bucket, startBucket } from '../capture/bucket.ts';
import { exited, Instance, Platform } from '../capture/platform.ts';

const installed = (...programs: string[]) => programs.every((program) => spawnSync(program, ['--version']).error === undefined);
const redis = installed('redis-server', 'redis-cli');
const postgresRoot = '/usr/lib/postgresql';
const postgres = existsSync(postgresRoot)
  ? join(postgresRoot, readdirSync(postgresRoot).sort().at(-1) ?? '', 'bin')
  : undefined;
if (!redis) console.warn('redis-server is not installed: the Redis protocol is not tested');
if (postgres === undefined) console.warn('postgresql is not installed: the PostgreSQL protocol is not tested');

let layer: string;
let bucket: Bucket;
let platform: Platform;
let instance: Instance;
let dir: string;

beforeAll(async () => {
  layer = await buildLayer();
});
beforeEach(async () => {
  bucket = await startBucket();
  platform = new Platform();
  await platform.start();
  dir = mkdtempSync('/tmp/alastor-wires-');
  instance = new Instance(layer, {
    PATH: `${dirname(process.execPath)}:/usr/bin:/bin`,
    ALASTOR_DIR: join(dir, 'shared'),
    ALASTOR_BUCKET: bucket.name,
    AWS_ENDPOINT_URL: bucket.url,
    AWS_REGION: 'eu-central-1',
    AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
    AWS_SECRET_ACCESS_KEY: 'secret',
    AWS_LAMBDA_FUNCTION_NAME: 'purchase',
    AWS_LAMBDA_RUNTIME_API: platform.address,
  });
  onTestFailed(() => console.error(instance.stderr));
});
afterEach(async () => {
  await instance.stop();
  await platform.close();
  await bucket.close();
  rmSync(dir, { recursive: true, force: true });
});

const of = <K extends AuditRecord['kind']>(kind: K) =>
  bucket.records().filter((r): r is Extract<AuditRecord, { kind: K }> => r.kind === kind);

/** Lets an audited function run programs, one per request (`r0`, `r1`, …), and ends it. */
async function audited(...commands: readonly (readonly string[])[]): Promise<void> {
  instance.startExtension();
  await platform.extensionWaits();
  instance.startRuntime();
  for (const [i, argv] of commands.entries()) {
    const answer = await platform.invoke({ do: 'exec', argv }, { reqId: `r${i}` });
    expect(answer.kind).toBe('response');
  }
  // The other end of a connection may take its time to close; what it carried is told then.
  await platform.invoke({ do: 'sleep', ms: 300 }, { reqId: 'later' });
  await platform.idle();
  await platform.shutdown();
  await exited(instance.children[0]!);
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
    const data = join(dir, 'data');
    // The server refuses to run as root.
    const asUser = process.getuid?.() === 0 ? ['setpriv', '--reuid=postgres', '--regid=postgres', '--clear-groups'] : [];
    execFileSync('mkdir', [data]);
    if (asUser.length > 0) execFileSync('chown', ['-R', 'postgres', dir]);
    const run = ([program = '', ...args]: readonly string[]) => spawn(program, args, { stdio: 'ignore', cwd: dir });
    const init = run([...asUser, `${postgres}/initdb`, '-D', data, '-A', 'trust', '-U', 'shop', '--no-sync']);
    await exited(init);
    const options = ['-D', data, '-h', host, '-p', String(port), '-k', '', '-c', 'fsync=off'];
    started(run([...asUser, `${postgres}/postgres`, ...options]));
    await listening(port, host);
    const url = `postgresql://shop@${host}:${port}/postgres`;
    await audited([`${postgres}/psql`, '-X', url, '-c', "select 'answer' || 42"]);
    const tunnels = of('tunnel').filter(({ sent }) => sent > 50);
    expect(tunnels).toMatchObject([{ req: 'r0', peer: { addr: host, port, proto: 'tcp' }, why: 'not-http' }]);
    expect(tunnels[0]?.proc).toBe(process_(/psql$/));
    expect(tunnels[0]?.received).toBeGreaterThan(100);
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
