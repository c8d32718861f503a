import { z } from 'zod';
import type { Store } from '../store/connect.ts';
import { GAP_KINDS, type GapKind } from '../store/gap.ts';
import type { GapPlace } from '../store/gaps.ts';
import { LONGEST_CURSOR, LONGEST_PLACE, readCursor, writeCursor } from './cursor.ts';
import { nothing } from './instances.ts';
import { limit, read, time } from './parameters.ts';
import type { Route } from './routes.ts';

const DAY = 86_400_000_000;
const SECOND = 1_000_000;
/** A segment is shipped when its request ends, at the latest after 15 minutes; most take seconds to be stitched. */
const GRACE = 600;
/** Pages that `/v1/stats` looks through. */
const STATS_PAGES = 2;

const now = () => Date.now() * 1000;

export const gapsQuery = z.object({
  function: z.string().max(200).optional(),
  kind: z.enum(GAP_KINDS).optional(),
  since: time.optional(),
  grace: z.coerce.number().int().min(0).max(86_400).default(GRACE),
  limit: limit(100, 500),
  cursor: z.string().max(LONGEST_CURSOR).optional(),
});
const gapPlace = z.tuple([
  z
    .string()
    .max(LONGEST_PLACE)
    .regex(/^\d{4}-\d\d-\d\dT\d\d#[aifgwlv]#/),
  z.string().max(LONGEST_PLACE),
]);
export const changesQuery = z.object({ since: time.optional(), limit: limit(100, 500) });

/** What is missing from the record, and invocations that only another witness saw. */
export const gaps: Route = async ({ query, store }) => {
  const asked = read(gapsQuery, query);
  const page = await store.gaps.page({
    ...{ since: asked.since ?? Math.max(0, now() - 7 * DAY), now: now(), grace: asked.grace * SECOND, limit: asked.limit },
    kinds: new Set(asked.kind === undefined ? GAP_KINDS : [asked.kind]),
    ...(asked.function === undefined ? {} : { fn: asked.function }),
    ...(asked.cursor === undefined ? {} : { after: placeIn(asked.cursor) }),
  });
  return {
    gaps: page.gaps,
    ...(page.next === undefined ? {} : { cursor: writeCursor([page.next.list, page.next.place]) }),
    cut: [...page.cut, ...(page.next === undefined ? [] : ['gaps: not all was looked through; ask again with cursor'])],
  };
};

/** Who changed functions, from where and when, as CloudTrail has it. */
export const changes: Route = async ({ query, store }) => {
  const asked = read(changesQuery, query);
  const found = await store.witnesses.changes(asked.since ?? Math.max(0, now() - 7 * DAY), asked.limit);
  return {
    changes: found.changes.map(({ at, id, facts }) => ({ at, id, ...facts })),
    cut: found.cut ? ['changes: older ones; raise limit'] : [],
  };
};

/** Functions of the account as the inventory last saw them. */
export const inventory: Route = async ({ query, store }) => {
  read(nothing, query);
  const [found, look] = await Promise.all([store.inventory.functions(now()), store.inventory.look()]);
  return {
    functions: [...found.functions.values()],
    ...(look === undefined ? {} : { seen: look.seen }),
    cut: [...(found.cut ? ['functions: others, that are not listed'] : []), ...(look?.unread ?? [])],
  };
};

/** Silenced invocations of the last 24 hours. */
export async function silencedOfDay(store: Store): Promise<{ readonly count: number; readonly cut: readonly string[] }> {
  const asked = { since: now() - DAY, now: now(), grace: GRACE * SECOND, kinds: new Set<GapKind>(['silenced']), limit: 1000 };
  let count = 0;
  let after: GapPlace | undefined;
  for (let page = 0; page < STATS_PAGES; page++) {
    const { gaps: found, next, cut } = await store.gaps.page({ ...asked, ...(after === undefined ? {} : { after }) });
    count += found.length;
    after = next;
    if (next === undefined) return { count, cut };
  }
  return { count, cut: ['silenced: not all of the last 24 hours was looked through; /v1/gaps?kind=silenced does'] };
}

function placeIn(cursor: string): GapPlace {
  const [list, place] = readCursor(cursor, gapPlace);
  return { list, place };
}
