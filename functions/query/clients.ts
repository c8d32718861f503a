/** Walks from a client: to every request that it made. The index has them by address; which program sent one, the request itself says. */
import { isRequest, linkKey, type NodeId, requestId } from '../graph/ids.ts';
import type { Edge } from '../graph/model.ts';
import type { Provenance } from '../graph/provenance.ts';
import { type Start, type Trace, type WalkOptions, walk } from '../graph/walk.ts';
import type { Store } from '../store/connect.ts';
import { unknown } from './known.ts';

export const isClient = (id: NodeId) => id.startsWith('client:');

/** Of `client:<address>:<user agent>`, or `client:<address>` for all at that address; `:` in an address is written `%3A`. */
const addressOf = (id: NodeId) =>
  (id.split(':', 2)[1] ?? '').replace(/%([0-9A-F]{2})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)));

/**
 * Forward from a client, or from where an earlier walk from one ended (`options.from`): its requests, and all that they caused.
 * @param most requests that are begun with; the others are left to go on from
 * @throws Problem 404 when no request of it is known
 */
export async function walkFromClient(
  provenance: Provenance,
  client: NodeId,
  { source }: Pick<Store, 'source'>,
  options: WalkOptions & { readonly most: number },
): Promise<Trace> {
  const { most, from: before, ...scope } = options;
  const own = before === undefined ? { at: scope.at ?? 0 } : before.find(({ node }) => node === client);
  const asked = own === undefined ? { edges: [] } : await requestsOf(provenance, client, source, own.at, most);
  if (before === undefined && asked.edges.length === 0 && asked.next === undefined) throw unknown(client, 'node');
  const begun = asked.edges.map(({ to, start }): Start => ({ node: to, at: start, depth: 1, skip: 0 }));
  const from = [...begun, ...(before ?? []).filter(({ node }) => node !== client)];
  const found = await walk(provenance, client, { ...scope, from, limit: Math.max(0, scope.limit - begun.length) });
  // The oldest request of each first.
  const clients = new Map(asked.edges.toReversed().map((edge) => [edge.from, { node: edge.from, at: edge.start, depth: 0 }]));
  const left = asked.next === undefined ? [] : [{ node: client, at: asked.next, depth: 0, skip: 0 }];
  return {
    ...found,
    visits: [...clients.values(), ...begun, ...found.visits],
    edges: [...asked.edges, ...found.edges],
    frontier: [...left.map(({ node }) => ({ node, why: 'limit' as const })), ...found.frontier],
    rest: [...left, ...found.rest],
  };
}

interface Requests {
  /** From clients to requests, oldest first. */
  readonly edges: readonly Edge[];
  /** There are more from this time on. */
  readonly next?: number;
}

async function requestsOf(
  provenance: Provenance,
  client: NodeId,
  source: Store['source'],
  after: number,
  limit: number,
): Promise<Requests> {
  const { links, cut } = await source.linksOf(linkKey('addr', addressOf(client)), { after, order: 'oldest', limit });
  const places = new Map(
    links.flatMap(({ instance, partition }) =>
      isRequest(partition) ? [[requestId(instance, partition), { instance, partition }] as const] : [],
    ),
  );
  const graphs = await Promise.all(
    [...places].map(async ([id, { instance, partition }]) => {
      const graph = await provenance.local(instance, partition, id);
      return graph?.into(id) ?? [];
    }),
  );
  const edges = graphs.flat().filter(({ from, start }) => (from === client || from.startsWith(`${client}:`)) && start >= after);
  const last = links.at(-1)?.t ?? after;
  // More at one time than are taken at once would be found again for ever.
  return { edges, ...(cut ? { next: Math.max(last, after + 1) } : {}) };
}
