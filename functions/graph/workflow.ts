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
  };
  for (let request = queue.shift(); request !== undefined; request = queue.shift()) {
    if (done.length >= limit) {
      queue.unshift(request);
      break;
    }
    const place = shardOf(request);
    const local = place && (await provenance.local(place.instance, place.partition, request));
    if (local === undefined) continue;
    done.push(request);
    graph.addGraph(local);
    const invoked = await provenance.causesOf(request, Number.MAX_SAFE_INTEGER);
    const calls = [...local.nodes.values()].filter((node) => node.kind === 'exchange');
    const caused = await Promise.all([
      ...calls.map(({ id, first }) => provenance.effectsOf(id, first)),
      provenance.effectsOf(request, 0),
    ]);
    for (const edge of [...invoked, ...caused.flat()]) {
      if (edge.arrive === undefined || edge.op !== 'invoke' || (joins === 'exact' && isGuess(edge))) continue;
      const caller = requestAt(edge.from);
      if (caller !== undefined) reach(caller, request);
      reach(edge.to, request);
      graph.addEdge(edge);
    }
    for (const other of await throughStates(provenance, request, local)) reach(other, request);
  }
  const border = new Set(queue.flatMap((id) => [...(neighbours.get(id) ?? [])]));
  return { graph: connected(graph, before), requests: done, left: queue, border: [...border] };
}

/** Requests that a table item's new state was given to as their event, from its writer's side and from theirs. */
async function throughStates(provenance: Provenance, request: NodeId, local: Graph): Promise<readonly NodeId[]> {
  const found: (NodeId | undefined)[] = [];
  for (const { from, to, op, start } of local.edges()) {
    if (op === 'event' && to === request && isItemState(from)) {
      const writes = (await provenance.causesOf(from, start)).filter((edge) => edge.op === 'write');
      found.push(...writes.map((edge) => requestAt(edge.from)));
    } else if (op === 'write' && isItemState(to)) {
      const events = (await provenance.effectsOf(to, start)).filter((edge) => edge.op === 'event');
      found.push(...events.map((edge) => edge.to));
    }
  }
  return found.filter((id) => id !== undefined);
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
