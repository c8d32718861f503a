import type { NodeId } from './ids.ts';
import { isGuess } from './joins.ts';
import { kindOf } from './lead.ts';
import { type Edge, isFlow, type NodeKind } from './model.ts';
import { type Cut, type Direction, fromBeginning, type Provenance } from './provenance.ts';
import { BestFirst } from './queue.ts';
import { Scout } from './scout.ts';

export type { Direction } from './provenance.ts';

/** A node to go on from, as a walk that ended before left it. */
export interface Start {
  readonly node: NodeId;
  readonly at: number;
  readonly depth: number;
  /** So many of its flows, in order of the nodes they lead to, were followed already. */
  readonly skip: number;
}

export interface WalkOptions {
  readonly direction: Direction;
  /** µs since 1970: what happened later (backward) or earlier (forward) is left out. */
  readonly at?: number;
  /** Most nodes to visit, besides those of `from`. */
  readonly limit: number;
  /** Follow joins made of service-issued identifiers only. */
  readonly exactOnly?: boolean;
  /** Nodes of these kinds are visited and not followed. */
  readonly stop?: ReadonlySet<NodeKind>;
  /** Leave out what is the same for every request: read-only trees of the image. */
  readonly noBaselines?: boolean;
  /** A node with more flows than this is visited and not followed. */
  readonly hub?: number;
  /** ms since 1970 at which to stop following. */
  readonly deadline?: number;
  /** Go on from these instead of from the node. */
  readonly from?: readonly Start[];
}

export interface Visit {
  readonly node: NodeId;
  /** Backward: the latest time at which it can have mattered. Forward: the earliest at which it can have been affected. */
  readonly at: number;
  readonly depth: number;
}

export interface Trace {
  readonly visits: readonly Visit[];
  readonly edges: readonly Edge[];
  /** Nodes whose causes (effects) were not followed, and why. */
  readonly frontier: readonly (Cut | { readonly node: NodeId; readonly why: 'limit' | 'time' })[];
  /** The same, as places to go on from; without what the index never had. */
  readonly rest: readonly Start[];
  /** Nodes that were not followed because they have so many flows. */
  readonly hubs: readonly { readonly node: NodeId; readonly flows: number }[];
  /** Flows from or to read-only trees that were left out. */
  readonly baselines: number;
}

/** The time at the edge's other end, if the edge can have carried anything in time; else undefined. */
export function follow(edge: Edge, at: number, direction: Direction): number | undefined {
  // Over a join each end keeps its own clock; the join itself says which came first.
  if (direction === 'backward') {
    if (edge.arrive !== undefined) return edge.end;
    return edge.start <= at ? Math.min(at, edge.end) : undefined;
  }
  if (edge.arrive !== undefined) return edge.arrive;
  return edge.end >= at ? Math.max(at, edge.start) : undefined;
}

/** Backward the latest time leaves the widest interval, forward the earliest. */
export const betterIn = (direction: Direction) =>
  direction === 'backward' ? (a: number, b: number) => a > b : (a: number, b: number) => a < b;

/** Of a node's edges those that the walk may follow, in an array of its own. */
export function flowsOf(
  edges: readonly Edge[],
  { direction, exactOnly, noBaselines }: WalkOptions,
): { readonly flows: Edge[]; readonly baselines: number } {
  const all = edges.filter((edge) => isFlow(edge.op) && !(exactOnly && isGuess(edge)));
  if (!noBaselines) return { flows: all, baselines: 0 };
  const flows = all.filter(({ from, to }) => !(direction === 'backward' ? from : to).startsWith('image-tree:'));
  return { flows, baselines: all.length - flows.length };
}

/**
 * All causes (effects) of a node, by edges whose times allow it. Best time first, so every node is expanded once, with
 * the widest interval that any route leaves it; a clock that jumps between instances may cause a second expansion. With `from`
 * only what is reached anew is told; it may be what an earlier walk has told, for that is not remembered.
 */
