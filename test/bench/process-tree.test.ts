import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { cpuMs, diskKb, memoryKb } from './process-tree.ts';

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

it('counts the blocks that files take, in directories below too', () => {
  const dir = mkdtempSync('/tmp/alastor-test-');
  try {
    const empty = diskKb(dir);
    mkdirSync(join(dir, 'below'));
    writeFileSync(join(dir, 'below/file'), Buffer.alloc(1 << 20, 1));
    expect(diskKb(dir) - empty).toBeGreaterThanOrEqual(1024);
    expect(diskKb(dir) - empty).toBeLessThan(1100);
    expect(diskKb(join(dir, 'gone'))).toBe(0);
  } finally {
    rmSync(dir, { recursive: true });
  }
});
