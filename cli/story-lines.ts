/** A story for people: numbered steps, grouped by the request in which they happened. */
import type { Explanation } from './answers.ts';
import { cells, clock, day, iso, line, pad, plural, type Screen, safe, size, wrap } from './screen.ts';
import { table } from './table.ts';

type Step = Explanation['steps'][number];

const NUMBER = 3;
const CLOCK = 12;

/** @param detail `short`: only the acts, not the steps; `evidence`: with the records behind each step in full */
export function* tell(screen: Screen, story: Explanation, detail: { short: boolean; evidence: boolean }): Iterable<string> {
  const { steps, requests, instances } = story;
  const days = [...new Set(steps.map(({ at }) => day(at)))].sort();
  const start = steps.find(({ role }) => role === 'start');
  yield line(screen, { text: `How it came to ${start?.kind ?? 'node'} ${safe(story.label)}`, style: 'bold' });
  yield line(screen, {
    text: `${[days[0], ...days.slice(1).slice(-1)].join(' to ')} (UTC): ${plural(steps.length, 'step')}, ${plural(requests.length, 'request')}, ${plural(instances.length, 'instance')}`,
    style: 'dim',
  });
  yield* inShort(screen, story);
  if (!detail.short) yield* allSteps(screen, story, detail.evidence);
  yield* summary(screen, story);
}

/** Who did what, in order of time: what belongs to one act of one process is told at once. */
function* inShort(screen: Screen, { acts, steps }: Explanation): Iterable<string> {
  yield '';
  yield screen.paint('bold', 'In short');
  for (const { at, text, steps: members } of acts) {
    const time = screen.terminal ? clock(at) : iso(at);
    const margin = ' '.repeat(time.length + 4);
    const [first = '', ...rest] = wrap(screen, safe(text), margin, margin);
    yield screen.paint('dim', `  ${time}  `) + first.slice(margin.length);
    yield* rest;
    const sure = members.every((i) => steps[i]?.sure === 'exact') ? '' : ', partly inferred';
    yield screen.paint('dim', `${margin}${numbers(members)}${sure}`);
  }
}

/** `steps 1–4, 9`. */
function numbers(indexes: readonly number[]): string {
  const runs: [number, number][] = [];
  for (const i of [...indexes].sort((a, b) => a - b)) {
    const last = runs.at(-1);
    if (last !== undefined && last[1] === i - 1) last[1] = i;
    else runs.push([i, i]);
  }
  const said = runs.map(([from, to]) => (from === to ? `${from + 1}` : `${from + 1}–${to + 1}`));
  return `${indexes.length === 1 ? 'step' : 'steps'} ${said.join(', ')}`;
}

function* allSteps(screen: Screen, story: Explanation, evidence: boolean): Iterable<string> {
  const { steps } = story;
  let before: Step | undefined;
  for (const [i, step] of steps.entries()) {
    if (before === undefined || placeOf(before) !== placeOf(step)) yield* heading(screen, story, step, i);
    if (before !== undefined && day(before.at) !== day(step.at)) yield line(screen, { text: day(step.at), style: 'dim' });
    yield* stepLines(screen, story, i, evidence);
    before = step;
  }
}

const placeOf = ({ instanceId, requestId }: Step): string => `${instanceId} ${requestId}`;

/** Which request the next steps belong to, and by what the story came there. */
function* heading(screen: Screen, { boundaries, entries }: Explanation, step: Step, at: number): Iterable<string> {
  yield '';
  if (step.function === undefined) {
    yield line(screen, { text: '═ outside', style: 'yellow' });
    return;
  }
  const entry = entries.some(({ requestId }) => requestId === step.requestId) ? ', by which it came in' : '';
  const where = step.requestId === undefined ? '' : `, request ${safe(step.requestId)}${entry}`;
  yield* wrap(screen, `═ ${safe(step.function)}${where}`, '  ', '').map((one) => screen.paint('cyan', one));
  const crossed = boundaries.find(({ to }) => to === at);
  if (crossed === undefined) return;
  const by = crossed.by === undefined ? '' : `, by ${safe(crossed.by)}`;
  const how = `from step ${crossed.from + 1} into another ${crossed.kind}${by} (${crossed.sure})`;
  for (const one of wrap(screen, how, '  ')) yield screen.paint('dim', one);
}

