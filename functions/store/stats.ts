/** `/v1/stats`: sums that the stitcher keeps up; what it could not keep up exactly is counted anew, within bounds. */
import type { InstanceId } from '../../layers/record/types.ts';
import { missing } from './chain.ts';
import type { Lists } from './lists.ts';
import { number, S, text } from './rows.ts';
import { COUNTS, type Counts, NOTHING, plus, readCounts } from './sums.ts';
import { type Item, inParallel, type Table } from './table.ts';

/** Days whose sums are read. */
const MAX_SUMS = 5000;
/** Rows of segments read to count days anew, newest first; lanes that read at the same time may together read somewhat more. */
const MAX_RECOUNTED = 20_000;
/** Segments, of the newest instances, that are looked at for holes between them. */
const MAX_CHECKED = 1000;
/** Instances looked at together. */
const TOGETHER = 8;

export interface Stats extends Counts {
  readonly functions: number;
  readonly poison: number;
  readonly cut: readonly string[];
}

export async function readStats(links: Table, lists: Lists): Promise<Stats> {
  const all = (key: string, limit: number) => rowsOf(links, key, limit);
  const [sums, functions, poison, newest] = await Promise.all([
    all('~sums', MAX_SUMS),
    lists.functions(),
    all('~poison', 1000),
    newestInstances(links),
  ]);
  const cut: string[] = [];
  let total = NOTHING;
  const budget = { rows: MAX_RECOUNTED };
  for (const row of sums.items) {
    const day = text(row, 'place');
    const counted = number(row, 'doubt') > 0 ? await recount(links, lists, day, budget) : undefined;
    if (counted === 'too-many') {
      cut.push(`counts of ${day}: ${number(row, 'doubt')} segments may not be counted, or twice; too many to count them anew`);
    }
    const own = Object.fromEntries(COUNTS.map((name) => [name, number(row, name)])) as Counts;
    total = plus(total, counted === undefined || counted === 'too-many' ? own : counted);
  }
  if (sums.cut) cut.push(`counts: only the newest ${MAX_SUMS} sums`);
  if (functions.cut) cut.push('functions: those seen only long ago are not counted');
  if (poison.cut) cut.push(`poison: more than the ${poison.items.length} counted`);
  if (total.linksCut > 0) cut.push(`index: ${total.linksCut} entries of floods were left out; their instances say of which`);
  const holes = await holesOf(newest, lists);
  if (holes.looked < total.instances) {
    cut.push(`gaps: holes between segments were looked for in the newest ${holes.looked} of ${total.instances} instances`);
  }
  return {
    ...total,
    gaps: total.gaps + holes.found,
    functions: functions.functions.length,
    poison: poison.items.length,
    cut,
  };
}

/** Exact, from the rows of the day's lists. @param budget what all days together may read; a day that finds it spent is left */
async function recount(links: Table, lists: Lists, day: string, budget: { rows: number }): Promise<Counts | 'too-many'> {
  const parts = await inParallel(await lists.names(`${day}T00`, `${day}T23`), 8, async (name) => {
    if (budget.rows <= 0) return undefined;
    const { items, cut } = await rowsOf(links, `~requests#${name}`, budget.rows);
    budget.rows -= items.length;
    return cut ? undefined : items.reduce((sum, item) => plus(sum, readCounts(item) ?? NOTHING), NOTHING);
  });
  if (parts.includes(undefined)) return 'too-many';
  return parts.reduce<Counts>((sum, part) => plus(sum, part ?? NOTHING), NOTHING);
}

/** In the order in which they were last seen, as far as the newest lists tell. */
async function newestInstances(links: Table): Promise<readonly InstanceId[]> {
  const { items: hours } = await rowsOf(links, '~hours', 16);
  const found: { readonly at: string; readonly instance: InstanceId }[] = [];
  for (const hour of hours) {
    const { items } = await rowsOf(links, `~requests#${text(hour, 'place')}`, MAX_CHECKED);
    for (const item of items) {
      const [at = '', instance = ''] = text(item, 'place').split('#');
      found.push({ at, instance: instance as InstanceId });
    }
    if (found.length > MAX_CHECKED) break;
  }
  return [...new Set(found.sort((a, b) => (a.at < b.at ? 1 : -1)).map(({ instance }) => instance))];
}

async function holesOf(newest: readonly InstanceId[], lists: Lists): Promise<{ found: number; looked: number }> {
  let segments = 0;
  let found = 0;
  let looked = 0;
  for (let i = 0; i < newest.length && segments < MAX_CHECKED; i += TOGETHER) {
    for (const seen of await Promise.all(newest.slice(i, i + TOGETHER).map((id) => lists.instance(id)))) {
      segments += seen.segments.length;
      if (seen.cut) continue;
      looked++;
      found += missing(seen.segments).length;
    }
  }
  return { found, looked };
}

async function rowsOf(
  links: Table,
  key: string,
  limit: number,
): Promise<{ readonly items: readonly Item[]; readonly cut: boolean }> {
  return await links.query(
    {
      KeyConditionExpression: '#k = :k',
      ExpressionAttributeNames: { '#k': 'key' },
      ExpressionAttributeValues: { ':k': S(key) },
      ScanIndexForward: false,
    },
    limit,
  );
}
