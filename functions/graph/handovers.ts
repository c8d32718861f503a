/** Hand-overs between requests: who caused a request, whom a call reached, what it answered. Found through join keys. */
import type { JoinKey } from '../../layers/record/types.ts';
import { joinLink, type NodeId } from './ids.ts';
import {
  calls,
  INFERRED_WINDOW,
  isSynchronous,
  joinEdge,
  mostTelling,
  outcomeOf,
  requestAt,
  traceOf,
  unique,
  within,
} from './joins.ts';
import type { Edge, ExchangeNode, RequestNode } from './model.ts';
import type { Provenance } from './provenance.ts';
import type { Link } from './shard.ts';
import type { LinkRange } from './source.ts';

/** Candidates for a guess: of causes the latest, of effects the first count. */
const GUESSES = 16;
/** Candidates whose trace is looked at together. */
const TOGETHER = 4;

/** Who caused a request: every exact match; without one the likeliest inferred match before it. */
export async function invokers(graph: Provenance, request: RequestNode): Promise<readonly Edge[]> {
  const { id, keys = [] } = request;
  const begin = request.begin ?? request.first;
  const telling = mostTelling(keys);
  const found = await graph.each(telling, async (key) => {
    const told = await outcomes(graph, id, key, begin);
    if (key.sure !== 'exact') return { told, certain: [] };
    const links = await graph.links(joinLink(key.key), { limit: graph.linksPerKey }, id);
    return { told, certain: causes(links, request, key, begin) };
  });
  const certain = found.flatMap((one) => one.certain);
  const exact = [...certain.filter(({ sure }) => sure === 'exact'), ...found.flatMap(({ told }) => told)];
  if (exact.length > 0) return unique(exact);
  // Most requests have an exact cause, so these are looked for only without one.
  const window = { before: begin, after: Math.max(0, begin - INFERRED_WINDOW), limit: GUESSES };
  const guessed = await graph.each(telling, async (key) =>
    key.sure === 'exact' ? [] : causes(await graph.someLinks(joinLink(key.key), window, 'out', id), request, key, begin),
  );
  const inferred = [...certain, ...guessed.flat()].filter(({ end }) => end <= begin);
  const balanced = request.trigger?.type === 'alb' ? await balancedCalls(graph, request, begin) : [];
  return likeliest(graph, [...inferred, ...balanced], traceOf(keys));
}

const causes = (links: readonly Link[], { id }: RequestNode, key: JoinKey, begin: number): readonly Edge[] =>
  links
    .filter(({ direction, node }) => direction === 'out' && node !== id)
    .map((link) => joinEdge(link.node, id, 'invoke', surest(key, link), link.t, begin, link));

/** A destination or dead-letter queue was told about the outcome of a request. */
async function outcomes(graph: Provenance, id: NodeId, { key, sure }: JoinKey, begin: number): Promise<readonly Edge[]> {
  if (!key.startsWith('outcome:')) return [];
  const ran = joinLink(`lambda:${key.slice('outcome:'.length)}`);
  const links = await graph.links(ran, { limit: graph.linksPerKey }, id);
  const told = links.filter(({ direction, kind, node }) => direction === 'in' && kind === 'request' && node !== id);
  return await graph.each(told, async (link) => {
    const before = await graph.nodeAt(link.node, id);
    const end = before?.kind === 'request' ? (before.end ?? before.last) : link.t;
    return joinEdge(link.node, id, 'invoke', sure, end, begin, { ...link, key: joinLink(key) });
  });
}

/** A load balancer hands on no identifier of its own, only the trace that the caller sent: the same path must have been asked for. */
async function balancedCalls(graph: Provenance, request: RequestNode, begin: number): Promise<readonly Edge[]> {
  const range = { before: begin, after: Math.max(0, begin - INFERRED_WINDOW), limit: graph.linksPerKey };
  const traces = (request.keys ?? []).filter(({ key }) => key.startsWith('trace:'));
  const found = await graph.each(await claims(graph, traces, request.id, range), ({ links }) =>
    graph.each(links, async (link): Promise<readonly Edge[]> => {
      const call = link.direction === 'out' ? await graph.nodeAt(link.node, request.id) : undefined;
      if (call?.kind !== 'exchange' || !isBalanced(call, request)) return [];
      return [joinEdge(call.id, request.id, 'invoke', 'inferred', link.t, begin, link)];
    }),
  );
  return found.flat(2);
}

const isBalanced = ({ aws, method, path }: ExchangeNode, { trigger }: RequestNode) =>
  aws === undefined && trigger?.type === 'alb' && trigger.method === method && trigger.path === path;

/** Of several inferred causes the latest one, but one of the same trace before any other. */
async function likeliest(graph: Provenance, edges: readonly Edge[], trace: string | undefined): Promise<readonly Edge[]> {
  const latest = [...edges].sort((a, b) => b.end - a.end);
  if (trace !== undefined && latest.length > 1) {
    for (let i = 0; i < latest.length; i += TOGETHER) {
      const same = await graph.each(latest.slice(i, i + TOGETHER), async (edge) => {
        const home = requestAt(edge.from);
        const request = home && (await graph.nodeAt(home, edge.to));
        return request?.kind === 'request' && traceOf(request.keys ?? []) === trace ? [edge] : [];
      });
      const [found] = same.flat();
      if (found !== undefined) return [found];
    }
  }
  return latest.slice(0, 1);
}

/** Whom a call reached: requests it caused, polls that received what it sent. */
export async function invoked(graph: Provenance, call: ExchangeNode): Promise<readonly Edge[]> {
  const found = await graph.each([reachedByKey, reachedByTrace], (find) => find(graph, call));
  return unique(found.flat());
}

