import { isRequest } from '../graph/ids.ts';
import type { Built, Shard } from '../graph/shard.ts';
import { encodeShard } from './encode.ts';
import type { Objects } from './objects.ts';
import {
  bucketOf,
  bucketPlace,
  isSpread,
  linkItem,
  listHour,
  N,
  requestItem,
  S,
  segmentItem,
  shardPart,
  spreadOf,
} from './rows.ts';
import { spillPrefix } from './schema.ts';
import type { Item, Table } from './table.ts';

/** Items of more than 400 KB are refused; keys, summary and rounding need some room. */
const SPILL_BYTES = 350_000;
const SECONDS_A_DAY = 86_400;

export interface Poison {
  readonly segment: string;
  readonly code: string;
  readonly reason: string;
  readonly line?: number;
}

/** What the stitcher needs of the store. */
export interface GraphWriter {
  /** Adds what one segment says. The same segment again changes nothing; the order of segments does not matter. */
  put(built: Built, digest: string, received: number): Promise<void>;
  /** From now on nothing is taken to be in the tables already: somebody may have emptied them. */
  forget(): void;
  /** Sets a segment aside that will never be readable. */
  putPoison(poison: Poison, received: number): Promise<void>;
}

export interface WriterOptions {
  readonly shards: Table;
  readonly links: Table;
  readonly objects: Objects;
  readonly retentionDays: number;
}

/** Catalogue rows already written by this process; they never change, so writing them again would only cost. */
const REMEMBERED = 20_000;

export class DynamoWriter implements GraphWriter {
  readonly #options: WriterOptions;
  readonly #written = new Set<string>();

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  async put(built: Built, digest: string, received: number): Promise<void> {
    const { shards, links } = this.#options;
    const expires = this.#expires(received);
    const shardItems = await Promise.all(built.shards.map((shard) => this.#shardItem(shard, expires)));
    const linkItems: Item[] = [];
    const catalogue = new Map<string, Item>();
    const note = (item: Item) => catalogue.set(`${item.key?.S}\n${item.place?.S}`, item);
    for (const link of built.links) {
      const bucket = isSpread(link.key) ? bucketOf(link.t, received) : undefined;
      linkItems.push(linkItem(link, bucket, expires));
      if (bucket !== undefined) note({ key: S(link.key), place: S(bucketPlace(bucket)), ...this.#dayExpires(bucket) });
    }
    for (const entry of built.requests) {
      const hour = listHour(entry.at, received);
      linkItems.push(requestItem(entry, hour, expires));
      this.#noteHour(note, hour, built);
    }
    this.#noteHour(note, listHour(built.segment.from, received), built);
    const unseen = [...catalogue].filter(([key]) => !this.#written.has(key));
    // Shards before links: whoever follows a link must find what it leads to. The segment's own row last: it says all is there.
    await shards.putAll(shardItems);
    await links.putAll(distinct([...linkItems, ...unseen.map(([, item]) => item)]));
    await shards.putAll([segmentItem({ ...built.segment, digest }, expires)]);
    if (this.#written.size > REMEMBERED) this.#written.clear();
    for (const [key] of unseen) this.#written.add(key);
  }

  forget(): void {
    this.#written.clear();
  }

  async putPoison({ segment, code, reason, line }: Poison, received: number): Promise<void> {
    const item = { key: S('~poison'), place: S(segment.slice(0, 900)), code: S(code), reason: S(reason.slice(0, 2000)) };
    const where = line === undefined ? {} : { line: N(line) };
    await this.#options.links.putAll([{ ...item, ...where, received: N(received), expires: N(this.#expires(received)) }]);
  }

  async #shardItem(shard: Shard, expires: number): Promise<Item> {
    const data = encodeShard(shard);
    const part = shardPart(shard.partition, shard);
    const item: Item = {
      instanceId: S(shard.instance),
      part: S(part),
      fn: S(shard.fn),
      ...summary(shard),
      expires: N(expires),
    };
    if (data.length <= SPILL_BYTES) return { ...item, data: { B: data } };
    const spill = `${spillPrefix}${shard.instance}/${part}`;
    await this.#options.objects.put(spill, data);
    return { ...item, spill: S(spill) };
  }

  /** Same for every segment of the hour and instance, whichever came first. */
  #noteHour(note: (item: Item) => void, hour: string, { segment }: Built): void {
    const spread = `${hour}#${spreadOf(segment.instance)}`;
    const expires = N(Math.trunc(Date.parse(`${hour}:00:00Z`) / 1000) + (this.#options.retentionDays + 2) * SECONDS_A_DAY);
    note({ key: S('~hours'), place: S(spread), expires });
    note({
      key: S(`~instances#${spread}`),
      place: S(segment.instance),
      fn: S(segment.fn),
      version: S(segment.version),
      expires,
    });
  }

  #expires(received: number): number {
    return Math.trunc(received / 1_000_000) + this.#options.retentionDays * SECONDS_A_DAY;
  }

  /** The bucket named `odd` belongs to no day and stays. */
  #dayExpires(bucket: string): Item {
    const day = Date.parse(`${bucket}T00:00:00Z`) / 1000;
    return Number.isNaN(day) ? {} : { expires: N(day + (this.#options.retentionDays + 2) * SECONDS_A_DAY) };
  }
}

/** What lists show of a request without decoding its graph. */
function summary({ partition, nodes, edges }: Shard): Item {
  const counts = { nodes: N(nodes.length), edges: N(edges.length) };
  const request = isRequest(partition) ? nodes.find((node) => node.kind === 'request') : undefined;
  if (request?.kind !== 'request') return counts;
  return {
    ...counts,
    ...(request.begin === undefined ? {} : { begin: N(request.begin), trigger: S(request.trigger?.type ?? '') }),
    ...(request.end === undefined ? {} : { end: N(request.end) }),
    ...(request.status === undefined ? {} : { status: S(request.status) }),
  };
}

/** BatchWriteItem refuses a batch that names a key twice. */
function distinct(items: readonly Item[]): readonly Item[] {
  return [...new Map(items.map((item) => [`${item.key?.S}\n${item.place?.S}`, item])).values()];
}