export async function walk(graph: Provenance, start: NodeId, options: WalkOptions): Promise<Trace> {
  const { direction, limit, stop, hub = Number.POSITIVE_INFINITY } = options;
  const backward = direction === 'backward';
  const better = betterIn(direction);
  const visits = new Map<NodeId, Visit>();
  const edges = new Map<string, Edge>();
  const frontier: Trace['frontier'][number][] = [];
  const rest = new Map<NodeId, Start>();
  const hubs: Trace['hubs'][number][] = [];
  const queue = new BestFirst<Visit>(better);
  const scout = new Scout(graph, options);
  const starts = options.from ?? [{ node: start, at: options.at ?? fromBeginning(direction), depth: 0, skip: 0 }];
  const begun = new Map(starts.map((one) => [one.node, one]));
  for (const { node, at, depth } of begun.values()) {
    visits.set(node, { node, at, depth });
    queue.push({ node, at, depth });
    scout.expect({ node, at, depth });
  }
  const most = limit + (options.from === undefined ? 0 : begun.size);
  let baselines = 0;
  const leave = (why: 'limit' | 'time', { node, at, depth }: Visit, skip: number) => {
    if (!rest.has(node)) frontier.push({ node, why });
    rest.set(node, { node, at, depth, skip });
  };
  for (let visit = queue.pop(); visit !== undefined; visit = queue.pop()) {
    if (visits.get(visit.node)?.at !== visit.at) continue;
    const asked = visit.depth === 0;
    if (!asked && stop?.has(kindOf(visit.node))) continue;
    const skip = begun.get(visit.node)?.at === visit.at ? (begun.get(visit.node)?.skip ?? 0) : 0;
    if (Date.now() > (options.deadline ?? Number.POSITIVE_INFINITY)) {
      leave('time', visit, skip);
      continue;
    }
    scout.goOn(visits.size < most);
    const asking = backward ? graph.causesOf(visit.node, visit.at) : graph.effectsOf(visit.node, visit.at);
    const all = await asking.catch((error: unknown) => {
      scout.end();
      throw error;
    });
    const next = (edge: Edge) => (backward ? edge.from : edge.to);
    const { flows, baselines: trees } = flowsOf(all, options);
    baselines += trees;
    if (!asked && flows.length > hub) {
      hubs.push({ node: visit.node, flows: flows.length });
      continue;
    }
    // In an order that is the same next time, should it have to go on in the middle.
    if (skip > 0 || flows.length > most - visits.size) flows.sort((a, b) => order(next(a) + a.op, next(b) + b.op));
    let left = false;
    for (const [i, edge] of flows.entries()) {
      const at = i < skip ? undefined : follow(edge, visit.at, direction);
      if (at === undefined) continue;
      const node = next(edge);
      const before = visits.get(node);
      if (before === undefined && visits.size >= most) {
        if (!left) leave('limit', visit, i);
        left = true;
        continue;
      }
      edges.set(`${edge.op}\n${edge.from}\n${edge.to}\n${edge.partition ?? ''}`, edge);
      if (before !== undefined && !better(at, before.at)) continue;
      const reached = { node, at, depth: before === undefined ? visit.depth + 1 : Math.min(before.depth, visit.depth + 1) };
      visits.set(node, reached);
      queue.push(reached);
      scout.expect(reached);
    }
  }
  scout.end();
  for (const { node, why } of graph.cuts) {
    const visit = visits.get(node);
    if (why !== 'index' && visit !== undefined) rest.set(node, { ...visit, skip: 0 });
  }
  const found = [...visits.values()].filter(({ node }) => options.from === undefined || !begun.has(node));
  const all = { visits: found, edges: [...edges.values()], frontier: [...frontier, ...graph.cuts], hubs, baselines };
  return { ...all, rest: [...rest.values()] };
}

const order = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
