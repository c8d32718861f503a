/**
 * Which shared resources (queues, tables, buckets, buses, functions) a segment touched: told in its row in the list of requests,
 * which is written anyway, instead of in a row for each. A row under the resource's own key names the minute's list to look in;
 * it is the same for all segments of that minute, so a stitcher writes it once.
 */
import type { LinkKey, NodeId, Partition } from '../graph/ids.ts';
import type { Link } from '../graph/shard.ts';
import type { LinkRange } from '../graph/source.ts';
import { bucketPlace, isSpread, pad, S, segmentIn, text } from './rows.ts';
import { type Item, inParallel, type Table } from './table.ts';

/** In one row; what a segment touches beyond it has rows of its own. 60 bytes each, so that most rows stay below 1 KB. */
const MOST = 32;
/** µs from the time under which the row is listed in which a touch may lie: a request runs for 15 minutes at the most. */
const BEFORE = 60_000_000;
const AFTER = 900_000_000;
const MINUTE = 60_000_000;
/** Rows of one minute's list that are looked at. */
const LOOKED_AT = 10_000;
/** Rows that are looked at for one question, to the next four minutes: in a busy account many tell nothing of the resource. */
const LOOKED_AT_IN_ALL = 5 * LOOKED_AT;
/** Minutes looked into together, after which it is seen whether that was enough. */
const TOGETHER = 4;
/** Where these had no more rows than this in all, more of them are asked for at once: twice as many each time, up to so many times. */
const FEW_ROWS = 400;
const MOST_AT_ONCE = 4;

/** Where a segment's row stands in the list of requests. */
export interface Head {
  readonly at: number;
  /** Name of the hour's list. */
  readonly list: string;
  readonly partition: Partition | undefined;
}

/** Links told in the row, and those that need rows of their own. */
export function splitTouches(
  links: readonly Link[],
  { at, list }: Head,
): { touches: readonly Link[]; others: readonly Link[] } {
  const touches: Link[] = [];
  const others: Link[] = [];
  // A row whose time was not believed is listed elsewhere.
  const listed = list.startsWith(iso(at, 13));
  for (const link of links) (listed && touches.length < MOST && isTouch(link, at) ? touches : others).push(link);
  return { touches, others };
}

/** All that a reader needs to make the link again must follow from its key. */
const isTouch = ({ key, node, label, sure, t }: Link, at: number) =>
  isSpread(key) &&
  key === (node as string) &&
  key === `resource:${label}` &&
  sure === 'exact' &&
  t >= at - BEFORE &&
  t <= at + AFTER;

/** Attribute of the row: a line for each, `resource direction time partition seq`, where time counts from the row's own. */
export function writeTouches(touches: readonly Link[], { at, partition }: Head): Item {
  if (touches.length === 0) return {};
  const lines = touches.map((one) => {
    const place = one.partition === partition ? '' : one.partition;
    return `${one.label}\t${one.direction}\t${one.t - at}\t${place}\t${one.evidence.seq}\n`;
  });
  return { touches: S(`\n${lines.join('')}`) };
}

/** Rows that tell in which lists to look. */
export function touchedIn(touches: readonly Link[], { at, list }: Head): readonly Item[] {
  return touches.map(({ key }) => ({ key: S(key), place: S(bucketPlace(`${iso(at, 16)}#${list.slice(14)}`)) }));
}

function readTouches(item: Item, key: LinkKey): Link[] {
  const [time = '', instance = '', own = '', range = ''] = text(item, 'place').split('#');
  const fn = text(item, 'fn');
  const [first = '', last = ''] = range.split('-');
  const segment = segmentIn(fn, instance, `${first.padStart(12, '0')}-${last.padStart(12, '0')}`);
  return text(item, 'touches')
    .split('\n')
    .flatMap((line): Link[] => {
      const [label = '', direction, t, partition, seq] = line.split('\t');
      if (`resource:${label}` !== key) return [];
      return [
        {
          ...{ key, direction: direction as Link['direction'], t: Number(time) + Number(t), fn },
          ...{ instance: instance as Link['instance'], partition: (partition || own) as Partition },
          ...{ node: key as string as NodeId, kind: 'resource', label, sure: 'exact', evidence: { segment, seq: Number(seq) } },
        },
      ];
    });
}

/** Names of the minutes in which touches of this range can be told, as text that sorts like them. */
export function minutesOf({ after = 0, before }: LinkRange): { readonly from: string; readonly to: string } {
  const from = iso(Math.max(0, after - AFTER - MINUTE), 16);
  return { from, to: before === undefined ? '9' : `${iso(before + BEFORE, 16)}~` };
}

/**
 * Touches of a resource, in the order of the minutes; more than asked for where a minute has more.
 * @param minutes `2026-03-01T10:05#3`, in the order of the range
 */
export async function touchesUnder(
  table: Table,
  key: LinkKey,
  minutes: readonly string[],
  range: LinkRange,
): Promise<{ readonly links: readonly Link[]; readonly cut: boolean }> {
  const { after = 0, before = Number.MAX_SAFE_INTEGER, limit } = range;
  const found: Link[] = [];
  let cut = false;
  let looked = 0;
  let atOnce = 1;
  let pages: readonly Page[] = [];
  for (let i = 0; i < minutes.length; i += TOGETHER) {
    if (found.length > limit || looked > LOOKED_AT_IN_ALL) return { links: found, cut: true };
    if (pages.length === 0)
      pages = await inParallel(minutes.slice(i, i + TOGETHER * atOnce), TOGETHER * atOnce, (minute) =>
        within(table, key, minute, range),
      );
    const rowsBefore = looked;
    for (const { items, cut: more, looked: rows } of pages.slice(0, TOGETHER)) {
      cut ||= more;
      looked += rows;
      for (const item of items) found.push(...readTouches(item, key).filter(({ t }) => t >= after && t <= before));
    }
    pages = pages.slice(TOGETHER);
    if (pages.length === 0) atOnce = looked - rowsBefore > FEW_ROWS ? 1 : Math.min(MOST_AT_ONCE, atOnce * 2);
  }
  return { links: found, cut };
}

type Page = Awaited<ReturnType<Table['query']>>;

/** Rows of one minute's list that tell of a resource. */
async function within(table: Table, key: LinkKey, minute: string, { order, limit }: LinkRange): Promise<Page> {
  const [time = '', spread = ''] = minute.split('#');
  const begin = Date.parse(`${time}Z`) * 1000;
  return await table.query(
    {
      KeyConditionExpression: '#k = :k AND place BETWEEN :a AND :b',
      FilterExpression: 'contains(touches, :t)',
      ExpressionAttributeNames: { '#k': 'key' },
      ExpressionAttributeValues: {
        ':k': S(`~requests#${time.slice(0, 13)}#${spread}`),
        ':a': S(pad(begin)),
        ':b': S(pad(begin + MINUTE)),
        ':t': S(`\n${key.slice('resource:'.length)}\t`),
      },
      ScanIndexForward: order === 'oldest',
    },
    limit,
    LOOKED_AT,
  );
}

const iso = (time: number, length: number) => new Date(time / 1000).toISOString().slice(0, length);
