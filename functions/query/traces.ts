/** Walks through the global graph: traces, what a node has reached, ways between two nodes and what two have in common. */
import { z } from 'zod';
import { between, commonCauses } from '../graph/between.ts';
import type { NodeId } from '../graph/ids.ts';
import { label } from '../graph/label.ts';
import type { NodeKind } from '../graph/model.ts';
import { DEFAULT_BUDGET, Provenance } from '../graph/provenance.ts';
import { type Direction, type Trace, type Visit, type WalkOptions, walk } from '../graph/walk.ts';
import type { Store } from '../store/connect.ts';
import { isClient, walkFromClient } from './clients.ts';
import { readCursor, readWalk, writeCursor, writeWalk } from './cursor.ts';
import { known, mustKnow } from './known.ts';
import { KINDS, limit, node, read, time } from './parameters.ts';
import { cutLines, presentNode } from './present.ts';
import { Problem } from './problem.ts';
import type { Route } from './routes.ts';

/** An HTTP API waits 30 s; loading what is under way takes some more. */
const milliseconds = z.coerce.number().int().min(1).max(20_000).default(15_000);
const partitions = limit(DEFAULT_BUDGET.partitions, 2000);
const joins = z.enum(['exact', 'all']).default('all');
const kinds = z
  .string()
  .max(200)
  .transform((value, context) => {
    const named = value.split(',');
    if (named.every((one) => (KINDS as readonly string[]).includes(one))) return named as readonly NodeKind[];
    context.addIssue({ code: 'custom', message: `must be kinds of nodes with commas between: ${KINDS.join(', ')}` });
    return z.NEVER;
  });

const scope = { joins, stop: kinds.optional(), collapse: z.enum(['none', 'baselines', 'hubs', 'all']).default('none') };
const hub = z.coerce.number().int().min(2).max(100_000).default(200);
const budgets = { limit: limit(500, 5000), partitions, milliseconds };

export const traceQuery = z.object({
  ...{ node: node.optional(), direction: z.enum(['backward', 'forward']).optional(), at: time.optional() },
  ...{ ...scope, hub, ...budgets, cursor: z.string().max(6000).optional() },
});
export const blastQuery = traceQuery.omit({ direction: true });
export const pathsQuery = z.object({
  ...{ from: node, to: node, at: time.optional(), ...scope, hub, paths: limit(20, 200), longest: limit(40, 200) },
  ...{ limit: limit(2000, 5000), partitions, milliseconds, cursor: z.string().max(6000).optional() },
});
export const causesQuery = z.object({ a: node, b: node, ...scope, hub, limit: limit(2000, 5000), partitions, milliseconds });

interface Asked {
  readonly joins: 'exact' | 'all';
  readonly stop?: readonly NodeKind[] | undefined;
  readonly collapse: 'none' | 'baselines' | 'hubs' | 'all';
  readonly hub: number;
  readonly limit: number;
  readonly milliseconds: number;
}

function optionsOf({
  joins: kind,
  stop,
  collapse,
  hub: most,
  limit: nodes,
  milliseconds: ms,
}: Asked): Omit<WalkOptions, 'direction'> {
  return {
    ...{ limit: nodes, exactOnly: kind === 'exact', deadline: Date.now() + ms },
    ...(stop === undefined ? {} : { stop: new Set(stop) }),
    ...(collapse === 'baselines' || collapse === 'all' ? { noBaselines: true } : {}),
    ...(collapse === 'hubs' || collapse === 'all' ? { hub: most } : {}),
  };
}

/** A cursor brings its question; beside it only budgets may be given. */
const BUDGETS: ReadonlySet<string> = new Set(['limit', 'partitions', 'milliseconds', 'cursor']);

interface Walked {
  readonly node: NodeId;
  readonly direction: Direction;
  readonly at?: number;
  readonly trace: Trace;
  readonly provenance: Provenance;
  readonly cursor?: string;
  readonly cut: readonly string[];
}

