import type { InstanceId } from '../../layers/record/types.ts';
import type { LinkKey, Partition } from '../graph/ids.ts';
import type { Link, Shard } from '../graph/shard.ts';
import type { GraphSource, LinkPage, LinkRange } from '../graph/source.ts';
import { DecodedShards } from './decoded.ts';
import { decodeShard } from './encode.ts';
import type { Objects } from './objects.ts';
import { bucketKey, bucketPlace, dayOf, fanKey, isFanned, isSpread, ODD, pad, readLink, readPlace, S, text } from './rows.ts';
import { fanSpread } from './schema.ts';
import { type Item, inParallel, type Table } from './table.ts';
import { minutesOf, touchesUnder } from './touches.ts';

/** Shards one partition may have; a request of 15 minutes ships a few hundred segments at the most. */
const MAX_SHARDS = 2000;
/** Buckets looked into for one key and range; days, newest first. */
const MAX_BUCKETS = 400;
/** Days that are read at once. */
const DAYS_TOGETHER = 4;
/** Rows looked at under a key that more claim than were asked for. */
const MAX_CLAIMS = 5000;
/** Of one function, of these. */
const CLAIMS_EACH = 8;

export class DynamoSource implements GraphSource {
  readonly #shards: Table;
  readonly #links: Table;
  readonly #objects: Objects;
  readonly #decoded = new DecodedShards();

  constructor(shards: Table, links: Table, objects: Objects) {
    this.#shards = shards;
    this.#links = links;
    this.#objects = objects;
  }

  async shardsOf(instance: InstanceId, partition: Partition): Promise<readonly Shard[]> {
    const { items } = await this.#shards.query(
      {
        KeyConditionExpression: 'instanceId = :i AND begins_with(part, :p)',
        ExpressionAttributeValues: { ':i': S(instance), ':p': S(`${partition}#`) },
      },
      MAX_SHARDS,
    );
    return await Promise.all(items.map((item) => this.#shard(item)));
  }

  async linksOf(key: LinkKey, range: LinkRange): Promise<LinkPage> {
    if (isFanned(key)) {
      const fans = Array.from({ length: fanSpread }, (_, fan) => this.#page(fanKey(key, fan), key, range));
      const pages = await Promise.all(fans);
      const links = inTime(
        pages.flatMap((page) => page.links),
        range,
      );
      return { links: links.slice(0, range.limit), cut: links.length > range.limit || pages.some(({ cut }) => cut) };
    }
    if (!isSpread(key)) {
      const page = await this.#page(key, key, range);
      return page.cut ? await this.#fair(key, range) : page;
    }
    const { days, minutes, cut: more } = await this.#buckets(key, range);
    const touched = await touchesUnder(this.#links, key, minutes, range);
    const links: Link[] = [...touched.links];
    let cut = more || touched.cut;
    let rows = 0;
    for (let i = 0; i < days.length; i += DAYS_TOGETHER) {
      if (rows >= range.limit) {
        cut = true;
        break;
      }
      const some = days.slice(i, i + DAYS_TOGETHER);
      const pages = await inParallel(some, DAYS_TOGETHER, (day) => this.#page(bucketKey(key, day), key, range));
      for (const page of pages) {
        const room = range.limit - rows;
        rows += Math.min(room, page.links.length);
        links.push(...page.links.slice(0, room));
        cut ||= page.cut || room === 0 || page.links.length > room;
      }
    }
    const ordered = inTime(links, range);
    return { links: ordered.slice(0, range.limit), cut: cut || ordered.length > range.limit };
  }

  /**
   * More claim a key than were asked for: then it identifies nothing, and a few of each function are given, so that no function,
   * whatever it claims, can push another one out. (Which function a row is of is not claimed: each writes under its own prefix.)
   */
  async #fair(key: LinkKey, range: LinkRange): Promise<LinkPage> {
    const { links } = await this.#page(key, key, { ...range, limit: MAX_CLAIMS });
    const turns = new Map<string, number>();
    const ranked = links.map((link) => {
      const turn = turns.get(link.fn) ?? 0;
      turns.set(link.fn, turn + 1);
      return { link, turn };
    });
    const each = ranked.filter(({ turn }) => turn < CLAIMS_EACH).sort((a, b) => a.turn - b.turn);
    const kept = each.slice(0, range.limit).map(({ link }) => link);
    return { links: inTime(kept, range), cut: true };
  }

  async #page(stored: string, key: LinkKey, { after = 0, before, order, limit }: LinkRange): Promise<LinkPage> {
    const { items, cut } = await this.#links.query(
      {
        KeyConditionExpression: '#k = :k AND place BETWEEN :a AND :b',
        ExpressionAttributeNames: { '#k': 'key' },
        // `~` sorts after all that follows a time, and before nothing else that begins with a digit.
        ExpressionAttributeValues: {
          ':k': S(stored),
          ':a': S(pad(after)),
          ':b': S(`${before === undefined ? '9' : pad(before)}~`),
        },
        ScanIndexForward: order === 'oldest',
      },
      limit,
    );
    return { links: items.map((item) => readLink(item, key)), cut };
  }

  /** Days that have rows of the key, and minutes whose lists tell of it; `odd` rows last. */
  async #buckets(
    key: LinkKey,
    range: LinkRange,
  ): Promise<{ readonly days: readonly string[]; readonly minutes: readonly string[]; readonly cut: boolean }> {
    const { after, before, order } = range;
    const of = minutesOf(range);
    const nameOf = (item: Item) => text(item, 'place').slice('~bucket#'.length);
    const within = async (from: string, to: string) =>
      await this.#links.query(
        {
          KeyConditionExpression: '#k = :k AND place BETWEEN :a AND :b',
          ExpressionAttributeNames: { '#k': 'key' },
          ExpressionAttributeValues: { ':k': S(key), ':a': S(bucketPlace(from)), ':b': S(bucketPlace(to)) },
          ScanIndexForward: order === 'oldest',
        },
        MAX_BUCKETS,
      );
    // Where there are no minutes, days are so few that all can be read, with `odd` among them; else only those of the range.
    const whole = key.startsWith('resource:') ? undefined : await within('', ODD);
    const [named, odd] =
      whole === undefined || whole.cut
        ? await Promise.all([within(of.from.slice(0, 10), of.to), within(ODD, ODD)])
        : [whole, { items: whole.items.filter((item) => nameOf(item) === ODD) }];
    const names = named.items.map(nameOf);
    const [from, to] = [after === undefined ? '' : dayOf(after), before === undefined ? '9' : dayOf(before)];
    const days = names.filter((name) => name.length === 10 && name >= from && name <= to);
    const minutes = names.filter((name) => name.length > 10 && name >= of.from);
    // Last: whoever makes times up must not be able to crowd the others out.
    return { days: odd.items.length > 0 ? [...days, ODD] : days, minutes, cut: named.cut };
  }

  async #shard(item: Item): Promise<Shard> {
    const of = readPlace(item);
    const spilled = item.spill?.S;
    if (spilled !== undefined) return decodeShard((await this.#objects.get(spilled)).bytes, of);
    const data = item.data?.B;
    if (data === undefined) throw new Error(`shard ${of.instance}/${of.partition} of ${of.segment} has no data`);
    return this.#decoded.shard(data, of);
  }
}

function inTime(links: readonly Link[], { order }: LinkRange): readonly Link[] {
  const sign = order === 'oldest' ? 1 : -1;
  return [...links].sort((a, b) => sign * (a.t - b.t));
}
