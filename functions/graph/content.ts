/**
 * The same content at two places: what one exchange received is what another one sent, or what one sent is what another one
 * received later. Bodies are compared by their digest and by the digests of their parts (layers/record/types.ts). Always inferred.
 */
import type { BodyDigest } from '../../layers/record/types.ts';
import { linkKey, type NodeId } from './ids.ts';
import { joinEdge, unique } from './joins.ts';
import type { Graph } from './local.ts';
import type { Edge, ExchangeNode } from './model.ts';
import type { Provenance } from './provenance.ts';
import type { Link } from './shard.ts';

/** Content may lie somewhere for a while before it is met again, µs. */
const CONTENT_WINDOW = 86_400_000_000;
/** Bytes of a body below which equal content says little. */
const LEAST_BODY = 1024;
/**
 * Parts of a body under which it is found: the smallest are the likeliest to be those of a larger body too. Of a larger one, a
 * share f is found from the smaller one with probability 1 - (1 - f)^4.
 */
const INDEXED_PARTS = 4;
/** A recorder sends no more. */
export const PARTS = 16;
/** Earlier (later) sightings of one digest that are looked at. */
const SIGHTINGS = 8;

type Side = 'sent' | 'received';
type Bodies = Pick<ExchangeNode, 'sent' | 'sentSha' | 'sentParts' | 'received' | 'receivedSha' | 'receivedParts'>;

/** What a body is found under, if it is worth finding. */
export function contentKeys({ bytes, sha256, parts }: BodyDigest) {
  if (bytes < LEAST_BODY) return [];
  return [...(sha256 === undefined ? [] : [sha256]), ...(parts ?? []).slice(0, INDEXED_PARTS)].map(contentKey);
}

const contentKey = (digest: string) => linkKey('body', digest);

function digestsOf(
  node: Bodies,
  side: Side,
): { readonly bytes: number; readonly whole?: string; readonly parts: readonly string[] } {
  const sha = side === 'sent' ? node.sentSha : node.receivedSha;
  const parts = (side === 'sent' ? node.sentParts : node.receivedParts) ?? [];
  return { bytes: node[side], ...(sha === undefined ? {} : { whole: sha }), parts: parts.slice(0, PARTS) };
}

/** 0: not the same. Otherwise the more the surer. One part alone may be what everybody sends: a licence text, a header of a page. */
function likeness(a: Bodies, ofA: Side, b: Bodies, ofB: Side): number {
  const one = digestsOf(a, ofA);
  const other = digestsOf(b, ofB);
  if (one.bytes < LEAST_BODY || other.bytes < LEAST_BODY) return 0;
  if (one.whole !== undefined && one.whole === other.whole) return PARTS + 1;
  const shared = one.parts.filter((part) => other.parts.includes(part)).length;
  return shared >= Math.min(2, one.parts.length, other.parts.length) ? shared : 0;
}

/** Where the content of an exchange was met before: what it sent had come in there; what it received had been sent there. */
export async function contentBefore(graph: Provenance, local: Graph, node: ExchangeNode): Promise<readonly Edge[]> {
  const within = alike(local, node, 'sent', 'received').filter((one) => one.last <= node.first);
  const across = (await sightings(graph, node, 'before')).map(({ other, link }) =>
    joinEdge(other.id, node.id, 'data', 'inferred', link.t, node.first, link),
  );
  return unique([...within.map((one) => localEdge(one, node)), ...across]);
}

/** Where it was met later. */
export async function contentAfter(graph: Provenance, local: Graph, node: ExchangeNode): Promise<readonly Edge[]> {
  const within = alike(local, node, 'received', 'sent').filter((one) => node.last <= one.first);
  const across = (await sightings(graph, node, 'after')).map(({ other, link }) =>
    joinEdge(node.id, other.id, 'data', 'inferred', node.first, link.t, link),
  );
  return unique([...within.map((one) => localEdge(node, one)), ...across]);
}

type Index = { readonly [S in Side]: ReadonlyMap<string, readonly ExchangeNode[]> };
const indexes = new WeakMap<Graph, Index>();

