import { Errands } from './errands.ts';
import { type NodeId, shardOf } from './ids.ts';
import { isGuess, isItemState, requestAt } from './joins.ts';
import { Graph } from './local.ts';
import type { Edge } from './model.ts';
import type { Provenance } from './provenance.ts';

export interface Workflow {
  readonly graph: Graph;
  readonly requests: readonly NodeId[];
  /** Requests that belong to it and were not loaded. */
  readonly left: readonly NodeId[];
  /** Loaded requests that those are connected to: with these known, going on from `left` loads nothing twice. */
  readonly border: readonly NodeId[];
}

/** Whether a request was loaded before. Edges to such are kept, though it is not in this graph. */
export type Before = (request: NodeId) => boolean;

/**
 * The global graph of a workflow: the local graphs of all requests that joins connect to one, in both directions.
 * @param limit most requests to load
 * @param joins `exact`: by service-issued identifiers only
 * @param before loaded by the page before, if this goes on where one ended
 */
export async function workflow(
  provenance: Provenance,
  start: readonly NodeId[],
  limit: number,
  joins: 'exact' | 'all' = 'exact',
  before: Before = () => false,
): Promise<Workflow> {
  const graph = new Graph();
  const seen = new Set<NodeId>(start);
  const queue = [...start];
  const done: NodeId[] = [];
  const neighbours = new Map<NodeId, Set<NodeId>>();
  const reach = (id: NodeId, from: NodeId) => {
    if (before(id)) return;
    neighbours.set(id, (neighbours.get(id) ?? new Set()).add(from));
    if (seen.has(id)) return;
    seen.add(id);
    queue.push(id);
    void scout(id);
  };
  const errands = new Errands(limit);
  // All that is connected, at once, for what is loaded on the way.
  const scout = (id: NodeId): Promise<void> =>
    errands.send(id, async () => {
      const ahead = provenance.scout;
      const local = ahead && (await localOf(ahead, id));
      if (ahead === undefined || local === undefined) return;
      const { joins: edges, others } = await around(ahead, id, local, joins);
      for (const other of [...edges.flatMap(({ from, to }) => [requestAt(from) ?? to, to]), ...others]) {
        if (!before(other)) void scout(other);
      }
    });
  for (let request = queue.shift(); request !== undefined; request = queue.shift()) {
    if (done.length >= limit) {
      queue.unshift(request);
      break;
    }
    await scout(request);
    const local = await localOf(provenance, request);
    if (local === undefined) continue;
    done.push(request);
    graph.addGraph(local);
    const found = await around(provenance, request, local, joins);
    for (const edge of found.joins) {
      const caller = requestAt(edge.from);
      if (caller !== undefined) reach(caller, request);
      reach(edge.to, request);
      graph.addEdge(edge);
    }
    for (const other of found.others) reach(other, request);
  }
  const border = new Set(queue.flatMap((id) => [...(neighbours.get(id) ?? [])]));
  return { graph: connected(graph, before), requests: done, left: queue, border: [...border] };
}

async function localOf(provenance: Provenance, request: NodeId): Promise<Graph | undefined> {
  const place = shardOf(request);
  return place && (await provenance.local(place.instance, place.partition, request));
}

/** Joins of a request with others, and others that it is connected to in another way. */
async function around(provenance: Provenance, request: NodeId, local: Graph, joins: 'exact' | 'all') {
  const calls = [...local.nodes.values()].filter((node) => node.kind === 'exchange');
  const others: NodeId[] = [];
  const found = await provenance.each(
    [
      () => provenance.causesOf(request, Number.MAX_SAFE_INTEGER),
      ...calls.map(
        ({ id, first }) =>
          () =>
            provenance.effectsOf(id, first),
      ),
      () => provenance.effectsOf(request, 0),
      async () => {
        others.push(...(await throughStates(provenance, request, local)));
        return [];
      },
    ],
    (ask) => ask(),
  );
  const joined = found.flat().filter((edge) => edge.arrive !== undefined && edge.op === 'invoke');
  return { joins: joins === 'exact' ? joined.filter((edge) => !isGuess(edge)) : joined, others };
}

/** Requests that a table item's new state was given to as their event, from its writer's side and from theirs. */
async function throughStates(provenance: Provenance, request: NodeId, local: Graph): Promise<readonly NodeId[]> {
  const found = await provenance.each(local.edges(), async ({ from, to, op, start }) => {
    if (op === 'event' && to === request && isItemState(from)) {
      const writes = (await provenance.causesOf(from, start)).filter((edge) => edge.op === 'write');
      return writes.map((edge) => requestAt(edge.from));
    }
    if (op !== 'write' || !isItemState(to)) return [];
    const events = (await provenance.effectsOf(to, start)).filter((edge) => edge.op === 'event');
    return events.map((edge) => edge.to);
  });
  return found.flat().filter((id) => id !== undefined);
}

/** Edges to what was not loaded are left out; `left` names it. */
function connected(graph: Graph, before: Before): Graph {
  const result = new Graph();
  for (const node of graph.nodes.values()) result.addNode(node);
  const known = (id: NodeId) => {
    const request = graph.nodes.has(id) ? undefined : requestAt(id);
    return graph.nodes.has(id) || (request !== undefined && before(request));
  };
  for (const edge of graph.edges()) if (known(edge.from) && known(edge.to)) result.addEdge(edge);
  return result;
}

/**
 * A graph for looking at: channels inside an instance with one end only are left out (the connection to the Runtime API
 * is one: its other end is no recorded process), and what began after its request's answer is marked.
 */
export function presentable(graph: Graph): Graph {
  const ends = new Map<string, number>();
  for (const node of graph.nodes.values()) if (node.kind === 'request' && node.end !== undefined) ends.set(node.id, node.end);
  const isAfter = ({ from, to, start, partition }: Edge) => {
    const request = partition === undefined ? undefined : (requestAt(from) ?? requestAt(to));
    return request !== undefined && start > (ends.get(request) ?? Number.POSITIVE_INFINITY);
  };
  const oneSided = (id: NodeId) => graph.into(id).length === 0 || graph.outOf(id).length === 0;
  const result = new Graph();
  for (const node of graph.nodes.values()) {
    if (!(node.kind === 'endpoint' && node.local !== undefined && oneSided(node.id))) result.addNode(node);
  }
  // What was not in it to begin with is on another page.
  const kept = (id: NodeId) => result.nodes.has(id) || !graph.nodes.has(id);
  for (const edge of graph.edges()) {
    if (kept(edge.from) && kept(edge.to)) result.addEdge(isAfter(edge) ? { ...edge, after: true } : edge);
  }
  return result;
}
