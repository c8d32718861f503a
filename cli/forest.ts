/** A graph for people: as trees along its edges, each node once. */
import { clock, iso, type Piece, type Screen, safe, size } from './screen.ts';
import type { Branch } from './tree.ts';

export interface ShownNode {
  readonly id: string;
  readonly kind: string;
  readonly label: string;
  /** Of what belongs to an instance; the function's name of a request. */
  readonly instance?: unknown;
  readonly fn?: unknown;
  /** Marked: out of the ordinary, or not explained by anything configured. */
  readonly deviates?: true | undefined;
  readonly unexplained?: true | undefined;
}
export interface ShownEdge {
  readonly from: string;
  readonly to: string;
  readonly op: string;
  readonly sure: 'exact' | 'inferred';
  readonly start: number;
  readonly bytes: number;
  readonly count: number;
  readonly by?: string | undefined;
  readonly after?: true | undefined;
}

/** All edges between two nodes, as seen from the first. */
interface Tie {
  readonly to: string;
  readonly edges: ShownEdge[];
}

interface Growing extends Branch {
  readonly below: Growing[];
}

/** Belonging, not flow: the heading says it. */
const BELONGING: ReadonlySet<string> = new Set(['serves', 'runs', 'alias']);

export interface Forest {
  readonly roots: readonly Branch[];
  /** Ties between nodes that stand at different places, which no tree can show. */
  readonly undrawn: number;
}

/**
 * Breadth first, so that each node hangs where the way to it is shortest. `towards`: follow edges only so, for a trace; otherwise
 * both ways.
 */
export function forest(
  screen: Screen,
  graph: { readonly nodes: readonly ShownNode[]; readonly edges: readonly ShownEdge[] },
  roots: readonly string[],
  towards?: 'causes' | 'effects',
): Forest {
  const nodes = new Map(graph.nodes.map((node) => [node.id, node]));
  const ties = new Map<string, Map<string, Tie>>();
  const tie = (one: string, other: string, edge: ShownEdge): void => {
    const all = ties.get(one) ?? new Map<string, Tie>();
    ties.set(one, all);
    const known = all.get(other);
    if (known === undefined) all.set(other, { to: other, edges: [edge] });
    else known.edges.push(edge);
  };
  for (const edge of graph.edges) {
    if (BELONGING.has(edge.op) || edge.from === edge.to) continue;
    if (towards !== 'causes') tie(edge.from, edge.to, edge);
    if (towards !== 'effects') tie(edge.to, edge.from, edge);
  }
  const fns = new Map(graph.nodes.flatMap(({ instance, fn }) => (typeof fn === 'string' ? [[instance, fn] as const] : [])));
  /** Where a tree comes into another instance its function is named; a request's label does it. */
  const called = (node: ShownNode, above?: ShownNode): Piece[] => {
    const comes = node.kind !== 'request' && node.instance !== undefined && node.instance !== above?.instance;
    const fn = comes ? fns.get(node.instance) : undefined;
    return [...(fn === undefined ? [] : [`${safe(fn)} `]), ...named(node)];
  };
  const grown = new Map<string, Growing>();
  const drawn = new Set<string>();
  const top: Growing[] = [];
  const grow = (root: string): void => {
    const node = nodes.get(root);
    if (node === undefined || grown.has(root)) return;
    const first: Growing = { pieces: called(node), below: [] };
    grown.set(root, first);
    top.push(first);
    const left: string[] = [root];
    for (const at of left) {
      const next = [...(ties.get(at)?.values() ?? [])].sort((a, b) => startOf(a) - startOf(b) || (a.to < b.to ? -1 : 1));
      for (const { to, edges } of next) {
        const child = nodes.get(to);
        if (child === undefined || grown.has(to)) continue;
        const branch: Growing = { pieces: [...tied(screen, at, edges), ...called(child, nodes.get(at))], below: [] };
        grown.set(to, branch);
        grown.get(at)?.below.push(branch);
        drawn.add(pair(at, to));
        left.push(to);
      }
    }
  };
  for (const root of roots) grow(root);
  // What no root leads to stands for itself.
  if (towards === undefined) for (const { id, kind } of graph.nodes) if (kind !== 'instance' && kind !== 'function') grow(id);
  const undrawn = new Set<string>();
  for (const [at, all] of ties) {
    for (const to of all.keys()) if (grown.has(at) && grown.has(to) && !drawn.has(pair(at, to))) undrawn.add(pair(at, to));
  }
  if (towards === undefined) for (const one of undrawn) refer(screen, one, nodes, ties, grown);
  return { roots: top, undrawn: towards === undefined ? 0 : undrawn.size };
}

/** Says at a process what else it had to do with something that stands elsewhere. */
function refer(
  screen: Screen,
  ends: string,
  nodes: ReadonlyMap<string, ShownNode>,
  ties: ReadonlyMap<string, ReadonlyMap<string, Tie>>,
  grown: ReadonlyMap<string, Growing>,
): void {
  const [one = '', other = ''] = ends.split('\n');
  const [at, to] = nodes.get(other)?.kind === 'process' ? [other, one] : [one, other];
  const node = nodes.get(to);
  const edges = ties.get(at)?.get(to)?.edges;
  if (node === undefined || edges === undefined) return;
  const pieces = [...tied(screen, at, edges), ...named(node), { text: ' (see there)', style: 'dim' } as const];
  grown.get(at)?.below.push({ pieces, below: [] });
}

const pair = (a: string, b: string): string => (a < b ? `${a}\n${b}` : `${b}\n${a}`);
const startOf = ({ edges }: Tie): number => Math.min(...edges.map(({ start }) => start));

/** What tells most to an investigator. */
const TELLING: ReadonlySet<string> = new Set(['endpoint', 'file', 'client', 'resource']);

const named = ({ kind, label, deviates, unexplained }: ShownNode): Piece[] => [
  ...(deviates || unexplained ? [{ text: '! ', style: 'red' } as const] : []),
  { text: `${kind} `, style: 'cyan' },
  TELLING.has(kind) ? { text: safe(label), style: 'bold' } : safe(label),
];

/** When, what, which way and how much passed between a node and the one that hangs below it. */
function tied(screen: Screen, at: string, edges: readonly ShownEdge[]): Piece[] {
  const start = Math.min(...edges.map((edge) => edge.start));
  const out = edges.some(({ from }) => from === at);
  const back = edges.some(({ to }) => to === at);
  const bytes = edges.reduce((sum, edge) => sum + edge.bytes, 0);
  const facts = [
    ...(bytes > 0 ? [size(bytes)] : []),
    ...(edges.some(({ sure }) => sure === 'inferred') ? ['inferred'] : []),
    ...(edges.some(({ after }) => after) ? ['after the answer'] : []),
  ];
  const ops = [...new Set(edges.map(({ op }) => op))].join(', ');
  const time = screen.terminal ? clock(start) : iso(start);
  return [
    { text: `${time} `, style: 'dim' },
    `${ops}${facts.length > 0 ? ` (${facts.join(', ')})` : ''} ${out && back ? '↔' : out ? '→' : '←'} `,
  ];
}
