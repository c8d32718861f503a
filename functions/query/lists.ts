import { z } from 'zod';
import type { RequestEntry } from '../graph/shard.ts';
import { inParallel } from '../store/table.ts';
import { witnessLosses } from '../store/witness-losses.ts';
import { readCursor, readPlace, writeCursor, writePlace } from './cursor.ts';
import { silencedOfDay } from './gaps.ts';
import { nothing } from './instances.ts';
import { limit, read, time } from './parameters.ts';
import type { Route } from './routes.ts';

export const stats: Route = async ({ query, store }) => {
  read(nothing, query);
  const now = Date.now() * 1000;
  const [counts, silenced, losses] = await Promise.all([
    store.lists.stats(),
    silencedOfDay(store),
    witnessLosses(store.witnesses, store.deadLetters, 0, now),
  ]);
  const testimonyLost = losses.reduce((sum, { lost }) => sum + lost, 0);
  return { ...counts, silenced: silenced.count, testimonyLost, cut: [...counts.cut, ...silenced.cut] };
};

const DAY = 86_400_000_000;
const cursor = z.string().max(1000).optional();

export const functionsQuery = z.object({ limit: limit(200, 1000), cursor });
const named = z.object({ n: z.string().max(300) });

export const functions: Route = async ({ query, store }) => {
  const asked = read(functionsQuery, query);
  const after = asked.cursor === undefined ? '' : readCursor(asked.cursor, named).n;
  const found = await store.lists.functions();
  const left = found.functions.filter(({ name }) => name > after);
  const page = left.slice(0, asked.limit);
  const last = page.at(-1)?.name;
  const next = left.length > page.length && last !== undefined ? writeCursor({ n: last }) : undefined;
  return {
    functions: page.map(({ name, ...days }) => ({ function: name, ...days })),
    ...(next === undefined ? {} : { cursor: next }),
    cut: [
      ...(next === undefined ? [] : ['functions: later ones by name; ask again with cursor']),
      ...(found.cut ? ['functions: those seen only long ago'] : []),
    ],
  };
};

export const requestsQuery = z.object({
  ...{ function: z.string().max(200).optional(), since: time.optional(), until: time.optional() },
  trigger: z.string().max(40).optional(),
  status: z.enum(['ok', 'error', 'init-error', 'timeout', 'crash', 'unknown']).optional(),
  ...{ limit: limit(100, 500), cursor },
});
/** Requests looked at for one page of those with a certain status. */
const MAX_STATUS = 2000;

export const requests: Route = async ({ query, store }) => {
  const asked = read(requestsQuery, query);
  const found: object[] = [];
  let after = asked.cursor === undefined ? undefined : readPlace(asked.cursor);
  let looked = 0;
  do {
    const page = await store.lists.requests({
      since: asked.since ?? Math.max(0, Date.now() * 1000 - 7 * DAY),
      limit: asked.limit - found.length,
      ...(asked.until === undefined ? {} : { until: asked.until }),
      ...(asked.function === undefined ? {} : { fn: asked.function }),
      ...(asked.trigger === undefined ? {} : { trigger: asked.trigger }),
      ...(after === undefined ? {} : { after }),
    });
    const outcomes = await inParallel(page.entries, 8, ({ instance, partition }) => store.lists.outcome(instance, partition));
    const unexplained = new Set<RequestEntry>(await store.gaps.unexplained(page.entries, Date.now() * 1000));
    for (const [i, entry] of page.entries.entries()) {
      // Without an end it is unknown: under way, or its instance died.
      if (asked.status === undefined || (outcomes[i]?.status ?? 'unknown') === asked.status) {
        found.push({ ...presentEntry(entry), ...(unexplained.has(entry) ? { unexplained: true } : {}), ...outcomes[i] });
      }
    }
    looked += page.entries.length;
    after = page.next;
  } while (asked.status !== undefined && after !== undefined && found.length < asked.limit && looked < MAX_STATUS);
  const next = after === undefined ? undefined : writePlace(after);
  return {
    requests: found,
    ...(next === undefined ? {} : { cursor: next }),
    cut: next === undefined ? [] : ['requests: older ones; ask again with cursor'],
  };
};

const presentEntry = ({ instance, fn, partition, ...entry }: RequestEntry) => ({
  ...{ requestId: partition, instanceId: instance, function: fn },
  ...entry,
});

export const poisonQuery = z.object({ limit: limit(100, 1000), cursor });
const segment = z.object({ s: z.string().max(1000) });

export const poison: Route = async ({ query, store }) => {
  const asked = read(poisonQuery, query);
  const after = asked.cursor === undefined ? undefined : readCursor(asked.cursor, segment).s;
  const found = await store.lists.poison(asked.limit + 1, after);
  const segments = found.slice(0, asked.limit);
  const last = segments.at(-1)?.segment;
  const next = found.length > segments.length && last !== undefined ? writeCursor({ s: last }) : undefined;
  return {
    segments,
    ...(next === undefined ? {} : { cursor: next }),
    cut: next === undefined ? [] : ['segments: later ones by key; ask again with cursor'],
  };
};