const reachedByKey = (graph: Provenance, call: ExchangeNode) => reached(graph, call.id, call.keys, call.first);

async function reachedByTrace(graph: Provenance, call: ExchangeNode): Promise<readonly Edge[]> {
  const traces = call.aws === undefined ? call.keys.filter(({ key }) => key.startsWith('trace:')) : [];
  const before = call.first + INFERRED_WINDOW;
  const range = { after: call.first, before, order: 'oldest', limit: graph.linksPerKey } as const;
  const found = await graph.each(await claims(graph, traces, call.id, range), ({ links }) =>
    graph.each(links, async (link): Promise<readonly Edge[]> => {
      const request = link.direction === 'in' ? await graph.nodeAt(link.node, call.id) : undefined;
      if (request?.kind !== 'request' || !isBalanced(call, request)) return [];
      return [joinEdge(call.id, request.id, 'invoke', 'inferred', call.first, link.t, link)];
    }),
  );
  return found.flat(2);
}

/** Whom the result of a request was given to, by a destination, a state machine or the like. */
export async function handedOn(graph: Provenance, request: RequestNode): Promise<readonly Edge[]> {
  const end = request.end ?? request.last;
  const told = (request.keys ?? []).flatMap((key) => outcomeOf(key) ?? []);
  return await reached(graph, request.id, [...told, ...(request.results ?? [])], end);
}

async function reached(graph: Provenance, id: NodeId, keys: readonly JoinKey[], sent: number): Promise<readonly Edge[]> {
  const window = { after: sent, before: sent + INFERRED_WINDOW, order: 'oldest', limit: GUESSES } as const;
  const found = await graph.each(mostTelling(keys), async (key) => {
    const links = await (key.sure === 'exact'
      ? graph.links(joinLink(key.key), { limit: graph.linksPerKey }, id)
      : graph.someLinks(joinLink(key.key), window, 'in', id));
    const effects = links.filter(({ direction, node }) => direction === 'in' && node !== id);
    return await graph.each(key.sure === 'exact' ? effects : effects.slice(0, 1), async (link): Promise<readonly Edge[]> => {
      const sure = surest(key, link);
      if (sure === 'inferred' && !(await isLikeliest(graph, id, link.node))) return [];
      // A poll takes part too: what was sent is read by it.
      return [joinEdge(id, link.node, link.kind === 'exchange' ? 'read' : 'invoke', sure, sent, link.t, link)];
    });
  });
  return unique(found.flat(2));
}

/** Seen from the effect it must be the same cause: not if an exact one is known, or one that is likelier. */
async function isLikeliest(graph: Provenance, cause: NodeId, effect: NodeId): Promise<boolean> {
  const request = await graph.nodeAt(effect, cause);
  return request?.kind !== 'request' || (await invokers(graph, request)).some(({ from }) => from === cause);
}

/** What the request that a synchronous call caused answered it. */
export async function answers(graph: Provenance, exchange: ExchangeNode): Promise<readonly Edge[]> {
  const keys = isSynchronous(exchange) ? exchange.keys.filter(calls) : [];
  if (keys.length === 0) return [];
  const found = await graph.each(await claims(graph, keys, exchange.id), ({ key, links }) =>
    graph.each(links, async (link): Promise<readonly Edge[]> => {
      const request = link.direction === 'in' ? await graph.nodeAt(link.node, exchange.id) : undefined;
      if (request?.kind !== 'request' || request.end === undefined) return [];
      const sure = surest(key, link);
      if (sure !== 'exact' && !within(exchange, request)) return [];
      return [joinEdge(link.node, exchange.id, 'reply', sure, request.end, exchange.last, link)];
    }),
  );
  return unique(found.flat(2));
}

export async function answered(graph: Provenance, request: RequestNode): Promise<readonly Edge[]> {
  const end = request.end ?? request.last;
  const found = await graph.each(await claims(graph, (request.keys ?? []).filter(calls), request.id), ({ key, links }) =>
    graph.each(links, async (link): Promise<readonly Edge[]> => {
      const exchange = link.direction === 'out' ? await graph.nodeAt(link.node, request.id) : undefined;
      if (exchange?.kind !== 'exchange' || !isSynchronous(exchange)) return [];
      const sure = surest(key, link);
      if (sure !== 'exact' && !within(exchange, request)) return [];
      return [joinEdge(request.id, link.node, 'reply', sure, end, exchange.last, link)];
    }),
  );
  return unique(found.flat(2));
}

/** Who claims these keys. */
const claims = (graph: Provenance, keys: readonly JoinKey[], asker: NodeId, range: LinkRange = { limit: graph.linksPerKey }) =>
  graph.each(keys, async (key) => ({ key, links: await graph.links(joinLink(key.key), range, asker) }));

/** A join is as sure as its less sure end. */
const surest = (key: JoinKey, link: Link) => (key.sure === 'exact' && link.sure === 'exact' ? 'exact' : 'inferred');

/** Whose message a poll received. (Objects and items are found through their resource nodes.) */
export async function senders(graph: Provenance, { id, keys, last }: ExchangeNode): Promise<readonly Edge[]> {
  const edges: Edge[] = [];
  const received = keys.filter((one) => one.sure === 'exact' && /^(?:sqs|kinesis):/.test(one.key));
  if (received.length === 0) return [];
  for (const { key, links } of await claims(graph, received, id)) {
    if (!links.some(({ node, direction }) => node === id && direction === 'in')) continue;
    for (const link of links) {
      if (link.direction === 'out' && link.node !== id)
        edges.push(joinEdge(link.node, id, 'read', surest(key, link), link.t, last, link));
    }
  }
  return unique(edges);
}
