import { z } from 'zod';
import type { InstanceId } from '../../layers/record/types.ts';
import { isRequest, joinLink, type NodeId, type Partition, requestId, requestPartition, shardOf } from '../graph/ids.ts';
import { Graph } from '../graph/local.ts';
import type { Node } from '../graph/model.ts';
import { DEFAULT_BUDGET, Provenance } from '../graph/provenance.ts';
import { workflow } from '../graph/workflow.ts';
import type { Store } from '../store/connect.ts';
import type { Item } from '../store/table.ts';
import { collapsed } from './baseline.ts';
import { graphCursor, readGraphPlace, writeNextPartitions, writeNextRequests, writeSamePart } from './graph-cursor.ts';
import { deviating, marked } from './marks.ts';
import { limit, read } from './parameters.ts';
import { cutLines, presentGraph } from './present.ts';
import { Problem } from './problem.ts';
import type { Route } from './routes.ts';
import { explainedGraph } from './topology.ts';

export const graphQuery = z.object({
  ...{ instance: z.string().max(64).optional(), limit: limit(2000, 10_000), cursor: graphCursor },
});
export const requestGraphQuery = graphQuery.extend({ baseline: z.enum(['collapsed', 'expanded']).default('collapsed') });
export const instanceGraphQuery = graphQuery.omit({ instance: true }).extend({ requests: limit(200, 400) });
export const workflowQuery = graphQuery.extend({
  requests: limit(200, 400),
  joins: z.enum(['exact', 'all']).default('exact'),
});

/** The instances that served a request id: an asynchronous invocation that is retried keeps its id. */
export async function requestsOf(
  id: string,
  wanted: string | undefined,
  { source }: Store,
  parameter = 'reqId',
): Promise<{ readonly nodes: readonly NodeId[]; readonly cut: readonly string[] }> {
  const partition = requestPartition(id);
  if (wanted !== undefined) return { nodes: [requestId(wanted as InstanceId, partition)], cut: [] };
  const { links, cut } = await source.linksOf(joinLink(`lambda:${id}`), { limit: 200 });
  const nodes = links.filter((link) => link.direction === 'in' && link.partition === partition).map((link) => link.node);
  if (nodes.length === 0) {
    throw new Problem(404, 'No such request', `no request ${id} has been stitched; it may still be on its way`, parameter);
  }
  const more = `requests: more than 200 claim to be ${id}, some of each function are here; name one by instance`;
  return { nodes: [...new Set(nodes)], cut: cut ? [more] : [] };
}

export const requestGraph: Route = async ({ path, query, store }) => {
  const asked = read(requestGraphQuery, query);
  const question = { baseline: asked.baseline, ...(asked.instance === undefined ? {} : { instance: asked.instance }) };
  const at = readGraphPlace(asked.cursor, question);
  const provenance = new Provenance(store.source);
  const graph = new Graph();
  const start = await requestsOf(path.reqId ?? '', asked.instance, store);
  for (const id of start.nodes) {
    const place = shardOf(id);
    const local = place && (await provenance.local(place.instance, place.partition, id));
    if (local !== undefined) graph.addGraph(local);
  }
  const witnesses = [];
  for (const node of [...graph.nodes.values()]) {
    if (node.kind !== 'request') continue;
    for (const { witness, facts } of await store.witnesses.ofRequest(node.fn, node.partition, node.begin ?? node.first))
      witnesses.push({ node: node.id, witness, ...facts });
  }
  const { shown, unseen, ...found } = await standingOut(graph, store);
  const folded = asked.baseline === 'collapsed' ? await collapsed(shown, store) : shown;
  const { more, ...page } = presentGraph(folded, asked.limit, at.listed);
  const cut = [...start.cut, ...cutLines(provenance.cuts), ...unseen];
  return { ...page, ...rest(more, writeSamePart(question, at, at.listed + asked.limit), cut), witnesses, ...found };
};

export const instanceGraph: Route = async ({ path, query, store }) => {
  const asked = read(instanceGraphQuery, query);
  const instance = (path.id ?? '') as InstanceId;
  const question = { requests: String(asked.requests) };
  const at = readGraphPlace(asked.cursor, question);
  const { items, cut } = await store.lists.instance(instance);
  if (items.length === 0)
    throw new Problem(404, 'No such instance', `no segment of instance ${instance} has been stitched`, 'id');
  const all = partitionsInOrder(items);
  const partitions = all.slice(at.partitions, at.partitions + asked.requests);
  const provenance = new Provenance(store.source, { ...DEFAULT_BUDGET, partitions: PARTITIONS_LOADED });
  const graph = new Graph();
  for (const local of await provenance.locals(instance, partitions)) graph.addGraph(local);
  // Lineage that crosses from one request into the next; the earlier one may be on another page.
  const units = [...graph.nodes.values()].filter((node) => node.kind === 'process');
  for (const one of units) provenance.ahead(one.id, one.last, 'backward');
  for (const one of units) {
    for (const edge of await provenance.causesOf(one.id, one.last)) if (edge.op === 'survive') graph.addEdge(edge);
  }
  const { shown, unseen, ...found } = await standingOut(graph, store);
  const { more, ...page } = presentGraph(shown, asked.limit, at.listed);
  const after = at.partitions + partitions.length;
  const next =
    more > 0
      ? writeSamePart(question, at, at.listed + asked.limit)
      : after < all.length
        ? writeNextPartitions(question, after)
        : undefined;
  const cuts = [...cutLines(provenance.cuts), ...unseen, ...(cut ? [`instance: only its first ${all.length} requests`] : [])];
  const later = after < all.length ? [`requests: ${all.length - after} later ones`] : [];
  return { requests: partitions.filter(isRequest).length, ...page, ...rest(more, next, cuts, later), ...found };
};