async function walked(query: URLSearchParams, store: Store, fixed?: Direction): Promise<Walked> {
  const cursor = query.get('cursor');
  const place = cursor === null ? undefined : readWalk(cursor);
  const whole = new URLSearchParams(query);
  for (const [name, value] of Object.entries(place?.question ?? {})) {
    const given = query.get(name);
    if (given !== null && given !== value) {
      throw new Problem(400, 'Invalid parameter', `${name}: is not what the cursor was given for; leave it out`, name);
    }
    whole.set(name, value);
  }
  const asked = fixed === undefined ? read(traceQuery, whole) : { ...read(blastQuery, whole), direction: fixed };
  const missing = asked.node === undefined ? 'node' : asked.direction === undefined ? 'direction' : undefined;
  const { node: start, direction } = asked;
  if (missing !== undefined || start === undefined || direction === undefined) {
    throw new Problem(400, 'Invalid parameter', `${missing}: is required`, missing);
  }
  const linksPerKey = place?.linksPerKey ?? DEFAULT_BUDGET.linksPerKey;
  const next = place === undefined ? { direction, at: asked.at } : undefined;
  const budget = { partitions: asked.partitions, linksPerKey };
  const options = {
    ...{ ...optionsOf(asked), direction },
    ...(asked.at === undefined ? {} : { at: asked.at }),
    ...(place === undefined ? {} : { from: place.from }),
  };
  const forward = direction === 'forward' && isClient(start);
  const provenance = forward ? new Provenance(store.source, budget) : await known(start, store, 'node', budget, next);
  // Half of what may be told and loaded is for what its requests caused.
  const most = Math.max(1, Math.trunc(Math.min(asked.limit, asked.partitions) / 2));
  const trace = forward
    ? await walkFromClient(provenance, start, store, { ...options, most })
    : await walk(provenance, start, options);
  const question = Object.fromEntries([...whole].filter(([name]) => !BUDGETS.has(name)));
  const crowded = provenance.cuts.some(({ why }) => why === 'links');
  const linksNext = crowded ? Math.min(5000, linksPerKey * 5) : linksPerKey;
  // Where as many links as are ever looked at were looked at, going on would find the same again.
  const full = new Set(
    crowded && linksNext === linksPerKey ? provenance.cuts.filter(({ why }) => why === 'links').map((cut) => cut.node) : [],
  );
  const from = trace.rest.filter((one) => !full.has(one.node));
  const written = writeWalk({ question, linksPerKey: linksNext, from });
  const noRoom = `cursor: ${written.left} of ${from.length} places to go on from had no room in it; ask from those of frontier`;
  return {
    ...{ node: start, direction, trace, provenance },
    ...(asked.at === undefined ? {} : { at: asked.at }),
    ...(written.cursor === undefined ? {} : { cursor: written.cursor }),
    cut: [...cutLines(trace.frontier), ...(written.left > 0 ? [noRoom] : [])],
  };
}

function frontierOf({ frontier, rest }: Trace) {
  const places = new Map(rest.map((one) => [one.node, one.at]));
  return frontier.map(({ node: id, why }) => {
    const at = places.get(id);
    return { node: id, why, ...(at === undefined || at === Number.MAX_SAFE_INTEGER ? {} : { at }) };
  });
}

const present = (provenance: Provenance, visit: Visit) => {
  const one = provenance.nodes.get(visit.node);
  return one === undefined ? [] : [{ ...presentNode(one), at: visit.at, depth: visit.depth }];
};

const summary = ({ trace, cursor, cut }: Walked) => ({
  ...{ frontier: frontierOf(trace), hubs: trace.hubs, baselines: trace.baselines },
  ...(cursor === undefined ? {} : { cursor }),
  cut,
});

export const trace: Route = async ({ query, store }) => {
  const found = await walked(query, store);
  const { node: start, direction, at, provenance } = found;
  const { visits, edges } = found.trace;
  return {
    ...{ node: start, direction, ...(at === undefined ? {} : { at }) },
    counts: { nodes: visits.length, edges: edges.length },
    nodes: visits.flatMap((visit) => present(provenance, visit)),
    edges,
    ...summary(found),
  };
};

/** Nodes that each kind lists; the others are counted. */
const LISTED = 200;

