/** Ways from one node to another, and what two nodes have in common. */
import type { NodeId } from './ids.ts';
import type { Edge } from './model.ts';
import type { Provenance } from './provenance.ts';
import { follow, type Trace, type Visit, type WalkOptions, walk } from './walk.ts';

/** Beginnings of paths made; a dense graph has more paths than anybody can read. */
const MAX_MADE = 100_000;

export interface Path {
  /** In order: each edge begins at the node where the one before ended. */
  readonly edges: readonly Edge[];
}

export interface Between {
  readonly paths: readonly Path[];
  /** Nodes not followed; a path through them may be missing. */
  readonly frontier: Trace['frontier'];
  /** `paths`: there are more than were asked for. `made`: too many beginnings. `length`: some were longer than allowed. */
  readonly cut: readonly ('paths' | 'made' | 'length')[];
}

type Scope = Omit<WalkOptions, 'direction' | 'from' | 'at'>;

/**
 * Simple paths along which something may have come from one node to another, in order of time, shortest first. Of several
 * flows between the same two nodes the earliest that is in time stands for all.
 * @param options `skip`: so many of the paths are left out; `longest`: most edges
 */
export async function between(
  graph: Provenance,
  from: NodeId,
  to: NodeId,
  options: Scope & { readonly at?: number; readonly paths: number; readonly skip: number; readonly longest: number },
): Promise<Between> {
  const { at = 0 } = options;
  const forward = await walk(graph, from, { ...options, direction: 'forward', at });
  const backward = await walk(graph, to, { ...walkOnly(options), direction: 'backward' });
  const nodesIn = ({ visits }: Trace): ReadonlySet<NodeId> => new Set(visits.map(({ node }) => node));
  const [ahead, behind] = [nodesIn(forward), nodesIn(backward)];
  // What was walked to its end holds all there is; of what was not, nothing can be ruled out.
  const whole = (trace: Trace) => trace.rest.length === 0;
  const allowed = (id: NodeId) => (!whole(forward) || ahead.has(id)) && (!whole(backward) || behind.has(id));
  const edges = [...new Map([...forward.edges, ...backward.edges].map((edge) => [keyOf(edge), edge])).values()];
  const useful = edges.filter((edge) => allowed(edge.from) && allowed(edge.to));
  const found = search(useful, from, to, { ...options, at });
  const frontier = [...new Map([...forward.frontier, ...backward.frontier].map((one) => [one.node, one])).values()];
  return { ...found, frontier };
}

const walkOnly = ({ at: _, ...scope }: Scope & { readonly at?: number }): Scope => scope;
const keyOf = ({ op, from, to, partition }: Edge) => `${op}\n${from}\n${to}\n${partition ?? ''}`;

interface Beginning {
  readonly node: NodeId;
  readonly at: number;
  readonly length: number;
  readonly edge?: Edge;
  readonly before?: Beginning;
}

function search(
  edges: readonly Edge[],
  from: NodeId,
  to: NodeId,
  { at, paths: most, skip, longest }: { at: number; paths: number; skip: number; longest: number },
): Pick<Between, 'paths' | 'cut'> {
  const outOf = group(edges, ({ from: id }) => id);
  const left = distances(edges, to);
  // One list for each length that a path can come to at best; within one, first come first.
  const lists: Beginning[][] = [];
  const cut = new Set<Between['cut'][number]>();
  let made = 0;
  const put = (beginning: Beginning) => {
    const total = beginning.length + (left.get(beginning.node) ?? Number.POSITIVE_INFINITY);
    if (total === Number.POSITIVE_INFINITY) return;
    if (total > longest) cut.add('length');
    else if (++made > MAX_MADE) cut.add('made');
    else {
      const list = lists[total] ?? [];
      lists[total] = list;
      list.push(beginning);
    }
  };
  put({ node: from, at, length: 0 });
  const found: Path[] = [];
  for (let total = 0; total < lists.length; total++) {
    const list = lists[total] ?? [];
    for (let i = 0; i < list.length; i++) {
      const beginning = list[i];
      if (beginning === undefined) continue;
      if (beginning.node === to && beginning.length > 0) {
        if (found.length >= skip + most) return { paths: found.slice(skip), cut: [...cut, 'paths'] };
        found.push({ edges: edgesOf(beginning) });
        continue;
      }
      const passed = nodesOf(beginning);
      for (const [node, parallel] of group(outOf.get(beginning.node) ?? [], (edge) => edge.to)) {
        if (passed.has(node)) continue;
        const step = earliest(parallel, beginning.at);
        if (step !== undefined) put({ node, ...step, length: beginning.length + 1, before: beginning });
      }
    }
  }
  return { paths: found.slice(skip), cut: [...cut] };
}

