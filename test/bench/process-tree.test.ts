import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, it } from 'vitest';
import { cpuMs, memoryKb } from './process-tree.ts';

it('counts the time of a process and of its children that have ended', async () => {
  // The shell waits for its child, then lives on: the child's time is then the shell's.
  const child = spawn('/bin/sh', ['-c', 'python3 -c "sum(range(8_000_000))"; echo done; read line'], { stdio: 'pipe' });
  await once(child.stdout, 'data');
  expect(cpuMs([child.pid!])).toBeGreaterThan(0);
  expect(memoryKb([child.pid!], 'sum(range')[0]!.rss).toBeGreaterThan(100);
  expect(memoryKb([child.pid!], 'something else')).toEqual([]);
  child.stdin.end();
  await once(child, 'close');
  expect(cpuMs([child.pid!])).toBe(0);
});
