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

/** Longest text of an act. */
const LONGEST = 400;

/** In order of time. Every step is in exactly one act. */
export function acts(steps: readonly Step[]): readonly Act[] {
  const children = Map.groupBy(steps.keys(), (i) => steps[i]?.parent ?? -1);
  const told = steps.map((_, i) => toldWith(steps, children, i));
  const groups = Map.groupBy(steps.keys(), (i) => headOf(told, i));
  return [...groups].map(([head, members]) => {
    // An act is when its actor began it, whatever it had taken in before.
    const at = steps[head]?.at ?? 0;
    return { head, steps: members, at, text: shown(textOf(steps, head, members), LONGEST) };
  });
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

/** A child that took nothing in from anywhere, and whose own children did not either. */
function isMinor(steps: readonly Step[], children: Children, i: number): boolean {
  return (children.get(i) ?? []).every((child) => {
    const { kind, via, role } = steps[child] ?? {};
    return role === 'touched' || (kind === 'process' && via === 'exit' && isMinor(steps, children, child));
  });
}

function textOf(steps: readonly Step[], head: number, members: readonly number[]): string {
  const actor = steps[head];
  if (actor === undefined) return '';
  const parts: string[] = [];
  const of = (kind: Step['kind']) => members.flatMap((i) => (steps[i]?.kind === kind ? [steps[i]] : []));
  const clients = of('client').map(({ label }) => label);
  const requests = of('request');
  const calls = of('exchange');
  const cause = calls.find(({ via }) => via === 'invoke');
  if (clients.length > 0) parts.push(`${clients.join(' and ')} sends`);
  else if (cause !== undefined) parts.push(`${cause.function ?? 'a function'} by ${cause.label} causes`);
  if (requests.length > 0) parts.push(`${requests.map(({ label }) => label).join(', ')}:`);
  else if (actor.function !== undefined) parts.push(`${actor.function}:`);
  const processes = of('process');
  const serves = requests.length > 0 && processes.length > 0;
  const ran = processes.filter((step) => !serves || step.via === 'exit').map(({ label }) => label);
  const said = [
    ...(ran.length > 0 ? [`runs ${ran.join(', ')}`] : []),
    ...calls.filter((step) => step !== cause).map(({ label }) => label),
    ...listed('with', of('resource')),
    ...listed('file', of('file')),
    ...listed('host', of('endpoint')),
    ...listed('code', of('image-tree')),
  ];
  const outside = shardOf(actor.node)?.partition;
  if (outside !== undefined && !isRequest(outside)) parts.push(`outside any request (${outside.slice(1)}):`);
  return [...parts, said.join('; ')].join(' ').trim();
}

const listed = (word: string, some: readonly Step[]) =>
  some.length === 0 ? [] : [`${word} ${some.map(({ label }) => label).join(', ')}`];
