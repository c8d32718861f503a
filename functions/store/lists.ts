import type { InstanceId } from '../../layers/record/types.ts';
import type { Partition } from '../graph/ids.ts';
import type { RequestEntry } from '../graph/shard.ts';
import { hourOf, number, pad, readRequest, readSegment, S, type SeenSegment, text } from './rows.ts';
import { type Item, inParallel, type Table } from './table.ts';
import type { Poison } from './write.ts';

/** Lists read whole hours; this many at the most in one answer. */
const MAX_HOURS = 2000;
const MAX_INSTANCES = 5000;
const MAX_SEGMENTS = 5000;

/** Where a page of the list of requests ended. */
export interface ListPlace {
  readonly hour: string;
  readonly place: string;
}

export interface RequestOutcome {
  readonly end?: number;
  readonly status?: string;
}

export interface Missing {
  readonly kind: 'records' | 'chain';
  /** First seq that is not there, or of the segment that does not follow on the one before. */
  readonly from: number;
  readonly to: number;
}

export interface Stats {
  readonly requests: number;
  readonly records: number;
  readonly segments: number;
  readonly gaps: number;
  readonly instances: number;
  readonly functions: number;
  readonly poison: number;
  readonly cut: readonly string[];
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
   * Requests, newest first.
   * @param options `after`: where the page before ended
   */
  async requests(options: {
    readonly since: number;
    readonly after?: ListPlace;
    readonly fn?: string;
    readonly limit: number;
  }): Promise<{ readonly entries: readonly RequestEntry[]; readonly next?: ListPlace }> {
    const hours = await this.#hours();
    const { after, limit } = options;
    const found: { readonly entry: RequestEntry; readonly at: ListPlace }[] = [];
    const first = hourOf(options.since);
    for (const hour of [...new Set(hours.map((name) => name.split('#')[0] ?? ''))].sort().reverse()) {
      if (hour < first || (after !== undefined && hour > after.hour) || found.length > limit) continue;
      const parts = hours.filter((name) => name.startsWith(`${hour}#`));
      // A time that an instance made up is listed under the hour it came in: the bound holds within its own hour only.
      const since = hour === first ? options.since : 0;
      const before = hour === after?.hour ? after.place : undefined;
      const entries = (await inParallel(parts, 4, (name) => this.#requestsOf(name, since, before))).flat();
      found.push(
        ...entries
          .filter((entry) => options.fn === undefined || entry.fn === options.fn)
          .map((entry) => ({ entry, at: { hour, place: placeOf(entry) } }))
          .sort((a, b) => (a.at.place < b.at.place ? 1 : -1)),
      );
    }
    const last = found.length > limit ? found[limit - 1] : undefined;
    return { entries: found.slice(0, limit).map(({ entry }) => entry), ...(last === undefined ? {} : { next: last.at }) };
  }

  async #requestsOf(name: string, since: number, before: string | undefined): Promise<readonly RequestEntry[]> {
    const { items } = await this.#links.query(
      {
        KeyConditionExpression: '#k = :k AND place BETWEEN :a AND :b',
        ExpressionAttributeNames: { '#k': 'key' },
        ExpressionAttributeValues: { ':k': S(`~requests#${name}`), ':a': S(pad(since)), ':b': S(before ?? '9~') },
        ScanIndexForward: false,
      },
      MAX_INSTANCES,
    );
    return items.map(readRequest).filter((entry) => before === undefined || placeOf(entry) < before);
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

  /** Partitions of an instance with what their shards say of them, in order of their segments. */
  async partitions(instance: InstanceId): Promise<{ readonly items: readonly Item[]; readonly cut: boolean }> {
    return await this.#shards.query(
      {
        KeyConditionExpression: 'instanceId = :i AND part < :s',
        ExpressionAttributeNames: { '#b': 'begin', '#e': 'end', '#s': 'status', '#t': 'trigger' },
        ExpressionAttributeValues: { ':i': S(instance), ':s': S('~~segment#') },
        ProjectionExpression: 'part, fn, #b, #e, #s, #t',
      },
      MAX_SEGMENTS,
    );
  }