export const blast: Route = async ({ query, store }) => {
  const found = await walked(query, store, 'forward');
  const { provenance } = found;
  const groups = new Map<NodeKind, { kind: NodeKind; count: number; nodes: object[] }>();
  const places = { functions: new Set<string>(), instances: new Set<string>(), requests: new Set<string>() };
  for (const visit of [...found.trace.visits].sort((a, b) => a.at - b.at)) {
    const one = provenance.nodes.get(visit.node);
    if (one === undefined || visit.depth === 0) continue;
    const group = groups.get(one.kind) ?? { kind: one.kind, count: 0, nodes: [] };
    groups.set(one.kind, group);
    group.count++;
    if (group.nodes.length < LISTED) group.nodes.push({ node: one.id, label: label(one), at: visit.at, depth: visit.depth });
    if (one.kind === 'request') {
      places.functions.add(one.fn);
      places.instances.add(one.instance);
      places.requests.add(one.partition);
    }
  }
  const kindsFound = [...groups.values()].sort((a, b) => b.count - a.count || (a.kind < b.kind ? -1 : 1));
  const unlisted = kindsFound.flatMap(({ kind, count, nodes }) =>
    count > nodes.length ? [`${kind}: ${count - nodes.length} later ones are counted only; a forward trace lists them`] : [],
  );
  const named = Object.fromEntries(Object.entries(places).map(([name, ids]) => [name, [...ids].sort()]));
  const end = summary(found);
  return { node: found.node, groups: kindsFound, ...named, ...end, cut: [...end.cut, ...unlisted] };
};

const offset = z.object({ n: z.number().int().min(0).max(100_000) });

export const paths: Route = async ({ query, store }) => {
  const asked = read(pathsQuery, query);
  const skip = asked.cursor === undefined ? 0 : readCursor(asked.cursor, offset).n;
  const budget = { ...DEFAULT_BUDGET, partitions: asked.partitions };
  const provenance = await known(asked.from, store, 'from', budget, { direction: 'forward', at: asked.at });
  await mustKnow(provenance, asked.to, 'to');
  const found = await between(provenance, asked.from, asked.to, {
    ...{ ...optionsOf(asked), paths: asked.paths, skip, longest: asked.longest },
    ...(asked.at === undefined ? {} : { at: asked.at }),
  });
  const told = found.paths.map(({ edges }) => {
    const ids = [asked.from, ...edges.map(({ to }) => to)];
    const nodes = ids
      .flatMap((id) => provenance.nodes.get(id) ?? [])
      .map((one) => ({ node: one.id, kind: one.kind, label: label(one) }));
    return { length: edges.length, sure: edges.every(({ sure }) => sure === 'exact') ? 'exact' : 'inferred', nodes, edges };
  });
  const more = found.cut.includes('paths') ? writeCursor({ n: skip + found.paths.length }) : undefined;
  const cut = found.cut.map((what) => PATHS_CUT[what]);
  return {
    ...{ from: asked.from, to: asked.to, paths: told },
    ...(more === undefined ? {} : { cursor: more }),
    cut: [...cutLines(found.frontier), ...cut],
  };
};
const PATHS_CUT = {
  paths: 'paths: longer ones; ask again with cursor',
  made: 'paths: too many ways to try them all; stop at kinds, collapse hubs or ask for exact joins only',
  length: 'paths: longer ones than longest allows',
} as const;

export const causes: Route = async ({ query, store }) => {
  const asked = read(causesQuery, query);
  const budget = { ...DEFAULT_BUDGET, partitions: asked.partitions };
  const provenance = await known(asked.a, store, 'a', budget, { direction: 'backward' });
  await mustKnow(provenance, asked.b, 'b');
  const found = await commonCauses(provenance, asked.a, asked.b, optionsOf(asked));
  const told = found.causes.flatMap(({ node: id, depths, nearest }) => {
    const one = provenance.nodes.get(id);
    return one === undefined ? [] : [{ node: id, kind: one.kind, label: label(one), depths, nearest }];
  });
  return { a: asked.a, b: asked.b, causes: told, cut: cutLines(found.frontier) };
};