/** Exchanges of one local graph by what they sent and received, a few for each digest: made once, for a graph is walked a lot. */
function indexOf(local: Graph): Index {
  const known = indexes.get(local);
  if (known !== undefined) return known;
  const index = { sent: new Map<string, ExchangeNode[]>(), received: new Map<string, ExchangeNode[]>() };
  for (const node of local.nodes.values()) {
    if (node.kind !== 'exchange') continue;
    for (const side of ['sent', 'received'] as const) {
      for (const digest of allDigests(node, side)) {
        const found = index[side].get(digest) ?? [];
        if (found.length < SIGHTINGS) index[side].set(digest, [...found, node]);
      }
    }
  }
  indexes.set(local, index);
  return index;
}

function allDigests(node: ExchangeNode, side: Side): readonly string[] {
  const { bytes, whole, parts } = digestsOf(node, side);
  return bytes < LEAST_BODY ? [] : [...(whole === undefined ? [] : [whole]), ...parts];
}

/** Others in the same partition whose one side is like this one's other. */
function alike(local: Graph, node: ExchangeNode, mine: Side, theirs: Side): readonly ExchangeNode[] {
  const digests = allDigests(node, mine);
  if (digests.length === 0) return [];
  const index = indexOf(local)[theirs];
  const found = new Set(digests.flatMap((digest) => index.get(digest) ?? []));
  return [...found].filter((one) => one.id !== node.id && likeness(node, mine, one, theirs) > 0);
}

function localEdge(from: ExchangeNode, to: ExchangeNode): Edge {
  const times = { start: from.last, end: to.first, bytes: 0, count: 1 };
  return { from: from.id, to: to.id, op: 'data', sure: 'inferred', ...times, partition: to.partition, evidence: [] };
}

interface Sighting {
  readonly other: ExchangeNode;
  readonly link: Link;
}

/** The likest exchanges of other requests in which the content that is on one side of this one was on the other side. */
async function sightings(graph: Provenance, node: ExchangeNode, when: 'before' | 'after'): Promise<readonly Sighting[]> {
  const sides = when === 'before' ? (['sent', 'received'] as const) : (['received', 'sent'] as const);
  const sought = sides.filter((mine) => isSought(node, mine));
  const found = await graph.each(sought, (mine) => sighting(graph, node, mine, mine === 'sent' ? 'received' : 'sent', when));
  return found.flat();
}

async function sighting(
  graph: Provenance,
  node: ExchangeNode,
  mine: Side,
  theirs: Side,
  when: 'before' | 'after',
): Promise<readonly Sighting[]> {
  const t = node.first;
  const range =
    when === 'before'
      ? ({ before: t, after: Math.max(0, t - CONTENT_WINDOW), limit: SIGHTINGS } as const)
      : ({ after: t, before: t + CONTENT_WINDOW, order: 'oldest', limit: SIGHTINGS } as const);
  const look = (digests: readonly string[]) =>
    graph.each(digests, (digest) => graph.someLinks(contentKey(digest), range, theirs === 'sent' ? 'out' : 'in', node.id));
  const { whole, parts } = digestsOf(node, mine);
  // Most bodies are met again whole or not at all.
  for (const digests of [whole === undefined ? [] : [whole], parts]) {
    const best = await likest(graph, node, mine, theirs, (await look(digests)).flat());
    if (best !== undefined) return [best];
  }
  return [];
}

async function likest(graph: Provenance, node: ExchangeNode, mine: Side, theirs: Side, links: readonly Link[]) {
  let best: { readonly other: ExchangeNode; readonly link: Link; readonly like: number } | undefined;
  const seen = new Map<NodeId, Link>();
  for (const link of links) {
    const elsewhere = link.instance !== node.instance || link.partition !== node.partition;
    if (elsewhere && link.node !== node.id && !seen.has(link.node) && seen.size < PARTS) seen.set(link.node, link);
  }
  const others = await graph.each([...seen.values()], async (link) => ({
    link,
    other: await graph.nodeAt(link.node, node.id),
  }));
  for (const { link, other } of others) {
    const like = other?.kind === 'exchange' ? likeness(node, mine, other, theirs) : 0;
    if (other?.kind === 'exchange' && like > (best?.like ?? 0)) best = { other, link, like };
  }
  return best;
}

/** Calls of services, S3 aside, are told by their keys; as they have no entry in the index, none is looked for either. */
const isSought = (node: ExchangeNode, side: Side) =>
  node[side] >= LEAST_BODY && (node.aws === undefined || (node.aws.service === 's3' && digestsOf(node, side).parts.length > 0));