  async segments(instance: InstanceId): Promise<{ readonly segments: readonly SeenSegment[]; readonly cut: boolean }> {
    const { items, cut } = await this.#shards.query(
      {
        KeyConditionExpression: 'instanceId = :i AND begins_with(part, :s)',
        ExpressionAttributeValues: { ':i': S(instance), ':s': S('~~segment#') },
      },
      MAX_SEGMENTS,
    );
    return { segments: items.map(readSegment), cut };
  }

  async poison(limit: number): Promise<readonly Poison[]> {
    const { items } = await this.#links.query(
      {
        KeyConditionExpression: '#k = :k',
        ExpressionAttributeNames: { '#k': 'key' },
        ExpressionAttributeValues: { ':k': S('~poison') },
      },
      limit,
    );
    return items.map((item) => ({
      ...{ segment: text(item, 'place'), code: text(item, 'code'), reason: text(item, 'reason') },
      ...(item.line === undefined ? {} : { line: number(item, 'line') }),
    }));
  }

  /** Sums over all segments seen. Grows with their number. */
  async stats(): Promise<Stats> {
    const cut: string[] = [];
    const hours = await this.#hours();
    if (hours.length === MAX_HOURS) cut.push(`hours: only the newest ${MAX_HOURS} lists`);
    const instances = new Map<InstanceId, string>();
    const lists = await inParallel(hours, 8, (name) => this.#all(`~instances#${name}`));
    for (const item of lists.flat()) instances.set(text(item, 'place') as InstanceId, text(item, 'fn'));
    const ids = [...instances.keys()].slice(0, MAX_INSTANCES);
    if (ids.length < instances.size) cut.push(`instances: only ${MAX_INSTANCES} of ${instances.size}`);
    const seen = await inParallel(ids, 8, (id) => this.segments(id));
    if (seen.some((one) => one.cut)) cut.push(`segments: only ${MAX_SEGMENTS} of some instances`);
    const segments = seen.flatMap((one) => one.segments);
    const sum = (of: (segment: SeenSegment) => number) => segments.reduce((total, one) => total + of(one), 0);
    return {
      requests: sum(({ requests }) => requests),
      records: sum(({ first, last }) => last - first + 1),
      segments: segments.length,
      gaps: sum(({ gaps }) => gaps) + seen.reduce((total, one) => total + missing(one.segments).length, 0),
      instances: instances.size,
      functions: new Set(instances.values()).size,
      poison: (await this.poison(1000)).length,
      cut,
    };
  }

  /** Newest lists first. */
  async #hours(): Promise<readonly string[]> {
    return (await this.#all('~hours', MAX_HOURS)).map((item) => text(item, 'place'));
  }

  async #all(key: string, limit = MAX_INSTANCES): Promise<readonly Item[]> {
    const { items } = await this.#links.query(
      {
        KeyConditionExpression: '#k = :k',
        ExpressionAttributeNames: { '#k': 'key' },
        ExpressionAttributeValues: { ':k': S(key) },
        ScanIndexForward: false,
      },
      limit,
    );
    return items;
  }
}

const placeOf = ({ at, instance, partition }: RequestEntry) => `${pad(at)}#${instance}#${partition}`;

/** Holes in the numbering and breaks of the hash chain between an instance's segments: what was lost, or taken away. */
export function missing(segments: readonly SeenSegment[]): readonly Missing[] {
  const found: Missing[] = [];
  let next = 0;
  let digest: string | null = null;
  for (const segment of [...segments].sort((a, b) => a.first - b.first)) {
    if (segment.first > next) found.push({ kind: 'records', from: next, to: segment.first - 1 });
    else if (segment.prev !== digest) found.push({ kind: 'chain', from: segment.first, to: segment.last });
    next = Math.max(next, segment.last + 1);
    digest = segment.digest;
  }
  return found;
}