function earliest(edges: readonly Edge[], at: number): { readonly edge: Edge; readonly at: number } | undefined {
  let best: { readonly edge: Edge; readonly at: number } | undefined;
  for (const edge of edges) {
    const then = follow(edge, at, 'forward');
    if (then !== undefined && (best === undefined || then < best.at)) best = { edge, at: then };
  }
  return best;
}

/** Fewest edges from each node to `to`, whatever their times. */
function distances(edges: readonly Edge[], to: NodeId): ReadonlyMap<NodeId, number> {
  const into = group(edges, (edge) => edge.to);
  const found = new Map([[to, 0]]);
  const queue = [to];
  for (let node = queue.shift(); node !== undefined; node = queue.shift()) {
    for (const { from } of into.get(node) ?? []) {
      if (found.has(from)) continue;
      found.set(from, (found.get(node) ?? 0) + 1);
      queue.push(from);
    }
  }
  return found;
}

function edgesOf(beginning: Beginning): readonly Edge[] {
  const edges: Edge[] = [];
  for (let one: Beginning | undefined = beginning; one?.edge !== undefined; one = one.before) edges.push(one.edge);
  return edges.reverse();
}

function nodesOf(beginning: Beginning): ReadonlySet<NodeId> {
  const nodes = new Set<NodeId>();
  for (let one: Beginning | undefined = beginning; one !== undefined; one = one.before) nodes.add(one.node);
  return nodes;
}

function group(edges: readonly Edge[], by: (edge: Edge) => NodeId): ReadonlyMap<NodeId, readonly Edge[]> {
  const found = new Map<NodeId, Edge[]>();
  for (const edge of edges) {
    const list = found.get(by(edge));
    if (list === undefined) found.set(by(edge), [edge]);
    else list.push(edge);
  }
  return found;
}

export interface CommonCause {
  readonly node: NodeId;
  /** Edges to each of the two. */
  readonly depths: readonly [number, number];
  /** Not only a cause of other common causes: where the ways to the two part. */
  readonly nearest: boolean;
}

export interface Common {
  readonly causes: readonly CommonCause[];
  readonly frontier: Trace['frontier'];
}

/** What may have influenced both of two nodes, those where their ways part first. */
export async function commonCauses(graph: Provenance, a: NodeId, b: NodeId, scope: Scope): Promise<Common> {
  const [one, other] = [
    await walk(graph, a, { ...scope, direction: 'backward' }),
    await walk(graph, b, { ...scope, direction: 'backward' }),
  ];
  const traces = [one, other];
  const visitsIn = ({ visits }: Trace): ReadonlyMap<NodeId, Visit> => new Map(visits.map((visit) => [visit.node, visit]));
  const [ofA, ofB] = [visitsIn(one), visitsIn(other)];
  const common = [...ofA.values()].filter(({ node }) => ofB.has(node));
  const shared = new Set(common.map(({ node }) => node));
  const parting = new Set<NodeId>([a, b]);
  for (const { edges } of traces) {
    for (const { from, to } of edges) if (!shared.has(to) || to === a || to === b) parting.add(from);
  }
  const causes = common.map(({ node, depth }): CommonCause => {
    return { node, depths: [depth, ofB.get(node)?.depth ?? 0], nearest: parting.has(node) };
  });
  const far = ({ depths, nearest }: CommonCause) => depths[0] + depths[1] + (nearest ? 0 : 1_000_000);
  causes.sort((x, y) => far(x) - far(y) || (x.node < y.node ? -1 : 1));
  const frontier = [...new Map(traces.flatMap(({ frontier: left }) => left).map((left) => [left.node, left])).values()];
  return { causes, frontier };
}
