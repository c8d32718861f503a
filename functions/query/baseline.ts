import { z } from 'zod';
import type { InstanceId } from '../../layers/record/types.ts';
import { type BaselineItem, itemOfNode, touchesTree } from '../graph/baseline.ts';
import { baselineId, INIT, instanceId, type NodeId, type Partition } from '../graph/ids.ts';
import { Graph } from '../graph/local.ts';
import type { BaselineNode, Node } from '../graph/model.ts';
import type { Store } from '../store/connect.ts';
import { inParallel } from '../store/table.ts';
import { limit, read } from './parameters.ts';
import { Problem } from './problem.ts';
import type { Route } from './routes.ts';

/** Other instances whose graphs an instance is compared with, and partitions of each that are looked at. */
const OTHERS = 10;
const PARTITIONS = 60;

export const baselineQuery = z.object({
  function: z.string().min(1).max(200),
  version: z.string().min(1).max(100).default('$LATEST'),
  limit: limit(1000, 10_000),
});
export const deviationsQuery = z.object({ limit: limit(200, 2000) });

/** What the cold starts of a version have in common. */
export const baseline: Route = async ({ query, store }) => {
  const asked = read(baselineQuery, query);
  const known = await store.baselines.of(asked.function, asked.version);
  const items = [...known.items].sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    ...{ function: asked.function, version: asked.version, instances: known.instances.length, count: items.length },
    items: items.slice(0, asked.limit).map(([item, instances]) => ({ ...named(item), instances })),
    cut: [
      ...(items.length > asked.limit ? [`items: ${items.length - asked.limit} more; raise limit`] : []),
      ...(known.cut ? ['instances: only the newest, and their most common sets'] : []),
    ],
  };
};

/** What one instance did that no other of its version is known to have done. */
export const deviations: Route = async ({ path, query, store }) => {
  const asked = read(deviationsQuery, query);
  const id = (path.id ?? '') as InstanceId;
  const own = await seenIn(id, store);
  if (own === undefined) throw new Problem(404, 'No such instance', `no segment of instance ${id} has been stitched`, 'id');
  const known = await store.baselines.of(own.fn, own.version, id);
  const others = known.instances.filter((one) => one !== id);
  const compared = await inParallel(others.slice(0, OTHERS), 4, (one) => seenIn(one, store));
  const elsewhere = new Set(compared.flatMap((one) => [...(one?.items.keys() ?? [])]));
  const items = new Map<BaselineItem, readonly Seen[]>(own.items);
  for (const item of known.of(id)) if (!items.has(item)) items.set(item, [{ partition: INIT }]);
  const alone = [...items].filter(([item]) => !elsewhere.has(item) && !known.shownByOthers(item, id));
  // With nobody to compare with, everything would stand out, which says nothing.
  const told = others.length === 0 ? [] : alone.sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    ...{ instanceId: id, function: own.fn, version: own.version, comparedWith: others.length, count: told.length },
    deviations: told.slice(0, asked.limit).map(([item, seen]) => ({
      ...named(item),
      requestIds: [...new Set(seen.map(({ partition }) => partition))].slice(0, 20),
      nodes: [...new Set(seen.flatMap(({ node }) => node ?? []))].slice(0, 20),
    })),
    cut: [
      ...(others.length === 0 ? ['deviations: no other instance of this version has been recorded'] : []),
      ...(told.length > asked.limit ? [`deviations: ${told.length - asked.limit} more; raise limit`] : []),
      ...(others.length > OTHERS ? [`requests: compared with those of ${OTHERS} other instances`] : []),
      ...(own.cut || compared.some((one) => one?.cut) ? [`requests: only the first ${PARTITIONS} of an instance`] : []),
      ...(known.cut ? ['instances: only the newest, and their most common sets'] : []),
    ],
  };
};

interface Seen {
  readonly partition: Partition;
  readonly node?: NodeId;
}

/** Partitions of an instance that are read at once. */
const TOGETHER = 12;

/** What the graphs of an instance name, with where. */
export async function seenIn(instance: InstanceId, store: Store, most: number = PARTITIONS) {
  const { items: rows, segments, cut } = await store.lists.instance(instance);
  const [segment] = segments;
  if (segment === undefined) return undefined;
  const partitions = [...new Set(rows.map((row) => (row.part?.S ?? '').split('#')[0] as Partition))];
  const items = new Map<BaselineItem, Seen[]>();
  await inParallel(partitions.slice(0, most), TOGETHER, async (partition) => {
    for (const { nodes } of await store.source.shardsOf(instance, partition)) {
      for (const node of nodes) {
        const item = itemOfNode(node);
        if (item === undefined) continue;
        const seen = items.get(item) ?? [];
        seen.push({ partition, node: node.id });
        items.set(item, seen);
      }
    }
  });
  return { fn: segment.fn, version: segment.version, items, cut: cut || partitions.length > most };
}

function named(item: BaselineItem) {
  const space = item.indexOf(' ');
  return { what: item.slice(0, space), name: item.slice(space + 1) };
}

/** The graph with the read-only trees that the version's baseline covers as one node. What deviates stands out. */
export async function collapsed(graph: Graph, store: Store): Promise<Graph> {
  const into = new Map<NodeId, BaselineNode>();
  const trees = Map.groupBy(
    [...graph.nodes.values()].filter((node) => node.kind === 'image-tree').filter(({ deviates }) => deviates !== true),
    ({ instance }) => instance,
  );
  for (const [instance, own] of trees) {
    const version = await versionOf(instance, store);
    if (version === undefined) continue;
    const items = (await store.baselines.of(version.fn, version.version)).items;
    const covered = own.filter(({ root }) => touchesTree(items.keys(), root));
    const [first] = covered;
    if (first === undefined) continue;
    const node: BaselineNode = {
      ...{ kind: 'baseline', id: baselineId(version.fn, version.version), ...version, items: items.size },
      roots: covered.map(({ root }) => root).sort(),
      first: Math.min(...covered.map((one) => one.first)),
      last: Math.max(...covered.map((one) => one.last)),
    };
    for (const one of covered) into.set(one.id, node);
  }
  if (into.size === 0) return graph;
  const result = new Graph();
  const node = (one: Node) => into.get(one.id) ?? one;
  for (const one of graph.nodes.values()) result.addNode(node(one));
  for (const edge of graph.edges()) {
    result.addEdge({ ...edge, from: into.get(edge.from)?.id ?? edge.from, to: into.get(edge.to)?.id ?? edge.to });
  }
  return result;
}

export async function versionOf(instance: InstanceId, store: Store) {
  const init = await store.source.shardsOf(instance, INIT);
  const node = init.flatMap(({ nodes }) => nodes).find((one) => one.id === instanceId(instance));
  return node?.kind === 'instance' && node.version !== undefined ? { fn: node.fn, version: node.version } : undefined;
}
