/** What a unit of a process continues and where it goes on: its own units in other partitions of its instance. */
import { processKey } from './build.ts';
import { INIT, isRequest, type NodeId, type Partition, processId } from './ids.ts';
import { requestOf, surviveEdge } from './joins.ts';
import { programOf } from './local.ts';
import type { Edge, ProcessNode } from './model.ts';
import { isUnnamed } from './observe-process.ts';
import type { Provenance } from './provenance.ts';

/** What a unit continues: its start here, or its own unit in the partition before, or (start not recorded) the request. */
export async function lineage(
  graph: Provenance,
  node: ProcessNode,
  edges: readonly Edge[],
  at: number,
): Promise<readonly Edge[]> {
  const runtime = await graph.runtime(node.instance);
  const startedHere = edges.some(({ op }) => op === 'start');
  if (isUnnamed(node.proc) || runtime?.has(node.proc) || startedHere || node.partition === INIT) return edges;
  const whole = !isRequest(node.partition);
  const latest = whole ? Math.min(at, node.last) : node.first - 1;
  const range = { before: Math.max(0, latest), limit: graph.linksPerKey };
  const found = (await graph.links(processKey(node.instance, node.proc), range, node.id)).filter(
    (link) => link.instance === node.instance && link.partition !== node.partition,
  );
  // What lies between requests is one unit for all of its pieces, so any request before may be the one before.
  const earlier = whole ? [...new Map([...found].reverse().map((link) => [link.partition, link])).values()] : found.slice(0, 1);
  if (earlier.length === 0) return await unknownStart(graph, node, edges);
  // With no record of init, what came before may as well be the runtime: then nothing is chained, its requests are independent.
  if (runtime === undefined && edges.some(({ op }) => op === 'event')) return edges;
  await graph.each(earlier, ({ partition }) => inherit(graph, node, processId(node.instance, partition, node.proc), partition));
  // A new image taken on by an older process is not a start.
  const own = edges.filter(({ op }) => op !== 'image');
  return [...own, ...earlier.map((link) => surviveEdge(link, node, Math.max(link.t, latest)))];
}

/** Neither seen starting nor seen before: its start was lost. It acted during this request, so that is the best guess. */
async function unknownStart(graph: Provenance, node: ProcessNode, edges: readonly Edge[]): Promise<readonly Edge[]> {
  const known = edges.some(({ op }) => op === 'image' || op === 'event');
  const request = requestOf(node);
  const local = known || !isRequest(node.partition) ? undefined : await graph.local(node.instance, node.partition, node.id);
  if (!local?.nodes.has(request)) return edges;
  const base = { op: 'event', sure: 'inferred', start: node.first, end: node.first, bytes: 0, count: 1 } as const;
  return [...edges, { ...base, from: request, to: node.id, partition: node.partition, evidence: [] }];
}

/** Units whose program was looked for: what lies between requests is before and after them, so a search can come back. */
const inheriting = new WeakMap<Provenance, Set<NodeId>>();

/** What a process runs was said in the partition where it started, perhaps several before this one. */
async function inherit(graph: Provenance, node: ProcessNode, before: NodeId, partition: Partition): Promise<void> {
  const looked = inheriting.get(graph) ?? new Set();
  inheriting.set(graph, looked);
  const named = graph.nodes.get(node.id);
  if (looked.has(node.id) || (named?.kind === 'process' && named.exe !== undefined)) return;
  looked.add(node.id);
  const older = (await graph.local(node.instance, partition, node.id))?.nodes.get(before);
  if (older?.kind !== 'process') return;
  if (older.exe === undefined) await graph.causesWithin(before, older.last);
  const known = graph.nodes.get(before);
  if (known?.kind === 'process') graph.nodes.set(node.id, { ...node, ...programOf(known) });
}

/** Where a unit lives on: in the next request, or, from what lies between requests, in all later ones. */
export async function successors(graph: Provenance, node: ProcessNode): Promise<readonly Edge[]> {
  const runtime = await graph.runtime(node.instance);
  if (isUnnamed(node.proc) || runtime?.has(node.proc) || node.partition === INIT) return [];
  const range = { after: node.first, order: 'oldest', limit: graph.linksPerKey } as const;
  const later = await graph.links(processKey(node.instance, node.proc), range, node.id);
  const after = later.filter(
    (link) => link.instance === node.instance && link.partition !== node.partition && link.t >= node.first,
  );
  const next = isRequest(node.partition)
    ? after.slice(0, 1)
    : [...new Map([...after].reverse().map((one) => [one.partition, one])).values()];
  if (runtime === undefined) return [];
  return next.map((link) => {
    const to = processId(node.instance, link.partition, node.proc);
    return { ...surviveEdge(link, node, link.t), from: node.id, to };
  });
}
