import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { chainProblems } from './bucket.ts';
import { exited } from './platform.ts';
import { Setup } from './setup.ts';

/** A control group whose processes have this much memory; undefined where none can be made (that takes root). */
function memoryGroup(bytes: number): { add(pid: number): void; remove(): void } | undefined {
  const root = '/sys/fs/cgroup';
  const old = existsSync(`${root}/memory`);
  const group = `${root}/${old ? 'memory/' : ''}alastor-test-${process.pid}`;
  try {
    if (!old && !readFileSync(`${root}/cgroup.subtree_control`, 'utf8').includes('memory')) return undefined;
    mkdirSync(group);
    writeFileSync(join(group, old ? 'memory.limit_in_bytes' : 'memory.max'), String(bytes));
  } catch {
    return undefined;
  }
  return {
    add: (pid) => writeFileSync(join(group, 'cgroup.procs'), String(pid)),
    remove: () => rmdirSync(group),
  };
}

it('a runtime that the kernel kills for its memory: all up to that moment is there, and the request ends as a crash', async (test) => {
  const group = memoryGroup(200 << 20);
  if (group === undefined) return test.skip('no control group can be made: the kernel cannot be brought to kill for memory');
  const setup = await Setup.start();
  const { platform, instance, bucket, dir } = setup;
  await setup.boot();
  const runtime = instance.children[1]!;
  onTestFinished(async () => {
    runtime.kill('SIGKILL');
    await exited(runtime);
    group.remove();
  });
  group.add(runtime.pid!);
  const path = join(dir, 'made');
  void platform.invoke({ do: 'use-up-memory', path }, { reqId: 'doomed', deadlineMs: 60_000 });
  await exited(runtime);
  expect(runtime.signalCode).toBe('SIGKILL');
  await platform.extensionWaits();
  expect(bucket.of('file-open').find((r) => r.path === path)).toMatchObject({ req: 'doomed', mode: 'w' });
  expect(bucket.of('request-end')).toMatchObject([{ req: 'doomed', status: 'crash' }]);
  expect(bucket.of('gap')).toEqual([]);
  expect(chainProblems(bucket)).toEqual([]);
});
