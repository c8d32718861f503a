import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { buildLayer } from '../../../layers/build.ts';
import type { AuditRecord } from '../../../layers/record/types.ts';
import { startBucket } from '../capture/bucket.ts';
import { instanceEnvironment, workplace } from '../capture/setup.ts';

const fixtures = join(import.meta.dirname, 'fixtures');

/** Hands out as many requests at once as are asked for; extensions may register for SHUTDOWN only. */
async function startPlatform() {
  const asking: ServerResponse[] = [];
  const answered = new Map<string, () => void>();
  const registered: string[] = [];
  let shutdown: ServerResponse | undefined;
  const server = createServer(async (request, answer) => {
    const path = request.url ?? '';
    let body = '';
    for await (const part of request) body += part;
    if (path.endsWith('/invocation/next')) asking.push(answer);
    else if (path.endsWith('/event/next')) shutdown = answer;
    else if (path.endsWith('/register')) {
      registered.push(...(JSON.parse(body).events as string[]));
      answer.writeHead(200, { 'Lambda-Extension-Identifier': 'one' }).end('{}');
    } else {
      answer.writeHead(202).end('{}');
      answered.get(/invocation\/([^/]+)\//.exec(path)?.[1] ?? '')?.();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const until = async (holds: () => boolean) => {
    while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    registered,
    extensionWaits: () => until(() => shutdown !== undefined),
    runtimesWait: (n: number) => until(() => asking.length >= n),
    invoke(reqId: string, event: object): Promise<void> {
      const headers = { 'Lambda-Runtime-Aws-Request-Id': reqId, 'Lambda-Runtime-Deadline-Ms': String(Date.now() + 9000) };
      const done = new Promise<void>((resolve) => answered.set(reqId, resolve));
      asking.shift()!.writeHead(200, headers).end(JSON.stringify(event));
      return done;
    },
    stop() {
      shutdown
        ?.writeHead(200)
        .end(JSON.stringify({ eventType: 'SHUTDOWN', shutdownReason: 'spindown', deadlineMs: Date.now() + 2000 }));
    },
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** Two requests at the same time; the records of the instance afterwards. */
async function twoAtOnce(dir: string, runtime: readonly string[]): Promise<readonly AuditRecord[]> {
  const layer = await buildLayer();
  const bucket = await startBucket();
  const platform = await startPlatform();
  const env = {
    ...instanceEnvironment(bucket, dir, platform.address),
    AWS_LAMBDA_INITIALIZATION_TYPE: 'lambda-managed-instances',
  };
  const extension = spawn(join(layer, 'extensions/alastor'), { env, stdio: 'ignore' });
  await platform.extensionWaits();
  const process_ = spawn(join(layer, 'alastor/wrapper'), runtime, { env, stdio: 'ignore', detached: true });
  onTestFinished(async () => {
    process.kill(-process_.pid!, 'SIGKILL');
    extension.kill('SIGKILL');
    platform.close();
    await bucket.close();
  });
  await platform.runtimesWait(2);
  await Promise.all(['A', 'B'].map((id) => platform.invoke(id, { path: join(dir, id) })));
  await platform.runtimesWait(2);
  platform.stop();
  await once(extension, 'exit');
  expect(platform.registered).toEqual(['SHUTDOWN']);
  return bucket.records();
}

const writers = (records: readonly AuditRecord[], dir: string, names: readonly string[]) =>
  names.map((name) => records.find((r) => r.kind === 'file-open' && r.mode === 'w' && r.path === join(dir, name))?.req);

it('tells concurrent requests apart where each has a process of its own', async () => {
  const dir = workplace();
  const records = await twoAtOnce(dir, ['/usr/bin/python3', join(fixtures, 'concurrent.py')]);
  expect(records[0]).toMatchObject({ kind: 'init', initType: 'lambda-managed-instances' });
  expect(writers(records, dir, ['A', 'A.child', 'B', 'B.child'])).toEqual(['A', 'A', 'B', 'B']);
});

it('names no request where one process has several, and says so', async () => {
  const dir = workplace();
  const records = await twoAtOnce(dir, [process.execPath, join(fixtures, 'concurrent.mjs')]);
  expect(writers(records, dir, ['A', 'B'])).toEqual([null, null]);
  const said = records.filter((r) => r.kind === 'unobserved' && r.detail.includes('several requests at once'));
  expect(said).toHaveLength(1);
});
