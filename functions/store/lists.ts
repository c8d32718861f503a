import type { InstanceId } from '../../layers/record/types.ts';
import type { Partition } from '../graph/ids.ts';
import type { RequestEntry } from '../graph/shard.ts';
import { hourOf, type Listed, number, pad, readRequest, readSegment, S, type SeenSegment, text } from './rows.ts';
import { readStats, type Stats } from './stats.ts';
import { type Counts, readCounts } from './sums.ts';
import { type Item, inParallel, type Table } from './table.ts';
import type { Poison } from './write.ts';

/** Lists that are known; the oldest of more are not looked into. 4 an hour. */
export const MAX_LISTS = 9000;
/** Entries looked at for one page; a page of a function that is seldom called may hold fewer than asked for, and say so. */
const MAX_LOOKED_AT = 20_000;
const MAX_SEGMENTS = 5000;
/** Days times functions. */
const MAX_FUNCTION_DAYS = 50_000;
/** Items of one instance that are looked through for its segments. */
const MAX_FILTERED = 50_000;
/** µs around the second that a trace's id names in which its requests begin; later ones are found from these by their hand-overs. */
const BEFORE_TRACE = 60_000_000;
const AFTER_TRACE = 900_000_000;
const MAX_TRACED = 200;

/** Where a page of the list of requests ended. */
export interface ListPlace {
  readonly hour: string;
  readonly place: string;
}

export interface RequestPage {
  readonly entries: readonly RequestEntry[];
  /** Where to go on; absent at the end. */
  readonly next?: ListPlace;
}

export interface SeenFunction {
  readonly name: string;
  readonly firstDay: string;
  readonly lastDay: string;
}

export interface RequestOutcome {
  readonly end?: number;
  readonly status?: string;
}

/** A row of an hour's list. */
export interface ListRow {
  readonly at: number;
  readonly instance: InstanceId;
  readonly fn: string;
  /** When S3 took the segment, µs; only where `at`, which the instance claims, lies far from it. */
  readonly received?: number;
  /** Empty when no request began in the segment. */
  readonly partition: Partition;
  /** Absent when no request began. */
  readonly trigger?: string;
  readonly source?: string;
  /** Of the segment it is from. */
  readonly first: number;
  readonly last: number;
  /** Only on the one row of each segment that has them. */
  readonly counts?: Counts;
}

/** Lists over the store: requests, instances, segments, and sums over them. */
export class Lists {
  readonly #shards: Table;
  readonly #links: Table;

  constructor(shards: Table, links: Table) {
    this.#shards = shards;
    this.#links = links;
  }

