import { z } from 'zod';
import type { InstanceId } from '../../layers/record/types.ts';
import { INIT, instanceId, isRequest, type Partition } from '../graph/ids.ts';
import { missing } from '../store/chain.ts';
import type { ListPlace } from '../store/lists.ts';
import { number } from '../store/rows.ts';
import { inParallel } from '../store/table.ts';
import { silencedOfDay } from './gaps.ts';
import { limit, read, time } from './parameters.ts';
import { Problem } from './problem.ts';
import type { Route } from './routes.ts';

export const stats: Route = async ({ query, store }) => {
  read(z.object({}), query);
  const [counts, silenced] = await Promise.all([store.lists.stats(), silencedOfDay(store)]);
  return { ...counts, silenced: silenced.count, cut: [...counts.cut, ...silenced.cut] };
};

const DAY = 86_400_000_000;

export const requests: Route = async ({ query, store }) => {
  const asked = read(
    z.object({
      function: z.string().max(200).optional(),
      since: time.optional(),
      limit: limit(100, 500),
      cursor: z.string().max(500).optional(),
    }),
    query,
  );
  const found = await store.lists.requests({
    since: asked.since ?? Math.max(0, Date.now() * 1000 - 7 * DAY),
    limit: asked.limit,
    ...(asked.function === undefined ? {} : { fn: asked.function }),
    ...(asked.cursor === undefined ? {} : { after: readCursor(asked.cursor) }),
  });
  const outcomes = await inParallel(found.entries, 8, ({ instance, partition }) => store.lists.outcome(instance, partition));
  const unexplained = new Set(await store.gaps.unexplained(found.entries, Date.now() * 1000));
  return {
    requests: found.entries.map((one, i) => {
      const { instance, fn, partition, ...entry } = one;
      const mark = unexplained.has(one) ? { unexplained: true } : {};
      return { ...{ requestId: partition, instanceId: instance, function: fn }, ...entry, ...mark, ...outcomes[i] };
    }),
    ...(found.next === undefined ? {} : { cursor: writeCursor(found.next) }),
    cut: found.next === undefined ? [] : ['requests: older ones; ask again with cursor'],
  };
};

const writeCursor = ({ hour, place }: ListPlace) => Buffer.from(`${hour}|${place}`).toString('base64url');

function readCursor(cursor: string): ListPlace {
  const [hour, place] = Buffer.from(cursor, 'base64url').toString().split('|', 2);
  if (hour && place && /^\d{4}-\d\d-\d\dT\d\d$/.test(hour)) return { hour, place };
  throw new Problem(400, 'Invalid parameter', 'cursor: is not one that an answer gave', 'cursor');
}

export const instance: Route = async ({ path, query, store }) => {
  read(z.object({}), query);
  const id = (path.id ?? '') as InstanceId;
  const [{ items, segments, cut }, init] = await Promise.all([store.lists.instance(id), store.source.shardsOf(id, INIT)]);
  if (items.length === 0 && segments.length === 0) {
    throw new Problem(404, 'No such instance', `no segment of instance ${id} has been stitched`, 'id');
  }
  const requests = new Map<string, { at?: number; end?: number; status?: string; trigger?: string }>();
  for (const item of items) {
    const partition = (item.part?.S ?? '').split('#')[0] as Partition;
    if (!isRequest(partition)) continue;
    const request = requests.get(partition) ?? {};
    if (item.begin !== undefined) Object.assign(request, { at: number(item, 'begin'), trigger: item.trigger?.S });
    if (item.end !== undefined) Object.assign(request, { end: number(item, 'end'), status: item.status?.S });
    requests.set(partition, request);
  }
  const facts = init.flatMap(({ nodes }) => nodes).find((node) => node.id === instanceId(id));
  return {
    ...{ instanceId: id, function: segments[0]?.fn ?? items[0]?.fn?.S },
    ...(facts?.kind === 'instance' ? { version: facts.version, runtime: facts.runtime, initType: facts.initType } : {}),
    requests: [...requests].map(([requestId, known]) => ({ requestId, ...known })).sort((a, b) => (a.at ?? 0) - (b.at ?? 0)),
    segments: segments.map(({ instance: _, ...segment }) => segment),
    missing: missing(segments),
    cut: [
      ...(cut ? ['requests, segments: others of this instance'] : []),
      ...segments.filter(({ linksCut }) => linksCut > 0).map((one) => `index: ${one.linksCut} entries of ${one.segment}`),
    ],
  };
};

export const poison: Route = async ({ query, store }) => {
  const asked = read(z.object({ limit: limit(100, 1000) }), query);
  const segments = await store.lists.poison(asked.limit);
  return { segments, cut: segments.length === asked.limit ? ['segments: perhaps more; raise limit'] : [] };
};
