import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { findLoader } from '../../bench/coverage/mappings.ts';
import { trace } from '../../bench/coverage/trace.ts';
import { missingProgram, WORKLOADS } from '../../bench/coverage/workloads.ts';
import { Watched } from './watched.ts';

const watched = new Watched();
afterAll(() => watched.close());

/* The rest is for `npm run bench:coverage`. */
const CHOSEN = ['node-files', 'node-children', 'node-network', 'python-processes', 'shell', 'curl', 'direct'];

describe('what the shim reports is what strace sees, neither more nor less', () => {
  const loader = findLoader();
  for (const workload of WORKLOADS.filter(({ name }) => CHOSEN.includes(name))) {
    const missing = missingProgram(workload);
    it.skipIf(missing !== undefined)(missing ? `${workload.name}: ${missing} is not installed` : workload.name, async () => {
      const dir = join(watched.dir, workload.name);
      mkdirSync(join(dir, 'work'), { recursive: true });
      const undo = await workload.prepare?.(join(dir, 'work'));
      try {
        const traced = await trace({ command: workload.command, dir, shim: watched.shim, loader });
        const wrong = [...traced.scores].flatMap(([kind, { missing: lost, extra }]) => [
          ...lost.map((edge) => `missing: ${kind} ${edge}`),
          ...extra.map((edge) => `extra: ${kind} ${edge}`),
        ]);
        expect(wrong).toEqual([]);
        expect([...traced.scores.values()].reduce((sum, s) => sum + s.expected, 0)).toBeGreaterThan(40);
        expect(traced.seen.filter((o) => o.kind === 'gap')).toEqual([]);
      } finally {
        undo?.();
      }
    });
  }
});
