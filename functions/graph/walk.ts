import type { NodeId } from './ids.ts';
import { isGuess } from './joins.ts';
import { type Edge, isFlow, LASTING } from './model.ts';
import type { Cut, Provenance } from './provenance.ts';

export type Direction = 'backward' | 'forward';

export interface WalkOptions {
  readonly direction: Direction;
  /** µs since 1970: what happened later (backward) or earlier (forward) is left out. */
  readonly at?: number;
  /** Most nodes to visit. */
  readonly limit: number;
  /** Follow joins made of service-issued identifiers only. */
  readonly exactOnly?: boolean;
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
  readonly frontier: readonly (Cut | { readonly node: NodeId; readonly why: 'limit' })[];
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

/**
 * All causes (effects) of a node, by edges whose times allow it. Best time first, so every node is expanded once, with
 * the widest interval that any route leaves it; a clock that jumps between instances may cause a second expansion.
 */
export async function walk(graph: Provenance, start: NodeId, options: WalkOptions): Promise<Trace> {
  const { direction, limit } = options;
  const backward = direction === 'backward';
  const better = (a: number, b: number) => (backward ? a > b : a < b);
  const visits = new Map<NodeId, Visit>();
  const edges = new Map<string, Edge>();
  const frontier: Trace['frontier'][number][] = [];
  const queue = new Queue(better);
  const first = { node: start, at: options.at ?? (backward ? LASTING : 0), depth: 0 };
  visits.set(start, first);
  queue.push(first);
  for (let visit = queue.pop(); visit !== undefined; visit = queue.pop()) {
    if (visits.get(visit.node)?.at !== visit.at) continue;
    const found = backward ? await graph.causesOf(visit.node, visit.at) : await graph.effectsOf(visit.node, visit.at);
    for (const edge of found) {
      if (!isFlow(edge.op) || (options.exactOnly && isGuess(edge))) continue;
      const at = follow(edge, visit.at, direction);
      if (at === undefined) continue;
      const node = backward ? edge.from : edge.to;
      const before = visits.get(node);
      if (before === undefined && visits.size >= limit) {
        if (!frontier.some((one) => one.node === visit.node)) frontier.push({ node: visit.node, why: 'limit' });
        continue;
      }
      edges.set(`${edge.op}\n${edge.from}\n${edge.to}\n${edge.partition ?? ''}`, edge);
      if (before !== undefined && !better(at, before.at)) continue;
      const next = { node, at, depth: before === undefined ? visit.depth + 1 : Math.min(before.depth, visit.depth + 1) };
      visits.set(node, next);
      queue.push(next);
    }
  }
  return { visits: [...visits.values()], edges: [...edges.values()], frontier: [...frontier, ...graph.cuts] };
}

/** Binary heap of visits, best time on top. */
class Queue {
  readonly #heap: Visit[] = [];
  readonly #better: (a: number, b: number) => boolean;

  constructor(better: (a: number, b: number) => boolean) {
    this.#better = better;
  }

  push(visit: Visit): void {
    const heap = this.#heap;
    let i = heap.push(visit) - 1;
    for (let up = (i - 1) >> 1; i > 0; i = up, up = (i - 1) >> 1) {
      const parent = heap[up];
      if (parent === undefined || !this.#better(visit.at, parent.at)) break;
      heap[i] = parent;
      heap[up] = visit;
    }
  }

  pop(): Visit | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (top === undefined || last === undefined || heap.length === 0) return top;
    heap[0] = last;
    for (let i = 0; ; ) {
      let best = i;
      for (const child of [2 * i + 1, 2 * i + 2]) {
        const one = heap[child];
        const now = heap[best];
        if (one !== undefined && now !== undefined && this.#better(one.at, now.at)) best = child;
      }
      const a = heap[i];
      const b = heap[best];
      if (best === i || a === undefined || b === undefined) break;
      heap[i] = b;
      heap[best] = a;
      i = best;
    }
    return top;
  }
}
