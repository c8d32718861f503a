/* How much of what strace sees from outside the shim reports from inside: recall and precision per kind of edge. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { buildShim } from '../../../layers/shim/build.ts';
import { type EdgeKind, KINDS, type Score } from './edges.ts';
import { findLoader } from './mappings.ts';
import { type Traced, trace } from './trace.ts';
import { missingProgram, WORKLOADS } from './workloads.ts';

const HELP = `npm run bench:coverage -- [options]
  --only <workload>   only this one (may be repeated): ${WORKLOADS.map((w) => w.name).join(', ')}
  --verbose           list every missing and every extra edge
  --json              print the figures as JSON
  --keep              leave the traces where they are and say where
  --help`;

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    verbose: { type: 'boolean' },
    json: { type: 'boolean' },
    keep: { type: 'boolean' },
    help: { type: 'boolean' },
  },
});

const ratio = (part: number, whole: number) => (whole === 0 ? 1 : part / whole);
const percent = (value: number) => `${(Math.floor(value * 10_000) / 100).toFixed(2)} %`;

interface Sum {
  expected: number;
  found: number;
  reported: number;
  right: number;
}
const sums = new Map<EdgeKind, Sum>();
const results: Record<string, unknown>[] = [];

function count(scores: ReadonlyMap<EdgeKind, Score>): Sum {
  const all: Sum = { expected: 0, found: 0, reported: 0, right: 0 };
  for (const [kind, score] of scores) {
    const sum = sums.get(kind) ?? { expected: 0, found: 0, reported: 0, right: 0 };
    sums.set(kind, sum);
    for (const key of ['expected', 'found', 'reported', 'right'] as const) {
      sum[key] += score[key];
      all[key] += score[key];
    }
  }
  return all;
}

const row = (name: string, sum: Sum) =>
  `${name.padEnd(18)}${`${sum.expected}`.padStart(7)}${`${sum.reported}`.padStart(9)}` +
  `${percent(ratio(sum.found, sum.expected)).padStart(11)}${percent(ratio(sum.right, sum.reported)).padStart(11)}`;

function report(name: string, traced: Traced): void {
  const all = count(traced.scores);
  const gaps = traced.seen.filter((o) => o.kind === 'gap').length;
  results.push({ workload: name, status: traced.status, gaps, ...all, scores: Object.fromEntries(traced.scores) });
  if (values.json) return;
  console.log(`${row(name, all)}${gaps > 0 ? `   ${gaps} gaps` : ''}${traced.status === null ? '   did not end' : ''}`);
  if (!values.verbose) return;
  for (const [kind, score] of traced.scores) {
    for (const edge of score.missing) console.log(`    missing  ${kind} ${edge}`);
    for (const edge of score.extra) console.log(`    extra    ${kind} ${edge}`);
  }
}

async function main(): Promise<number> {
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const chosen = WORKLOADS.filter((w) => !values.only || values.only.includes(w.name));
  if (chosen.length === 0) throw new Error(`no such workload: ${values.only?.join(', ')}\n${HELP}`);
  const dir = mkdtempSync(join(tmpdir(), 'coverage-'));
  try {
    const shim = join(dir, 'libalastor.so');
    buildShim(shim);
    const loader = findLoader();
    if (!values.json) console.log(`${'workload'.padEnd(18)}   edges reported     recall  precision`);
    for (const workload of chosen) {
      const missing = missingProgram(workload);
      if (missing !== undefined) {
        results.push({ workload: workload.name, skipped: `${missing} is not installed` });
        if (!values.json) console.log(`${workload.name.padEnd(18)} skipped: ${missing} is not installed`);
        continue;
      }
      const run = join(dir, workload.name);
      mkdirSync(join(run, 'work'), { recursive: true });
      const undo = await workload.prepare?.(join(run, 'work'));
      try {
        report(workload.name, await trace({ command: workload.command, dir: run, shim, loader }));
      } finally {
        undo?.();
      }
    }
    const kinds = KINDS.flatMap((kind) =>
      sums.get(kind)?.expected || sums.get(kind)?.reported ? [[kind, sums.get(kind)] as const] : [],
    );
    if (values.json) console.log(JSON.stringify({ kinds: Object.fromEntries(kinds), workloads: results }, null, 2));
    else {
      console.log(`\n${'kind'.padEnd(18)}   edges reported     recall  precision`);
      for (const [kind, sum] of kinds) if (sum) console.log(row(kind, sum));
    }
    return 0;
  } finally {
    if (values.keep) console.error(`traces are in ${dir}`);
    else rmSync(dir, { recursive: true, force: true });
  }
}

process.exitCode = await main();
