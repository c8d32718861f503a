/** Edges over the borders of instances and requests: which keys can make one, and how it looks. */
import type { JoinKey } from '../../layers/record/types.ts';
import { type LinkKey, type NodeId, processId, shardOf } from './ids.ts';
import type { Edge, ExchangeNode, Operation, ProcessNode, RequestNode } from './model.ts';
import type { Link } from './shard.ts';

/** A join by content or time must lie this close, µs: the longest that a stream or queue is expected to hold a message back. */
export const INFERRED_WINDOW = 3600_000_000;

/**
 * The keys that can join. All requests of a trace share its root: it ranks candidates, it joins nothing. The same content
 * stored again under the same name has the same `s3:` key, so the id of the write itself is preferred.
 */
export function mostTelling(keys: readonly JoinKey[]): readonly JoinKey[] {
  const written = keys.some(({ key }) => key.startsWith('s3req:'));
  return keys.filter(({ key }) => !key.startsWith('trace:') && !(written && key.startsWith('s3:')));
}

/** Keys of hand-overs that are answered. */
export const calls = ({ key }: JoinKey) => /^(?:lambda|url|apigw|call):/.test(key);

/** The key under which those who were told about the outcome of a request are found. */
export function outcomeOf({ key, sure }: JoinKey): JoinKey | undefined {
  return key.startsWith('lambda:') ? { key: `outcome:${key.slice('lambda:'.length)}`, sure } : undefined;
}

export const traceOf = (keys: readonly JoinKey[]) => keys.find(({ key }) => key.startsWith('trace:'))?.key;

/** An asynchronous invocation is accepted with 202, before the function has run. */
export const isSynchronous = ({ aws, status }: ExchangeNode) => !(aws?.service === 'lambda' && status === 202);

/**
 * Whether a request ran while the exchange was open. Who passes the id of its own caller on has it on both sides; its own
 * request is not what its call has caused.
 */
export const within = (exchange: ExchangeNode, { begin, first }: RequestNode): boolean =>
  exchange.first <= (begin ?? first) && (begin ?? first) <= exchange.last;

export function requestOf(node: ProcessNode): NodeId {
  return `request:${node.id.split(':').slice(1, 3).join(':')}` as NodeId;
}

/** The request in whose partition a node lies. */
export function requestAt(id: NodeId): NodeId | undefined {
  const place = shardOf(id);
  return place && (`request:${place.instance}:${place.partition}` as NodeId);
}

/** From the unit in which `link` saw the process to a later one, which its influence reaches until just before `end`. */
export function surviveEdge(link: Link, later: ProcessNode, end: number): Edge {
  const from = processId(link.instance, link.partition, later.proc);
  const times = { start: link.t, end, bytes: 0, count: 1 };
  return { from, to: later.id, op: 'survive', sure: 'exact', ...times, evidence: [link.evidence] };
}

/** @param at when the cause happened, @param arrive when the effect did: each by its own clock. */
export function joinEdge(
  from: NodeId,
  to: NodeId,
  op: Extract<Operation, 'invoke' | 'reply' | 'read' | 'data'>,
  sure: Edge['sure'],
  at: number,
  arrive: number,
  link: Link,
): Edge {
  const times = { start: at, end: at, arrive, bytes: 0, count: 1 };
  return { from, to, op, sure, ...times, by: byOf(link.key), evidence: [link.evidence] };
}

/** The shared identifier, as the services call it: `sqs:<id>`. */
const byOf = (key: LinkKey) => key.replace(/^join:/, '');

/** One state of a table's item, told by its whole content: whoever is given it is given what its writer wrote. */
export const isItemState = (id: NodeId) => /^resource:ddb:[^/@]+@[0-9a-f]{32}$/.test(id);

/** Made by comparing content or time, not seen: what a walk with `joins=exact` leaves out. */
export const isGuess = ({ sure, arrive, op }: Edge) => sure !== 'exact' && (arrive !== undefined || op === 'data');

export function unique(edges: readonly Edge[]): readonly Edge[] {
  const found = new Map<string, Edge>();
  for (const edge of edges) {
    const key = `${edge.from}\n${edge.to}`;
    if (found.get(key)?.sure !== 'exact') found.set(key, edge);
  }
  return [...found.values()];
}