  /**
   * Requests, newest first. Reads what the page holds and no more, whatever the number of requests.
   * @param options `after`: where the page before ended. `segments`: also the rows of segments in which none began, with an
   * empty partition
   */
  async requests(options: {
    readonly since: number;
    readonly until?: number;
    readonly after?: ListPlace;
    readonly fn?: string;
    readonly trigger?: string;
    readonly segments?: true;
    readonly limit: number;
  }): Promise<RequestPage> {
    const { after, limit, fn, trigger, until } = options;
    const first = hourOf(options.since);
    const last = until === undefined ? undefined : hourOf(until);
    const lists = await this.names(first, after?.hour ?? last ?? '9');
    const wanted = (item: Item) =>
      (options.segments === true || item.trigger !== undefined) &&
      (fn === undefined || item.fn?.S === fn) &&
      (trigger === undefined || item.trigger?.S === trigger);
    const found: { readonly entry: Listed; readonly hour: string }[] = [];
    const page = (): RequestPage => {
      const last = found.length > limit ? found[limit - 1] : undefined;
      const entries = found.slice(0, limit).map(({ entry: { place: _, ...entry } }) => entry);
      return { entries, ...(last === undefined ? {} : { next: { hour: last.hour, place: last.entry.place } }) };
    };
    let looked = 0;
    for (const hour of [...new Set(lists.map(hourIn))]) {
      // A time that an instance made up is listed under the hour it came in: the bound holds within its own hour only.
      const since = hour === first ? options.since : 0;
      const before = hour === after?.hour ? after.place : hour === last ? `${pad(until ?? 0)}~` : undefined;
      const names = lists.filter((name) => hourIn(name) === hour);
      const parts = await inParallel(names, 4, (name) => this.#requestsOf(name, since, before, limit + 1));
      looked += parts.reduce((sum, { items }) => sum + items.length, 0);
      // Beyond the end of a part that was not read to its end, others may still come before what the other parts have.
      const known = parts.reduce((floor, { end }) => (end !== undefined && end > floor ? end : floor), '');
      const entries = parts.flatMap(({ items }) => items.filter((item) => text(item, 'place') >= known));
      found.push(
        ...entries
          .filter(wanted)
          .map((item) => ({ entry: readRequest(item), hour }))
          .sort((a, b) => (a.entry.place < b.entry.place ? 1 : -1)),
      );
      if (found.length > limit) return page();
      if (known !== '') return { ...page(), next: { hour, place: known } };
      if (looked > MAX_LOOKED_AT) return { ...page(), next: { hour, place: pad(0) } };
    }
    return page();
  }

  /** `end`: place of the last entry that was read, when there are more. */
  async #requestsOf(
    name: string,
    since: number,
    before: string | undefined,
    limit: number,
  ): Promise<{ readonly items: readonly Item[]; readonly end?: string }> {
    if (before !== undefined && before < pad(since)) return { items: [] };
    const { items, cut } = await this.#links.query(
      {
        KeyConditionExpression: '#k = :k AND place BETWEEN :a AND :b',
        ExpressionAttributeNames: { '#k': 'key' },
        ExpressionAttributeValues: { ':k': S(`~requests#${name}`), ':a': S(pad(since)), ':b': S(before ?? '9~') },
        ScanIndexForward: false,
      },
      limit,
    );
    const last = items.at(-1);
    const wanted = items.filter((item) => before === undefined || text(item, 'place') < before);
    return { items: wanted, ...(cut && last !== undefined ? { end: text(last, 'place') } : {}) };
  }

  /** Rows of one hour's list from newest to oldest: every request that began, and one row for each segment. */
  async rowsOf(
    name: string,
    before: string,
    limit: number,
  ): Promise<{ readonly rows: readonly ListRow[]; readonly next?: string }> {
    const { items, end } = await this.#requestsOf(name, 0, before === '' ? undefined : before, limit + 1);
    const rows = items.map((item): ListRow => {
      const [at = '', instance = '', partition = '', range = ''] = text(item, 'place').split('#');
      const [first = 0, last = 0] = range.split('-').map(Number);
      const place = { at: Number(at), instance: instance as InstanceId, partition: partition as Partition, first, last };
      const counts = readCounts(item);
      const trigger = item.trigger?.S === undefined ? {} : { trigger: item.trigger.S };
      const source = item.source?.S === undefined ? {} : { source: item.source.S };
      const received = item.received === undefined ? {} : { received: number(item, 'received') };
      return {
        ...place,
        ...received,
        ...trigger,
        ...source,
        fn: text(item, 'fn'),
        ...(counts === undefined ? {} : { counts }),
      };
    });
    return { rows, ...(end === undefined ? {} : { next: end }) };
  }

  /** End and status of a request, which may have been shipped in a later segment than its begin. */
  async outcome(instance: InstanceId, partition: Partition): Promise<RequestOutcome> {
    const { items } = await this.#shards.query(
      {
        KeyConditionExpression: 'instanceId = :i AND begins_with(part, :p)',
        ExpressionAttributeNames: { '#e': 'end', '#s': 'status' },
        ExpressionAttributeValues: { ':i': S(instance), ':p': S(`${partition}#`) },
        ProjectionExpression: '#e, #s',
      },
      MAX_SEGMENTS,
    );
    const ended = items.find((item) => item.end !== undefined);
    return ended === undefined ? {} : { end: number(ended, 'end'), status: text(ended, 'status') };
  }

  /** Partitions of an instance with what their shards say of them, and its segments in order. */
  async instance(instance: InstanceId): Promise<{
    readonly items: readonly Item[];
    readonly segments: readonly SeenSegment[];
    readonly cut: boolean;
  }> {
    const { items, cut } = await this.#shards.query(
      {
        KeyConditionExpression: 'instanceId = :i',
        ExpressionAttributeNames: { '#b': 'begin', '#e': 'end', '#s': 'status', '#t': 'trigger' },
        ExpressionAttributeValues: { ':i': S(instance) },
        ProjectionExpression: 'instanceId, part, fn, #b, #e, #s, #t, digest, prev, seen, gone',
      },
      MAX_SEGMENTS,
    );
    const segments = items.flatMap((item) => readSegment(item) ?? []).sort((a, b) => a.first - b.first);
    return { items: items.filter((item) => !text(item, 'part').startsWith('~~')), segments, cut };
  }

  /** Segments set aside, by key. @param after key of the last one of the page before */
  async poison(limit: number, after?: string): Promise<readonly Poison[]> {
    const { items } = await this.#links.query(
      {
        KeyConditionExpression: after === undefined ? '#k = :k' : '#k = :k AND place > :a',
        ExpressionAttributeNames: { '#k': 'key' },
        ExpressionAttributeValues: { ':k': S('~poison'), ...(after === undefined ? {} : { ':a': S(after) }) },
      },
      limit,
    );
    return items.map((item) => ({
      ...{ segment: text(item, 'place'), code: text(item, 'code'), reason: text(item, 'reason') },
      ...(item.line === undefined ? {} : { line: number(item, 'line') }),
    }));
  }

  /** Functions by name, with the first and last day (`2026-03-01`) on which each was seen. */
  async functions(): Promise<{ readonly functions: readonly SeenFunction[]; readonly cut: boolean }> {
    const { items, cut } = await this.#links.query(
      {
        KeyConditionExpression: '#k = :k',
        ExpressionAttributeNames: { '#k': 'key' },
        ExpressionAttributeValues: { ':k': S('~functions') },
        ScanIndexForward: false,
      },
      MAX_FUNCTION_DAYS,
    );
    const seen = new Map<string, SeenFunction>();
    for (const item of items) {
      const place = text(item, 'place');
      const [day, name] = [place.slice(0, 10), place.slice(11)];
      seen.set(name, { name, firstDay: day, lastDay: seen.get(name)?.lastDay ?? day });
    }
    return { functions: [...seen.values()].sort((a, b) => (a.name < b.name ? -1 : 1)), cut };
  }

  /** All segments of an instance, however many requests it served. `cut`: not all of its items were looked at. */
  async digests(instance: InstanceId): Promise<{ readonly segments: readonly SeenSegment[]; readonly cut: boolean }> {
    const { items, cut } = await this.#shards.query(
      {
        KeyConditionExpression: 'instanceId = :i',
        FilterExpression: 'attribute_exists(digest)',
        ExpressionAttributeValues: { ':i': S(instance) },
        ProjectionExpression: 'instanceId, part, fn, digest, prev, seen, gone',
      },
      MAX_FILTERED,
      MAX_FILTERED,
    );
    return { segments: items.flatMap((item) => readSegment(item) ?? []), cut };
  }

  /** What is known of a segment, by its first record; undefined when it has not been stitched. */
  async segment(instance: InstanceId, first: number): Promise<SeenSegment | undefined> {
    return (await this.digests(instance)).segments.find((one) => one.first === first);
  }

  /** Counts of everything, from the sums that the stitcher keeps up. */
  async stats(): Promise<Stats> {
    return await readStats(this.#links, this);
  }

  /** Requests of an X-Ray trace; its id says when it began, so the lists of that time are looked through. */
  async traced(root: string, began: number): Promise<{ readonly entries: readonly RequestEntry[]; readonly cut: boolean }> {
    const [since, until] = [Math.max(0, began - BEFORE_TRACE), began + AFTER_TRACE];
    const pages = await inParallel(await this.names(hourOf(since), hourOf(until)), 4, (name) =>
      this.#links.query(
        {
          KeyConditionExpression: '#k = :k AND place BETWEEN :a AND :b',
          FilterExpression: 'contains(trace, :t)',
          ExpressionAttributeNames: { '#k': 'key' },
          ExpressionAttributeValues: { ':k': S(`~requests#${name}`), ':a': S(pad(since)), ':b': S(pad(until)), ':t': S(root) },
        },
        MAX_TRACED,
        MAX_LOOKED_AT,
      ),
    );
    const entries = pages.flatMap(({ items }) => items).map(readRequest);
    return { entries: entries.sort((a, b) => a.at - b.at), cut: pages.some(({ cut }) => cut) };
  }

  /** Names of the lists of a range of hours, newest first: `2026-03-01T10#3`. */
  async names(first: string, last: string): Promise<readonly string[]> {
    const { items } = await this.#links.query(
      {
        KeyConditionExpression: '#k = :k AND place BETWEEN :a AND :b',
        ExpressionAttributeNames: { '#k': 'key' },
        ExpressionAttributeValues: { ':k': S('~hours'), ':a': S(first), ':b': S(`${last}~`) },
        ScanIndexForward: false,
      },
      MAX_LISTS,
    );
    return items.map((item) => text(item, 'place'));
  }

  /** Names of lists of hours before this one to which segments were added in this hour or later. */
  async lateNames(first: string): Promise<{ readonly names: readonly string[]; readonly cut: boolean }> {
    const { items, cut } = await this.#links.query(
      {
        KeyConditionExpression: '#k = :k AND place > :a',
        ExpressionAttributeNames: { '#k': 'key' },
        ExpressionAttributeValues: { ':k': S('~late'), ':a': S(first) },
        ScanIndexForward: false,
      },
      MAX_LISTS,
    );
    const names = items.map((item) => text(item, 'place').slice('2026-03-01T10#'.length));
    return { names: [...new Set(names)].filter((name) => hourIn(name) < first), cut };
  }
}

const hourIn = (name: string) => name.split('#')[0] ?? '';
