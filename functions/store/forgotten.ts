import { parseSegmentKey } from '../../layers/record/key.ts';
import { byFunction } from './by-function.ts';
import type { Gap } from './gap.ts';
import { expiresAfter, N, number, S, text } from './rows.ts';
import type { Item, Table } from './table.ts';
import type { Tombstone } from './tombstone.ts';

const KEY = '~forgotten';

/** Segments that were deleted on purpose, a row each. A row is `open` from before the first deletion until all is done. */
export class Forgotten {
  readonly #links: Table;
  readonly #retentionDays: number;

  constructor(links: Table, retentionDays: number) {
    this.#links = links;
    this.#retentionDays = retentionDays;
  }

  /** @param open whether something may be left of them */
  async put(all: readonly Tombstone[], open: boolean): Promise<void> {
    await this.#links.putAll(
      all.map((one): Item => {
        const { run, at, by, why, segment, digest, bytes, stored } = one;
        return {
          ...{
            key: S(KEY),
            place: S(placeOf(segment)),
            segment: S(segment),
            digest: S(digest),
            run: S(run),
            by: S(by),
            why: S(why),
          },
          ...{ at: N(at), bytes: N(bytes), stored: N(stored), expires: N(expiresAfter(at, this.#retentionDays)) },
          ...(open ? { open: N(1) } : {}),
        };
      }),
    );
  }

  /** Those that were begun with and are not done. */
  async open(): Promise<readonly Tombstone[]> {
    const { items } = await this.#links.query(
      {
        KeyConditionExpression: '#k = :k',
        FilterExpression: 'attribute_exists(#o)',
        ExpressionAttributeNames: { '#k': 'key', '#o': 'open' },
        ExpressionAttributeValues: { ':k': S(KEY) },
      },
      Number.POSITIVE_INFINITY,
    );
    return items.map(read);
  }

  /** As gaps of kind `forgotten`, in the order of their places; `limit` rows of a page. */
  async gaps(since: number, fn: string | undefined, after: string, limit: number) {
    const { rows, looked, next } = await byFunction(this.#links, KEY, { fn, after, limit });
    const gaps = rows.map((item) => gapOf(read(item), item.open !== undefined)).filter(({ at }) => at >= since);
    return { gaps, looked, ...(next === undefined ? {} : { next }) };
  }
}

/** Function, instance and range, of which the key is made. */
const placeOf = (segment: string) => segment.split('/').slice(1).join('#').split('.ndjson')[0] ?? '';

function read(item: Item): Tombstone {
  const texts = { run: text(item, 'run'), by: text(item, 'by'), why: text(item, 'why'), segment: text(item, 'segment') };
  const numbers = { at: number(item, 'at'), bytes: number(item, 'bytes'), stored: number(item, 'stored') };
  return { ...texts, ...numbers, digest: text(item, 'digest') };
}

function gapOf({ segment, at, by, why }: Tombstone, open: boolean): Gap {
  const { fn, instanceId, first, last } = parseSegmentKey(segment) ?? {};
  return {
    ...{ kind: 'forgotten', at, detail: segment, why: `by ${by}: ${why}${open ? ' (begun, and not done)' : ''}` },
    ...(fn === undefined ? {} : { function: fn }),
    ...(instanceId === undefined || first === undefined || last === undefined ? {} : { instanceId, from: first, to: last }),
  };
}