function* stepLines(screen: Screen, { steps, boundaries }: Explanation, at: number, evidence: boolean): Iterable<string> {
  const step = steps[at];
  if (step === undefined) return;
  const time = screen.terminal ? clock(step.at) : iso(step.at);
  const margin = ' '.repeat(NUMBER + 2 + (screen.terminal ? CLOCK : time.length) + 2);
  const [first = '', ...rest] = wrap(screen, `${step.kind} ${labelOf(step)}`, `${margin}  `, margin);
  const odd = step.deviates || step.unexplained ? screen.paint('red', '!') : ' ';
  const number = String(at + 1).padStart(NUMBER);
  const text = first.slice(margin.length);
  const style = step.role === 'touched' ? undefined : 'bold';
  const paint = (one: string): string => (style === undefined ? one : screen.paint(style, one));
  yield `${screen.paint('dim', number)} ${odd}${screen.paint('dim', `${time}  `)}${paint(text)}`;
  yield* rest.map(paint);
  const bytes = step.bytes === undefined ? '' : `, ${size(step.bytes)}`;
  const sure = step.sure === 'exact' ? '' : ', inferred';
  const to = step.parent === undefined ? '' : ` → ${step.explains.map((one) => one + 1).join(', ')}`;
  const crossed = boundaries.filter(({ from }) => from === at).map(({ kind }) => `, into another ${kind}`);
  const proof = evidence ? [] : step.evidence.slice(0, 1).map(({ segment, seq }) => ` [${shortened(segment)}#${seq}]`);
  const reason = `${safe(step.reason)}${bytes}${sure}${to}${crossed.join('')}${proof.join('')}`;
  for (const one of wrap(screen, reason, margin)) yield screen.paint('dim', one);
  if (evidence) {
    // Whole, however long: `alastor evidence` takes them.
    const records = [...new Set(step.evidence.map(({ segment, seq }) => `${segment}#${seq}`))];
    for (const one of records) yield screen.paint('dim', `${' '.repeat(NUMBER + 2)}${safe(one)}`);
  }
}

/** The end of the instance's id: enough to tell instances of a story apart. */
const shortened = (segment: string): string => safe(segment.split('/').at(-2)?.slice(-6) ?? '');

/** A request's function stands in the heading. */
function labelOf({ kind, label, function: fn }: Step): string {
  return safe(kind === 'request' && fn !== undefined && label.startsWith(`${fn} `) ? label.slice(fn.length + 1) : label);
}

function* summary(screen: Screen, { requests, reused, left, agents }: Explanation): Iterable<string> {
  const title = (text: string): string => screen.paint('bold', text);
  if (reused.length > 0) {
    yield '';
    yield title('Reused between requests');
    for (const { what, label, from, to, instanceId } of reused) {
      yield* wrap(screen, `${what} ${safe(label)}`, '    ', '  ');
      yield line(screen, { text: `    left by request ${safe(from)}`, style: 'dim' });
      yield line(screen, { text: `    used by request ${safe(to)}`, style: 'dim' });
      yield line(screen, { text: `    in instance     ${safe(instanceId)}`, style: 'dim' });
    }
  }
  if (left.length > 0) {
    yield '';
    yield title('What left');
    const width = Math.max(...left.map(({ to }) => cells(safe(to))));
    for (const { to, bytes, label } of left) {
      yield line(screen, `  ${pad(safe(to), Math.min(width, 40))}  ${size(bytes).padStart(8)}  `, {
        text: safe(label),
        style: 'dim',
      });
    }
  }
  if (agents.length > 0) {
    yield '';
    yield title('Who put the code there, and whose rights were used');
    for (const { as, agent, function: fn, action, at } of agents) {
      const did = [fn, action, at === undefined ? undefined : iso(at)].flatMap((text) =>
        text === undefined ? [] : [safe(text)],
      );
      yield* wrap(screen, `${as} ${safe(agent)}${did.length === 0 ? '' : `: ${did.join(', ')}`}`, '    ', '  ');
    }
  }
  yield '';
  yield title('Requests');
  yield* table(screen, requests, [
    { title: '  REQUEST', of: ({ requestId }) => `  ${safe(requestId)}` },
    { title: 'FUNCTION', of: (one) => safe(one.function), least: 24, style: () => 'cyan' },
    { title: 'ENTRY', of: ({ entry }) => (entry ? 'entry' : '') },
    { title: 'INSTANCE', of: ({ instanceId }) => safe(instanceId), drop: 1 },
  ]);
}
