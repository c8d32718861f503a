import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { chainProblems } from './bucket.ts';
import { Setup } from './setup.ts';

const fixtures = join(import.meta.dirname, 'fixtures');
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const statuses = ({ bucket }: Setup) => bucket.of('request-end').map(({ req, status }) => `${req} ${status}`);
const expectWhole = ({ bucket }: Setup): void => {
  expect(bucket.of('gap')).toEqual([]);
  expect(chainProblems(bucket)).toEqual([]);
};

describe('another process that talks to the Runtime API', () => {
  it('is on record with what it did, and cuts no request but those that the platform gave it', async () => {
    const setup = await Setup.start();
    const { platform, bucket, dir } = setup;
    await setup.boot({}, { STRAIGHT: platform.address });
    const mark = join(dir, 'mark');
    const thief = { do: 'run-thief', program: join(fixtures, 'thief.py'), mark };
    expect((await platform.invoke(thief, { reqId: 'A' })).body).toBe('{"forged":1}');
    await platform.idle();
    const asked = platform.calls.filter((call) => call === 'runtime next').length;
    writeFileSync(mark, '');
    while (platform.calls.filter((call) => call === 'runtime next').length === asked) await sleep(10);
    expect((await platform.invoke({ do: 'echo', value: 1 }, { reqId: 'B' })).body).toBe('{"stolen":1}');
    await platform.idle();
    await setup.shutDown();

    // The runtime's own answer to A was refused; what the caller got was the forged one.
    expect(statuses(setup)).toEqual(['A ok', 'B ok']);
    expect(bucket.of('request-end').map(({ response }) => response.bytes)).toEqual([12, 12]);
    expect(bucket.of('request-begin').map(({ req }) => req)).toEqual(['A', 'B']);
    const runtime = bucket.of('process-start').find(({ how }) => how === 'runtime')?.proc;
    const talks = bucket.of('exchange').filter(({ path }) => path.includes('/runtime/invocation/'));
    const [, port] = platform.address.split(':');
    for (const talk of talks) expect(talk).toMatchObject({ seenBy: 'tap', addr: '127.0.0.1', port: Number(port) });
    expect(talks.map(({ method, path }) => `${method} ${path.split('/invocation/')[1]}`)).toEqual([
      'POST A/response',
      'GET next',
      'POST B/response',
      'GET next',
    ]);
    expect(talks.map(({ proc }) => proc)).not.toContain(runtime);
    expectWhole(setup);
  });
});

it('a runtime that the shim cannot see is seen by the proxy', async () => {
  const setup = await Setup.start();
  const { platform, bucket, instance, dir } = setup;
  const program = join(dir, 'static');
  execFileSync('gcc', ['-static', '-O1', '-w', '-o', program, join(fixtures, 'static.c')]);
  instance.startExtension();
  await platform.extensionWaits();
  instance.startRuntime({}, [program]);
  expect((await platform.invoke({ value: 1 }, { reqId: 'A' })).body).toBe('{"value":1}');
  expect((await platform.invoke({ value: 2 }, { reqId: 'B' })).body).toBe('{"value":2}');
  await platform.idle();
  await setup.shutDown();
  expect(statuses(setup)).toEqual(['A ok', 'B ok']);
  expect(bucket.of('request-begin')[0]).toMatchObject({ event: { bytes: 11, sha256: expect.any(String) } });
  expectWhole(setup);
});

it('a recorder that is stopped holds up no answer, and catches up when it goes on', async () => {
  const setup = await Setup.start();
  const { platform, bucket, instance, dir } = setup;
  await setup.boot();
  await platform.invoke({ do: 'echo', value: 0 }, { reqId: 'A' });
  await platform.idle();
  const [recorder] = instance.children;
  recorder?.kill('SIGSTOP');
  onTestFinished(() => void recorder?.kill('SIGCONT'));
  const path = join(dir, 'made');
  expect((await platform.invoke({ do: 'write', path, value: 'x' }, { reqId: 'B' })).body).toBe('{}');
  expect(existsSync(path)).toBe(true);
  recorder?.kill('SIGCONT');
  await platform.idle();
  await setup.shutDown();
  expect(statuses(setup)).toEqual(['A ok', 'B ok']);
  expect(bucket.of('file-open').find((r) => r.path === path)).toMatchObject({ req: 'B', phase: 'invoke' });
  expectWhole(setup);
});
