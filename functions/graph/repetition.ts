/** Children of one process that did the same thing again and again, as a loop of a shell does: the last one stands for all. */
import { type NodeId, shardOf } from './ids.ts';
import type { Cause } from './lead.ts';
import type { Graph } from './local.ts';
import type { Provenance } from './provenance.ts';

/** Generations of children by which two children are compared. */
const DEPTH = 3;

/** Without the children whose doings a later one repeats: same program, arguments, files, calls and children of its own. */
export async function onceEach(graph: Provenance, causes: readonly Cause[]): Promise<readonly Cause[]> {
  const ended = causes.filter(({ edge }) => edge.op === 'exit');
  const [first] = ended;
  const place = first && shardOf(first.edge.from);
  const local = place && (await graph.local(place.instance, place.partition, first.edge.from));
  if (local === undefined || ended.length < 2) return causes;
  const last = new Map<string, Cause>();
  for (const cause of ended) {
    const doing = doingOf(local, cause.edge.from, DEPTH);
    const before = last.get(doing);
    if (before === undefined || before.edge.end < cause.edge.end) last.set(doing, cause);
  }
  const kept = new Set(last.values());
  return causes.filter((cause) => cause.edge.op !== 'exit' || kept.has(cause));
}

function doingOf(local: Graph, id: NodeId, depth: number): string {
  const node = local.nodes.get(id);
  if (node?.kind !== 'process') return id;
  const did: string[] = [];
  for (const { op, from } of local.into(id)) {
    if (op === 'exit') did.push(depth === 0 ? from : doingOf(local, from, depth - 1));
    else if (from.startsWith('exchange:')) did.push(callOf(local, from));
    else if (op !== 'start' && op !== 'image') did.push(`${op} ${from}`);
  }
  for (const { op, to } of local.outOf(id)) {
    if (to.startsWith('exchange:')) did.push(callOf(local, to));
    else if (!to.startsWith('process:')) did.push(`${op} ${to}`);
  }
  return JSON.stringify([node.exe, node.argv, did.sort()]);
}

/** Sent or received anything else, it was another one. */
function callOf(local: Graph, id: NodeId): string {
  const node = local.nodes.get(id);
  if (node?.kind !== 'exchange' || (node.sent > 0 && node.sentSha === undefined)) return id;
  return `${node.method} ${node.host}${node.path} ${node.status ?? ''} ${node.sentSha ?? ''} ${node.receivedSha ?? ''}`;
}
