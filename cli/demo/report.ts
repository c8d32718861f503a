/** What the demo prints for people. */

import type { StageTime } from '../progress.ts';
import type { PathAnswer, PathStep, Stats } from './api.ts';
import type { Explained, GraphSize } from './ask.ts';
import type { Forward } from './forward.ts';

const tty = process.stdout.isTTY === true && process.env.NO_COLOR === undefined;
const paint = (code: number, text: string): string => (tty ? `\x1b[${code}m${text}\x1b[0m` : text);
const bold = (text: string): string => paint(1, text);
const dim = (text: string): string => paint(2, text);

/** µs since 1970 as time of day, UTC. */
const clock = (at: number): string => new Date(at / 1000).toISOString().slice(11, 23);
/** A function's name is said once for every line: the stack's prefix tells nothing. */
const short = (fn: string): string => fn.replace(/^hello-retail-/, '');

export function attackReport({ truth, entries, paths, forward }: Explained): string {
  const lines = [bold(`━━ ${truth.name}`), `came in by ${entries.map((id) => `request ${id}`).join(' and ')}`, ''];
  for (const { host, answer, verdict } of paths) {
    lines.push(`Backward from ${bold(host)}:`, ...tree(answer.steps), '');
    lines.push(
      `  ${verdict.found} of ${verdict.steps} steps of the attack found, ${verdict.missed.length} missed, ${verdict.extra.length} extra` +
        ` (${verdict.context} further nodes are lawfully upstream)`,
      ...verdict.missed.map((what) => `  missed: ${what}`),
      ...verdict.extra.map((what) => `  extra:  ${what}`),
      '',
    );
  }
  if (forward !== undefined) lines.push(...handOvers(forward), '');
  return [...lines, ...involved(paths.map(({ answer }) => answer)), ''].join('\n');
}

/** Requests as a tree: below each one those that it handed over to. */
function handOvers({ requestId, root, labels, handOvers: all }: Forward): string[] {
  const lines = [`Forward from request ${bold(requestId)}, hand-overs to other functions:`, `  ${labels.get(root) ?? root}`];
  const shown = new Set([root]);
  const show = (from: string, indent: string): void => {
    const next = all.filter((one) => one.from === from);
    for (const [place, { to, call, by, sure }] of next.entries()) {
      const last = place === next.length - 1;
      lines.push(
        `  ${indent}${last ? '└─ ' : '├─ '}${call} → ${bold(short(labels.get(to) ?? to))} ${dim(`${sure}, by ${by}`)}`,
      );
      if (shown.has(to)) continue;
      shown.add(to);
      show(to, `${indent}${last ? '   ' : '│  '}`);
    }
  };
  show(root, '');
  return lines;
}

/** The steps as a tree: below each node what caused it. */
function tree(steps: readonly PathStep[]): string[] {
  const lines: string[] = [];
  const show = (index: number, indent: string, last: boolean): void => {
    const step = steps[index];
    if (step === undefined) return;
    const children = steps.flatMap((one, at) => (one.parent === index ? [at] : []));
    const root = step.parent === undefined;
    const where = step.function === undefined ? '' : ` ${paint(36, short(step.function))}`;
    const evidence = step.evidence[0];
    const proof = evidence === undefined ? '' : ` [${evidence.segment.split('/').slice(-2, -1)[0]?.slice(-6)}#${evidence.seq}]`;
    const joined = step.by === undefined ? '' : `, by ${step.by}`;
    const reason = root
      ? ''
      : dim(` ${clock(step.at)} ${step.reason}${step.sure === 'inferred' ? ', inferred' : ''}${joined}${proof}`);
    lines.push(`  ${indent}${root ? '' : last ? '└─ ' : '├─ '}${step.kind} ${bold(labelOf(step))}${where}${reason}`);
    for (const [place, child] of children.entries()) {
      show(child, root ? indent : `${indent}${last ? '   ' : '│  '}`, place === children.length - 1);
    }
  };
  for (const [index, { parent }] of steps.entries()) if (parent === undefined) show(index, '', true);
  return lines;
}

function labelOf({ kind, label, function: fn }: PathStep): string {
  const text = kind === 'request' && fn !== undefined && label.startsWith(`${fn} `) ? label.slice(fn.length + 1) : label;
  return text.length > 110 ? `${text.slice(0, 109)}…` : text;
}

function involved(answers: readonly PathAnswer[]): string[] {
  const requests = new Map(answers.flatMap(({ requests: all }) => all.map((one) => [one.requestId, one] as const)));
  const reused = new Map(
    answers.flatMap(({ reused: all }) => all.map((one) => [`${one.label} ${one.from} ${one.to}`, one] as const)),
  );
  return [
    'Requests and the instances that served them:',
    ...[...requests.values()].map(
      (one) => `  ${one.requestId}  ${short(one.function).padEnd(16)} ${one.instanceId}${one.entry ? '  entry' : ''}`,
    ),
    reused.size === 0 ? 'Nothing was reused between requests.' : 'Reused between requests:',
    ...[...reused.values()].map(
      (one) => `  ${one.what} ${one.label}: left by ${one.from}, used by ${one.to}, instance ${one.instanceId}`,
    ),
  ];
}

/** One row per scope, one pair of columns per scenario. */
export function sizesReport(sizes: readonly GraphSize[]): string {
  const scenarios = [...new Set(sizes.map(({ scenario }) => scenario))];
  const scopes = [...new Set(sizes.map(({ scope }) => scope))];
  const cell = (scope: string, scenario: string): string => {
    const found = sizes.find((one) => one.scope === scope && one.scenario === scenario);
    return (found === undefined ? '–' : `${found.nodes}/${found.edges}`).padStart(16);
  };
  return [
    bold('Graphs, nodes/edges'),
    `  ${''.padEnd(18)}${scenarios.map((name) => name.padStart(16)).join('')}`,
    ...scopes.map((scope) => `  ${short(scope).padEnd(18)}${scenarios.map((name) => cell(scope, name)).join('')}`),
    dim('  the paper, on its own platform: global 69/80 benign, 76/117 attack 1, 49/65 attack 2'),
    '',
  ].join('\n');
}

export function totalsReport(stats: Stats, stages: readonly StageTime[], seed: number): string {
  const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
  return [
    bold('Totals'),
    `  ${stats.requests} requests, ${stats.instances} instances, ${stats.functions} functions audited`,
    `  ${stats.records} records in ${stats.segments} segments, ${stats.gaps} gaps`,
    `  ${stages.map(({ name, ms }) => `${name} ${seconds(ms)}`).join(', ')}; ${seconds(stages.reduce((sum, { ms }) => sum + ms, 0))} in all`,
    `  random choices: --seed ${seed}`,
    '',
  ].join('\n');
}

/** Shown with --keep. */
export function keepReport(asked: readonly string[]): string {
  return [bold('Still running. Ask it, then Ctrl-C:'), ...asked.map((line) => `  ${line}`), ''].join('\n');
}
