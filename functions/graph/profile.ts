/** What a request did, in words that are the same from one request of a function to the next, so that they can be compared. */
import type { NodeId } from './ids.ts';
import type { Graph } from './local.ts';
import type { Edge, Evidence, Node } from './model.ts';

export type Trait = 'program' | 'file' | 'host' | 'call';
export type Measure = 'children' | 'sent' | 'received' | 'exchanges';

export interface Profile {
  /** Trait and its name, e.g. `file`, `write /tmp/*.json`; with the nodes that show it. */
  readonly traits: ReadonlyMap<
    string,
    { readonly trait: Trait; readonly what: string; readonly node: NodeId; readonly evidence: readonly Evidence[] }
  >;
  /** Processes started; bytes sent and received; HTTP exchanges. */
  readonly measures: Readonly<Record<Measure, number>>;
}

/** Numbers and ids in names differ from one request to the next: hexadecimal of 8 digits and more, UUIDs, digits. */
const VARYING = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?=[a-f]*\d)[0-9a-f]{8,}|\d+/gi;
const general = (name: string) => name.replace(VARYING, '*');

export function profile(graph: Graph): Profile {
  const traits = new Map<string, { trait: Trait; what: string; node: NodeId; evidence: readonly Evidence[] }>();
  const measures = { children: 0, sent: 0, received: 0, exchanges: 0 };
  const add = (trait: Trait, what: string, node: NodeId, edges: readonly Edge[]) => {
    const key = `${trait} ${what}`;
    if (traits.has(key)) return;
    traits.set(key, { trait, what, node, evidence: edges.flatMap(({ evidence }) => evidence).slice(0, 4) });
  };
  for (const node of graph.nodes.values()) {
    const into = graph.into(node.id);
    const out = graph.outOf(node.id);
    switch (node.kind) {
      case 'process':
        if (into.some(({ op }) => op === 'start' || op === 'image')) measures.children++;
        if (node.exe !== undefined)
          add(
            'program',
            node.exe,
            node.id,
            into.filter(({ op }) => op === 'start' || op === 'exec'),
          );
        for (const edge of out) if (isTraffic(edge, graph, edge.to)) measures.sent += edge.bytes;
        for (const edge of into) if (isTraffic(edge, graph, edge.from)) measures.received += edge.bytes;
        break;
      case 'file':
        for (const edge of into)
          if (edge.from.startsWith('process:')) add('file', `${edge.op} ${general(node.path)}`, node.id, [edge]);
        for (const edge of out)
          if (edge.to.startsWith('process:')) add('file', `${edge.op} ${general(node.path)}`, node.id, [edge]);
        break;
      case 'endpoint':
        if (node.local === undefined && (into.length > 0 || out.length > 0))
          add('host', hostOf(node), node.id, [...into, ...out]);
        break;
      case 'exchange':
        measures.exchanges++;
        measures.sent += node.sent;
        measures.received += node.received;
        if (node.aws !== undefined)
          add('call', `${node.aws.service}:${node.aws.operation}${targets(node.id, graph)}`, node.id, [...into]);
        break;
    }
  }
  return { traits, measures };
}

/** Connections that are no exchanges; those are counted themselves. */
const isTraffic = ({ op }: Edge, graph: Graph, other: NodeId) =>
  (op === 'send' || op === 'receive') && isOutside(graph.nodes.get(other));
const isOutside = (node: Node | undefined) => node?.kind === 'endpoint' && node.local === undefined;

const hostOf = (node: Extract<Node, { kind: 'endpoint' }>) => node.host ?? `${node.addr ?? '?'}:${node.port ?? 0}`;

/** Tables, buckets, queues: which item or object is another one every time. */
function targets(exchange: NodeId, graph: Graph): string {
  const named = [...graph.outOf(exchange).map(({ to }) => to), ...graph.into(exchange).map(({ from }) => from)].flatMap(
    (id) => {
      const node = graph.nodes.get(id);
      return node?.kind === 'resource' ? [container(node.resource)] : [];
    },
  );
  return [...new Set(named)]
    .sort()
    .map((name) => ` ${name}`)
    .join('');
}

const container = (resource: string) => /^(s3:\/\/[^/]+|[a-z0-9]+:[^/@]+)/.exec(resource)?.[1] ?? resource;

export interface Deviation {
  readonly trait: Trait;
  readonly what: string;
  readonly node: NodeId;
  /** In how many of the sample's requests it was seen as well. */
  readonly seenIn: number;
  readonly evidence: readonly Evidence[];
}
export interface Excess {
  readonly measure: Measure;
  readonly value: number;
  /** Of the sample. */
  readonly median: number;
  readonly most: number;
}

/** Seen in at most this share of the others, a trait is unusual. An attack that repeats itself must not become normal at once. */
const RARE = 0.05;
/** So many times the most that any other had, a measure is unusual. */
const FACTOR = 2;

/** In what a request differs from others of its kind. */
export function compare(
  one: Profile,
  others: readonly Profile[],
): { readonly traits: readonly Deviation[]; readonly measures: readonly Excess[] } {
  const rare = Math.floor(others.length * RARE);
  const traits = [...one.traits].flatMap(([key, { trait, what, node, evidence }]): Deviation[] => {
    const seenIn = others.filter((other) => other.traits.has(key)).length;
    return seenIn <= rare ? [{ trait, what, node, seenIn, evidence }] : [];
  });
  const measures = (Object.keys(one.measures) as Measure[]).flatMap((measure): Excess[] => {
    const sorted = others.map((other) => other.measures[measure]).sort((a, b) => a - b);
    const [median = 0, most = 0] = [sorted[sorted.length >> 1], sorted.at(-1)];
    const value = one.measures[measure];
    // Of a few bytes, twice as many are no news.
    const floor = measure === 'sent' || measure === 'received' ? 1024 : 0;
    return value > most * FACTOR && value > most + floor ? [{ measure, value, median, most }] : [];
  });
  return { traits, measures };
}
