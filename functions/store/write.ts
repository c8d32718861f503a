import { isRequest } from '../graph/ids.ts';
import { isPlain } from '../graph/plain.ts';
import type { Built, Shard } from '../graph/shard.ts';
import { baselineItems } from './baselines.ts';
import { encodeShard } from './encode.ts';
import type { Objects } from './objects.ts';
import {
  bucketOf,
  bucketPlace,
  dayOf,
  emptyPart,
  expiresAfter,
  hourOf,
  isOdd,
  isSpread,
  lateItem,
  linkItem,
  listHour,
  listKey,
  listName,
  listPlace,
  N,
  receivedField,
  requestItem,
  S,
  segmentFields,
  shardPart,
} from './rows.ts';
import { spillPrefix } from './schema.ts';
import { type Counts, countsOf, isNothing, NOTHING, plus, readCounts, sumsPlace, writeCounts } from './sums.ts';
import type { Item, Table } from './table.ts';
import { type Head, splitTouches, touchedIn, writeTouches } from './touches.ts';

/** Items of more than 400 KB are refused; keys, summary and rounding need some room. */
const SPILL_BYTES = 350_000;

/** Code of a segment whose last attempt may have got anywhere. */
export const GAVE_UP = 'gave-up';

export interface Poison {
  readonly segment: string;
  readonly code: string;
  readonly reason: string;
  readonly line?: number;
}

export interface Written {
  /** Whether it was there before. */
  readonly known: boolean;
  /** Whose sums count it. */
  readonly day: string;
  /** Shards that were too large for a table item. */
  readonly spills: number;
}

/** What the stitcher needs of the store. */
export interface GraphWriter {
  /**
   * Adds what one segment says. The same segment again changes nothing; the order of segments does not matter.
   * @param again whether somebody may have got as far as writing all of it before, without counting it
   * @param restitching what is kept for a shorter time is kept from now on: counted from `received` it may be over
   */
  put(built: Built, digest: string, received: number, again?: boolean, restitching?: boolean): Promise<Written>;
  /** Counts what was put since the last call. Until then a segment is there, but not in the sums. */
  settle(): Promise<void>;
  /** From now on nothing is taken to be in the tables already: somebody may have emptied them. */
  forget(): void;
  /** Sets a segment aside that will never be readable. */
  putPoison(poison: Poison, received: number): Promise<void>;
  /**
   * A segment that was set aside or given up on is in the tables after all.
   * @param counted the day whose sums ought to have it already: whoever gave up on it may have died before it counted
   */
  clearPoison(segment: string, counted?: string): Promise<void>;
}

const poisonKey = (segment: string) => ({ key: S('~poison'), place: S(segment.slice(0, 900)) });

export interface WriterOptions {
  readonly shards: Table;
  readonly links: Table;
  readonly objects: Objects;
  readonly retentionDays: number;
  /** How long the index has entries of requests that did nothing but call services of AWS; at most `retentionDays`. */
  readonly benignRetentionDays?: number;
}

/** Catalogue rows already written by this process; they never change, so writing them again would only cost. */
const REMEMBERED = 20_000;

interface Owed {
  counts: Counts;
  /** Segments that may or may not be in the sums: whoever asks has to count them. */
  doubt: number;
}

