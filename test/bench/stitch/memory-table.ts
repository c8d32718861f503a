/**
 * A table in this process's memory, for sizes that DynamoDB Local cannot hold and for fuzzing: the same items under the same
 * keys, found by the expressions that the store uses (it knows no others) and priced as DynamoDB prices them.
 */
import type { QueryCommandInput } from '@aws-sdk/client-dynamodb';
import { type Item, Table } from '../../../functions/store/table.ts';

const KB = 1024;

/** Bytes as DynamoDB counts them: names and values; numbers by their digits. */
export function sizeOf(item: Item): number {
  return Object.entries(item).reduce(
    (sum, [name, { S, N, B }]) =>
      sum + name.length + Buffer.byteLength(S ?? '') + (N === undefined ? 0 : Math.ceil(N.length / 2) + 1) + (B?.length ?? 0),
    0,
  );
}

/** Counts queries, and how many had to wait for one another: all that are asked before any answer has come count as one. */
export class Turns {
  queries = 0;
  inARow = 0;
  #turn: Promise<void> | undefined;

  async wait(): Promise<void> {
    this.queries++;
    this.#turn ??= new Promise((done) =>
      setImmediate(() => {
        this.#turn = undefined;
        this.inARow++;
        done();
      }),
    );
    await this.#turn;
  }
}

interface Partition {
  readonly items: Map<string, Item>;
  order: string[] | undefined;
}

export class MemoryTable extends Table {
  readonly #names: readonly [partition: string, sort: string];
  readonly #partitions = new Map<string, Partition>();
  items = 0;
  bytes = 0;
  writeUnits = 0;
  largest = 0;

  readonly #turns: Turns | undefined;

  constructor(name: string, partition: string, sort: string, turns?: Turns) {
    super(undefined as never, name);
    this.#names = [partition, sort];
    this.#turns = turns;
  }

  override async putAll(items: readonly Item[]): Promise<void> {
    for (const item of items) this.#put(item);
  }

  override async replace(item: Item): Promise<Item | undefined> {
    return this.#put(item);
  }

  override async putLongest(item: Item): Promise<void> {
    const [pk, sk] = this.#keyOf(item);
    const old = this.#partitions.get(pk)?.items.get(sk);
    if (Number(old?.expires?.N ?? 0) < Number(item.expires?.N ?? 0)) this.#put(item);
    // DynamoDB takes as much for a write that its condition refuses.
    else this.writeUnits += Math.ceil(sizeOf(item) / KB);
  }

  override async add(key: Item, numbers: Readonly<Record<string, number>>, set: Item): Promise<boolean> {
    const [pk, sk] = this.#keyOf(key);
    const old = this.#partitions.get(pk)?.items.get(sk) ?? key;
    const sums = Object.entries(numbers).map(([name, n]) => [name, { N: String(Number(old[name]?.N ?? 0) + n) }]);
    this.#put({ ...old, ...Object.fromEntries(sums), ...set });
    return true;
  }

  override async query(
    input: Omit<QueryCommandInput, 'TableName' | 'Limit'>,
    limit: number,
    lookAt = Number.POSITIVE_INFINITY,
  ) {
    await this.#turns?.wait();
    const value = (name: string | undefined) => input.ExpressionAttributeValues?.[name ?? '']?.S ?? '';
    const condition = input.KeyConditionExpression ?? '';
    const partition = this.#partitions.get(value(/= (:\w+)/.exec(condition)?.[1]));
    if (partition === undefined) return { items: [], cut: false, looked: 0 };
    partition.order ??= [...partition.items.keys()].sort();
    const between = /BETWEEN (:\w+) AND (:\w+)/.exec(condition);
    const prefix = /begins_with\(\w+, (:\w+)\)/.exec(condition)?.[1];
    const [low, high] =
      between !== null ? [value(between[1]), value(between[2])] : [value(prefix), `${value(prefix)}\u{10ffff}`];
    if (low > high) throw new Error(`${this.name}: BETWEEN ${low} AND ${high}`);
    const { order } = partition;
    let from = lowerBound(order, low);
    let to = lowerBound(order, high) - 1;
    if (order[to + 1] === high) to++;
    const backward = input.ScanIndexForward === false;
    const contains = /contains\((\w+), (:\w+)\)/.exec(input.FilterExpression ?? '');
    const items: Item[] = [];
    let looked = 0;
    for (; from <= to && looked < lookAt && items.length <= limit; looked++) {
      const item = partition.items.get(order[backward ? to-- : from++] ?? '');
      if (item === undefined) continue;
      if (contains === null || item[contains[1] ?? '']?.S?.includes(value(contains[2]))) items.push(item);
    }
    return { items: items.slice(0, limit), cut: items.length > limit || from <= to, looked };
  }

  #keyOf(item: Item): readonly [string, string] {
    return [item[this.#names[0]]?.S ?? '', item[this.#names[1]]?.S ?? ''];
  }

  #put(item: Item): Item | undefined {
    const [pk, sk] = this.#keyOf(item);
    let partition = this.#partitions.get(pk);
    if (partition === undefined) {
      partition = { items: new Map(), order: undefined };
      this.#partitions.set(pk, partition);
    }
    const old = partition.items.get(sk);
    const size = sizeOf(item);
    if (old === undefined) {
      partition.order = undefined;
      this.items++;
    } else this.bytes -= sizeOf(old);
    partition.items.set(sk, item);
    this.bytes += size;
    this.largest = Math.max(this.largest, size);
    this.writeUnits += Math.ceil(size / KB);
    return old;
  }
}

/** Index of the first that is not below. */
function lowerBound(order: readonly string[], value: string): number {
  let [low, high] = [0, order.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((order[middle] ?? '') < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