export const requestWorkflow: Route = async ({ path, query, store }) => {
  const asked = read(workflowQuery, query);
  const question = {
    ...{ joins: asked.joins, requests: String(asked.requests) },
    ...(asked.instance === undefined ? {} : { instance: asked.instance }),
  };
  const at = readGraphPlace(asked.cursor, question);
  const provenance = new Provenance(store.source);
  const start = at.from === undefined ? await requestsOf(path.reqId ?? '', asked.instance, store) : { nodes: at.from, cut: [] };
  const found = await workflow(provenance, start.nodes, asked.requests, asked.joins, at.before);
  const requests = found.requests.flatMap((id) => {
    const one = provenance.nodes.get(id);
    if (one?.kind !== 'request') return [];
    return [{ node: id, requestId: one.partition, instanceId: one.instance, function: one.fn, at: one.begin ?? one.first }];
  });
  const { shown, unseen, ...standing } = await standingOut(found.graph, store);
  const { more, ...page } = presentGraph(shown, asked.limit, at.listed);
  const next = writeNextRequests(question, found.left, found.border);
  const cursor = more > 0 ? writeSamePart(question, at, at.listed + asked.limit) : next.cursor;
  const cuts = [
    ...start.cut,
    ...cutLines(provenance.cuts),
    ...unseen,
    ...next.noRoom.map((id) => `${id}: had no room in the cursor; ask for its workflow`),
  ];
  const later = found.left.length > 0 ? [`requests: ${found.left.length} and what they are connected to`] : [];
  return { requests, ...page, ...rest(more, cursor, cuts, later), ...standing };
};

/** How a page says that there is more. */
function rest(more: number, cursor: string | undefined, cuts: readonly string[], later: readonly string[] = []) {
  const lines = [...(more > 0 ? [`nodes: ${more} later ones`] : []), ...later];
  return {
    ...(cursor === undefined || lines.length === 0 ? {} : { cursor }),
    cut: [...cuts, ...lines.map((line) => `${line}; ${cursor === undefined ? 'raise limit' : 'ask again with cursor'}`)],
  };
}

/** What lived on from requests of other pages is looked up there. */
const PARTITIONS_LOADED = 1000;

/** What lies outside of requests, then requests in order of time: later ones come last, so that pages stay where they are. */
function partitionsInOrder(items: readonly Item[]): readonly Partition[] {
  const begun = new Map<Partition, number>();
  for (const item of items) {
    const partition = (item.part?.S ?? '').split('#')[0] as Partition;
    const at = item.begin?.N === undefined ? undefined : Number(item.begin.N);
    const known = begun.get(partition) ?? Number.MAX_SAFE_INTEGER;
    begun.set(partition, isRequest(partition) ? Math.min(known, at ?? Number.MAX_SAFE_INTEGER) : 0);
  }
  return [...begun].sort((a, b) => a[1] - b[1] || (a[0] < b[0] ? -1 : 1)).map(([partition]) => partition);
}

/** The graph with what the platform knows and with what stands out marked. */
async function standingOut(graph: Graph, store: Store) {
  const [unexplained, deviates, known] = await Promise.all([
    unexplainedIn(graph.nodes.values(), store),
    deviating(graph.nodes.values(), store),
    explainedGraph(graph, store),
  ]);
  return {
    shown: marked(known.graph, deviates.nodes, new Set(unexplained)),
    unexplained,
    compared: deviates.compared,
    unseen: known.cut,
  };
}

/** Requests, by node, that nothing configured explains. */
export async function unexplainedIn(nodes: Iterable<Node>, store: Store): Promise<readonly NodeId[]> {
  const requests = [...nodes].flatMap((node) => {
    if (node.kind !== 'request' || node.trigger === undefined) return [];
    const { id, fn, partition, trigger } = node;
    return [{ id, fn, partition, trigger: trigger.type, ...(trigger.source === undefined ? {} : { source: trigger.source }) }];
  });
  return (await store.gaps.unexplained(requests, Date.now() * 1000)).map(({ id }) => id);
}