export class DynamoWriter implements GraphWriter {
  readonly #options: WriterOptions;
  readonly #written = new Set<string>();
  #owed = new Map<string, Owed>();

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  async put(built: Built, digest: string, received: number, again = false, restitching = false): Promise<Written> {
    const { shards, links } = this.#options;
    const { segment } = built;
    const expires = this.#expires(received);
    const { benignRetentionDays } = this.#options;
    const from = restitching ? Date.now() * 1000 : received;
    const benign = benignRetentionDays !== undefined && isPlain(built);
    const sooner = benign ? Math.min(expires, expiresAfter(from, benignRetentionDays)) : expires;
    const told = segmentFields({ ...segment, digest });
    const shardItems = await Promise.all(built.shards.map((shard, i) => this.#shardItem(shard, i === 0 ? told : {}, expires)));
    if (built.shards.length === 0)
      shardItems.push({ ...place(segment.instance, emptyPart(segment)), fn: S(segment.fn), ...told, expires: N(expires) });
    const catalogue = new Map<string, Item>();
    const note = (item: Item) => catalogue.set(`${item.key?.S}\n${item.place?.S}`, item);
    const hour = listHour(built.requests[0]?.at ?? segment.from, received);
    const head: Head = {
      at: built.requests[0]?.at ?? segment.from,
      list: listName(hour, segment.instance),
      partition: built.requests[0]?.partition,
    };
    const { touches, others: rows } = splitTouches(built.links, head);
    for (const item of touchedIn(touches, head)) note({ ...item, ...this.#dayExpires(hour.slice(0, 10)) });
    const linkItems = rows.map((link) => {
      const bucket = isSpread(link.key) ? bucketOf(link.t, received) : undefined;
      if (bucket !== undefined) note({ key: S(link.key), place: S(bucketPlace(bucket)), ...this.#dayExpires(bucket) });
      // By its id a request is found for as long as witnesses may ask for it.
      return linkItem(link, bucket, link.key.startsWith('join:lambda:') && link.direction === 'in' ? expires : sooner);
    });
    const listed = built.requests.map((entry) => {
      const own = listHour(entry.at, received);
      this.#noteHour(note, own, built, entry.at, received);
      return requestItem(entry, own, segment, received, expires);
    });
    const others = listed.slice(1).filter(({ place: at }) => at?.S !== listed[0]?.place?.S);
    const members: Item[] = [];
    if (built.baseline.length > 0) {
      const { set, member } = baselineItems(segment, built.baseline);
      await this.#keepSet({ ...set, ...this.#dayExpires(dayOf(received)) });
      members.push({ ...member, expires: N(expires) });
    }
    this.#noteHour(note, hour, built, head.at, received);
    const unseen = [...catalogue].filter(([key]) => !this.#written.has(key));
    // Shards before links: whoever follows a link must find what it leads to.
    await shards.putAll(shardItems);
    await links.putAll(distinct([...linkItems, ...others, ...members, ...unseen.map(([, item]) => item)]));
    if (this.#written.size > REMEMBERED) this.#written.clear();
    for (const [key] of unseen) this.#written.add(key);
    // The row that counts is written last: it says that all is there.
    const empty = {
      key: S(listKey(hour, segment.instance)),
      place: S(listPlace(segment.from, segment.instance, undefined, segment)),
    };
    const odd = receivedField(segment.from, received);
    const row = listed[0] ?? { ...empty, ...odd, fn: S(segment.fn), expires: N(expires) };
    const counts = countsOf(segment);
    const before = await links.replace({ ...row, ...writeCounts(counts), ...writeTouches(touches, head) });
    const known = readCounts(before);
    const day = sumsPlace(hour);
    this.#owe(day, plus(counts, known ?? NOTHING, -1), again && known !== undefined ? 1 : 0);
    return { known: known !== undefined, day, spills: shardItems.filter(({ spill }) => spill !== undefined).length };
  }

  async settle(): Promise<void> {
    const owed = this.#owed;
    this.#owed = new Map();
    for (const [where, { counts, doubt }] of owed) {
      if (isNothing(counts) && doubt === 0) continue;
      const key = { key: S('~sums'), place: S(where) };
      const expiry = this.#dayExpires(where);
      const once = await this.#options.links.add(key, { ...counts, doubt }, expiry);
      if (!once) await this.#options.links.add(key, { doubt: 1 }, expiry);
    }
  }

  forget(): void {
    this.#written.clear();
  }

  async putPoison({ segment, code, reason, line }: Poison, received: number): Promise<void> {
    const item = { ...poisonKey(segment), code: S(code), reason: S(reason.slice(0, 2000)) };
    const where = line === undefined ? {} : { line: N(line) };
    await this.#options.links.putAll([{ ...item, ...where, received: N(received), expires: N(this.#expires(received)) }]);
  }

  async clearPoison(segment: string, counted?: string): Promise<void> {
    const old = await this.#options.links.remove(poisonKey(segment));
    if (old?.code?.S === GAVE_UP && counted !== undefined) this.#owe(counted, NOTHING, 1);
  }

  #owe(where: string, counts: Counts, doubt: number): void {
    const owed = this.#owed.get(where);
    if (owed === undefined) this.#owed.set(where, { counts, doubt });
    else {
      owed.counts = plus(owed.counts, counts);
      owed.doubt += doubt;
    }
  }

  async #shardItem(shard: Shard, told: Item, expires: number): Promise<Item> {
    const data = encodeShard(shard);
    const part = shardPart(shard.partition, shard);
    const item: Item = {
      ...place(shard.instance, part),
      fn: S(shard.fn),
      ...summary(shard),
      ...told,
      ...(shard.linksCut === undefined ? {} : { linksCut: N(shard.linksCut) }),
      expires: N(expires),
    };
    if (data.length <= SPILL_BYTES) return { ...item, data: { B: data } };
    const spill = `${spillPrefix}${shard.instance}/${part}`;
    await this.#options.objects.put(spill, data);
    return { ...item, spill: S(spill) };
  }

  /** A set is shared by cold starts of many days: one of an early day that comes late must not let it end before the others do. */
  async #keepSet(set: Item): Promise<void> {
    const name = `${set.key?.S}\n${set.place?.S}\n${set.expires?.N}`;
    if (this.#written.has(name)) return;
    await this.#options.links.putLongest(set);
    this.#written.add(name);
  }

  /** Same for every segment of the hour, whichever came first. */
  #noteHour(note: (item: Item) => void, hour: string, { segment }: Built, at: number, received: number): void {
    const day = hour.slice(0, 10);
    const list = listName(hour, segment.instance);
    note({ key: S('~hours'), place: S(list), ...this.#dayExpires(day) });
    // Who asks for what came since a time later than the claimed one finds it by this.
    if (isOdd(at, received) && hourOf(received) > hour)
      note({ ...lateItem(list, received), ...this.#dayExpires(dayOf(received)) });
    note({ key: S('~functions'), place: S(`${day}#${segment.fn}`), ...this.#dayExpires(day) });
  }

  #expires(received: number): number {
    return expiresAfter(received, this.#options.retentionDays);
  }

  /** The bucket named `odd` belongs to no day and stays. */
  #dayExpires(bucket: string): Item {
    const day = Date.parse(`${bucket}T00:00:00Z`) * 1000;
    return Number.isNaN(day) ? {} : { expires: N(expiresAfter(day, this.#options.retentionDays + 2)) };
  }
}

const place = (instance: string, part: string): Item => ({ instanceId: S(instance), part: S(part) });

/** What lists show of a request without decoding its graph: begin, trigger; end, status. */
function summary({ partition, nodes }: Shard): Item {
  const request = isRequest(partition) ? nodes.find((node) => node.kind === 'request') : undefined;
  if (request?.kind !== 'request') return {};
  return {
    ...(request.begin === undefined ? {} : { begin: N(request.begin), trigger: S(request.trigger?.type ?? '') }),
    ...(request.end === undefined ? {} : { end: N(request.end) }),
    ...(request.status === undefined ? {} : { status: S(request.status) }),
  };
}

/** BatchWriteItem refuses a batch that names a key twice. */
function distinct(items: readonly Item[]): readonly Item[] {
  return [...new Map(items.map((item) => [`${item.key?.S}\n${item.place?.S}`, item])).values()];
}
