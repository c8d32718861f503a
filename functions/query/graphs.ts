import { z } from 'zod';
import type { InstanceId } from '../../layers/record/types.ts';
import { isRequest, joinLink, type NodeId, type Partition, requestId, requestPartition, shardOf } from '../graph/ids.ts';
import { Graph } from '../graph/local.ts';
import type { Node } from '../graph/model.ts';
import { Provenance } from '../graph/provenance.ts';
import { workflow } from '../graph/workflow.ts';
import type { Store } from '../store/connect.ts';
import { collapsed } from './baseline.ts';
import { limit, read } from './parameters.ts';
import { cutLines, presentGraph } from './present.ts';
import { Problem } from './problem.ts';
import type { Route } from './routes.ts';

export const graphQuery = z.object({ instance: z.string().max(64).optional(), limit: limit(2000, 10_000) });
export const requestGraphQuery = graphQuery.extend({ baseline: z.enum(['collapsed', 'expanded']).default('collapsed') });
export const instanceGraphQuery = graphQuery.omit({ instance: true });
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
  const unexplained = await unexplainedIn(graph.nodes.values(), store);
  const shown = asked.baseline === 'collapsed' ? await collapsed(graph, store) : graph;
  return { ...presentGraph(shown, asked.limit, [...start.cut, ...cutLines(provenance.cuts)]), witnesses, unexplained };
};

export const instanceGraph: Route = async ({ path, query, store }) => {
  const asked = read(instanceGraphQuery, query);
  const instance = (path.id ?? '') as InstanceId;
  const { items, cut } = await store.lists.instance(instance);
  if (items.length === 0)
    throw new Problem(404, 'No such instance', `no segment of instance ${instance} has been stitched`, 'id');
  const partitions = [...new Set(items.map((item) => (item.part?.S ?? '').split('#')[0] as Partition))];
  const provenance = new Provenance(store.source);
  const graph = new Graph();
  for (const partition of partitions) {
    const local = await provenance.local(instance, partition, requestId(instance, partition));
    if (local !== undefined) graph.addGraph(local);
  }
  // Lineage that crosses from one request into the next.
  for (const one of [...graph.nodes.values()]) {
    if (one.kind !== 'process') continue;
    const kept = await provenance.causesOf(one.id, one.last);
    for (const edge of kept) if (edge.op === 'survive' && graph.nodes.has(edge.from)) graph.addEdge(edge);
  }
  const served = partitions.filter(isRequest).length;
  const cuts = [...cutLines(provenance.cuts), ...(cut ? [`instance: only its first ${served} requests`] : [])];
  return { requests: served, ...presentGraph(graph, asked.limit, cuts) };
};

export const requestWorkflow: Route = async ({ path, query, store }) => {
  const asked = read(workflowQuery, query);
  const provenance = new Provenance(store.source);
  const start = await requestsOf(path.reqId ?? '', asked.instance, store);
  const found = await workflow(provenance, start.nodes, asked.requests, asked.joins);
  const left = found.left.map((id) => `${id}: not loaded; raise requests`);
  const requests = found.requests.flatMap((id) => {
    const one = provenance.nodes.get(id);
    if (one?.kind !== 'request') return [];
    return [{ node: id, requestId: one.partition, instanceId: one.instance, function: one.fn, at: one.begin ?? one.first }];
  });
  return { requests, ...presentGraph(found.graph, asked.limit, [...start.cut, ...cutLines(provenance.cuts), ...left]) };
};

/** Requests, by node, that nothing configured explains. */
export async function unexplainedIn(nodes: Iterable<Node>, store: Store): Promise<readonly NodeId[]> {
  const requests = [...nodes].flatMap((node) => {
    if (node.kind !== 'request' || node.trigger === undefined) return [];
    const { id, fn, partition, trigger } = node;
    return [{ id, fn, partition, trigger: trigger.type, ...(trigger.source === undefined ? {} : { source: trigger.source }) }];
  });
  return (await store.gaps.unexplained(requests, Date.now() * 1000)).map(({ id }) => id);
}
