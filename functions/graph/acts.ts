/**
 * A story in the steps in which one would tell it. Its nodes are many: a function that is asked for something is a call, a
 * request, a process; what that process read is a call and a resource. Here what belongs to one act of one process is one act.
 */
import { isRequest, shardOf, shown } from './ids.ts';
import type { Step } from './story.ts';

export interface Act {
  /** Index of the step that acted, in the list of the story's steps. */
  readonly head: number;
  /** All steps that are told by it, the head among them, in order of time. */
  readonly steps: readonly number[];
  readonly at: number;
  readonly text: string;
}

/** Generations of children that are told with their ancestor. */
const DEPTH = 8;
/** Longest text of an act. */
const LONGEST = 400;

/** In order of time. Every step is in exactly one act. */
export function acts(steps: readonly Step[]): readonly Act[] {
  const children = Map.groupBy(steps.keys(), (i) => steps[i]?.parent ?? -1);
  const told = steps.map((_, i) => toldWith(steps, children, i));
  const groups = Map.groupBy(steps.keys(), (i) => headOf(told, i));
  const all = [...groups].map(([head, members]) => {
    // An act is when its actor began it, whatever it took in.
    const at = steps[head]?.at ?? 0;
    return { head, steps: members, at, text: shown(textOf(steps, head, members), LONGEST) };
  });
  return all.sort((a, b) => a.at - b.at || a.head - b.head);
}

function headOf(told: readonly (number | undefined)[], i: number): number {
  const seen = new Set<number>();
  let at = i;
  for (let next = told[at]; next !== undefined && !seen.has(next); next = told[at]) {
    seen.add(at);
    at = next;
  }
  return at;
}

type Children = ReadonlyMap<number, readonly number[]>;

/** The step with which one is told; undefined for one that is told by itself. */
function toldWith(steps: readonly Step[], children: Children, i: number): number | undefined {
  const step = steps[i];
  const parent = step?.parent;
  if (step === undefined) return undefined;
  const below = children.get(i) ?? [];
  const made = (via: Step['via']) => below.find((child) => steps[child]?.via === via);
  if (parent === undefined) {
    // What was asked about, if one act alone led to it.
    const senders = below.filter((child) => steps[child]?.via !== 'invoke');
    return step.kind === 'request' || senders.length !== 1 ? undefined : senders[0];
  }
  switch (step.kind) {
    case 'client':
    case 'image-tree':
    case 'baseline':
    case 'resource':
      return step.role === 'touched' || step.kind !== 'resource' ? parent : (below[0] ?? parent);
    case 'request':
      return step.via === 'event' ? parent : undefined;
    case 'exchange':
      // The call that made a request belongs to that request; any other to who made it, or to who took its answer in.
      if (step.via === 'invoke' || step.via === 'response') return parent;
      return made('request') ?? parent;
    case 'endpoint':
      return step.via === 'reply' || step.via === 'receive' ? parent : undefined;
    case 'file':
      return step.role === 'touched' ? parent : (made('write') ?? made('rename') ?? parent);
    case 'process':
      if (step.via === 'result') return parent;
      return step.via === 'exit' && isMinor(steps, children, i) ? parent : undefined;
    default:
      return undefined;
  }
}

/** A child that made no call and was given no file by others, and whose own children neither. */
function isMinor(steps: readonly Step[], children: Children, i: number, depth = DEPTH): boolean {
  return (children.get(i) ?? []).every((child) => {
    const { kind, via, role } = steps[child] ?? {};
    if (kind === 'process') return via === 'exit' && depth > 0 && isMinor(steps, children, child, depth - 1);
    return kind === 'file' && role === 'touched';
  });
}

/** Who did it, after whom; then what else belongs to it. */
function textOf(steps: readonly Step[], head: number, members: readonly number[]): string {
  const actor = steps[head];
  if (actor === undefined) return '';
  const own = members.flatMap((i) => steps[i] ?? []);
  const of = (kind: Step['kind']) => own.filter((step) => step.kind === kind);
  const requests = of('request');
  // One client may stand for several requests.
  const clients = steps.filter(({ kind, explains }) => {
    return kind === 'client' && explains.some((i) => members.includes(i) && steps[i]?.kind === 'request');
  });
  const cause = of('exchange').find(({ via }) => via === 'invoke');
  const before = [
    ...clients.map(({ label }) => label),
    ...(cause === undefined ? [] : [`${cause.function ?? 'unknown function'} by ${cause.label}`]),
  ];
  const serving = requests.length > 0 ? of('process').find(({ via }) => via !== 'exit') : undefined;
  const main = requests.length > 0 ? requests.map(({ label }) => label).join(', ') : `${placeOf(actor)}${actor.label}`;
  const rest = own.filter((step) => step !== actor && step !== cause && step !== serving && step.kind !== 'client');
  const words = (kind: Step['kind'], word: string) => {
    const labels = rest.filter((step) => step.kind === kind).map(({ label }) => label);
    return labels.length === 0 ? [] : [`${word} ${labels.join(', ')}`];
  };
  const said = [
    ...words('process', 'ran'),
    ...words('file', 'file'),
    ...words('exchange', 'called'),
    ...words('resource', 'data of'),
    ...words('endpoint', 'host'),
    ...words('image-tree', 'code in'),
  ];
  return [[...before, main].join(' → '), ...said].join('; ');
}

function placeOf({ function: fn, node }: Step): string {
  const partition = shardOf(node)?.partition;
  const outside = partition === undefined || isRequest(partition) ? '' : ` (${partition.slice(1)})`;
  return fn === undefined ? '' : `${fn}${outside}: `;
}
