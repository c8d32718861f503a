import {
  type AttributeValue,
  BatchWriteItemCommand,
  ConditionalCheckFailedException,
  DeleteItemCommand,
  type DynamoDBClient,
  PutItemCommand,
  QueryCommand,
  type QueryCommandInput,
  ScanCommand,
  UpdateItemCommand,
  type WriteRequest,
} from '@aws-sdk/client-dynamodb';
import { StoreError } from './errors.ts';

export type Item = Record<string, AttributeValue>;

/** BatchWriteItem takes 25 items at most. */
const BATCH = 25;
const TRIES = 10;
/** Items that are looked at in one call where how many are wanted does not say it. */
const PAGE = 1000;
/** Longest wait before the n-th try, ms: 25, 50, … 2,000; about 8 s in all at the most. */
const wait = (attempt: number) => Math.random() * Math.min(2000, 25 * 2 ** attempt);

/** One DynamoDB table: the calls that the store uses, with errors that name the table. */
export class Table {
  readonly name: string;
  readonly #client: DynamoDBClient;

  constructor(client: DynamoDBClient, name: string) {
    this.#client = client;
    this.name = name;
  }

  /**
   * Writes items, each whole, replacing what has the same key. Unprocessed ones are tried again a bounded number of times.
   * @throws StoreError
   */
  async putAll(items: readonly Item[]): Promise<void> {
    await this.#inBatches(items.map((Item) => ({ PutRequest: { Item } })));
  }

  async #inBatches(requests: readonly WriteRequest[]): Promise<void> {
    const batches: WriteRequest[][] = [];
    for (let i = 0; i < requests.length; i += BATCH) batches.push(requests.slice(i, i + BATCH));
    await inParallel(batches, 4, (batch) => this.#writeBatch(batch));
  }

  async #writeBatch(batch: WriteRequest[]): Promise<void> {
    let left = batch;
    await this.#patiently(async () => {
      const { UnprocessedItems } = await this.#client.send(new BatchWriteItemCommand({ RequestItems: { [this.name]: left } }));
      left = UnprocessedItems?.[this.name] ?? [];
      return left.length === 0 || undefined;
    });
  }

  /**
   * Writes one item and gives back what it replaced.
   * @throws StoreError
   */
  async replace(Item: Item): Promise<Item | undefined> {
    const command = new PutItemCommand({ TableName: this.name, Item, ReturnValues: 'ALL_OLD' });
    const { old } = await this.#patiently(async () => ({ old: (await this.#client.send(command)).Attributes }));
    return old;
  }

  /**
   * Writes one item, unless the one that is there is kept for longer.
   * @param item with `expires`
   * @throws StoreError
   */
  async putLongest(Item: Item): Promise<void> {
    const command = new PutItemCommand({
      ...{ TableName: this.name, Item, ConditionExpression: 'attribute_not_exists(expires) OR expires < :e' },
      ExpressionAttributeValues: { ':e': Item.expires ?? { N: '0' } },
    });
    await this.#patiently(async () => {
      try {
        return (await this.#client.send(command)).$metadata;
      } catch (error) {
        if (error instanceof ConditionalCheckFailedException) return true;
        throw error;
      }
    });
  }

  /**
   * Adds to numbers of an item, which need not exist yet, and sets other attributes of it.
   * @returns false when it may have been added more than once, because an answer did not arrive and the call was repeated
   * @throws StoreError
   */
  async add(key: Item, numbers: Readonly<Record<string, number>>, set: Item): Promise<boolean> {
    const names = [...Object.keys(numbers), ...Object.keys(set)];
    const adding = Object.keys(numbers).map((_, i) => `#${i} :${i}`);
    const setting = Object.keys(set).map((_, i) => `#${adding.length + i} = :${adding.length + i}`);
    const values = [...Object.values(numbers).map((n) => ({ N: String(n) })), ...Object.values(set)];
    const command = new UpdateItemCommand({
      ...{ TableName: this.name, Key: key, UpdateExpression: `ADD ${adding.join(', ')} SET ${setting.join(', ')}` },
      ExpressionAttributeNames: Object.fromEntries(names.map((name, i) => [`#${i}`, name])),
      ExpressionAttributeValues: Object.fromEntries(values.map((value, i) => [`:${i}`, value])),
    });
    return await this.#patiently(async () => ((await this.#client.send(command)).$metadata.attempts ?? 1) === 1);
  }

  /**
   * Removes an item, if it is there, and gives back what it was.
   * @throws StoreError
   */
  async remove(key: Item): Promise<Item | undefined> {
    const command = new DeleteItemCommand({ TableName: this.name, Key: key, ReturnValues: 'ALL_OLD' });
    const { old } = await this.#patiently(async () => ({ old: (await this.#client.send(command)).Attributes }));
    return old;
  }

  /**
   * Removes items by their keys, those that are there.
   * @throws StoreError
   */
  async removeAll(keys: readonly Item[]): Promise<void> {
    await this.#inBatches(keys.map((Key) => ({ DeleteRequest: { Key } })));
  }

  /**
   * Everything in one of `total` parts of the table, page by page: each costs what reading 1 MB costs, whatever of it is wanted.
   * @param names attributes that are wanted
   * @throws StoreError
   */
  async *scan(part: number, total: number, names: readonly string[]): AsyncGenerator<readonly Item[]> {
    let from: Item | undefined;
    do {
      const command = new ScanCommand({
        ...{ TableName: this.name, Segment: part, TotalSegments: total, ExclusiveStartKey: from },
        ProjectionExpression: names.map((_, i) => `#${i}`).join(', '),
        ExpressionAttributeNames: Object.fromEntries(names.map((name, i) => [`#${i}`, name])),
      });
      const page = await this.#patiently(() => this.#client.send(command));
      from = page.LastEvaluatedKey;
      yield page.Items ?? [];
    } while (from !== undefined);
  }

  /**
   * Sets attributes of an item, which need not exist yet; those in `once` only where it has none. Others stay as they are.
   * @throws StoreError
   */
  async merge(key: Item, set: Item, once: Item): Promise<void> {
    const names = [...Object.keys(set), ...Object.keys(once)];
    const parts = names.map((_, i) => (i < Object.keys(set).length ? `#${i} = :${i}` : `#${i} = if_not_exists(#${i}, :${i})`));
    const values = [...Object.values(set), ...Object.values(once)];
    const command = new UpdateItemCommand({
      ...{ TableName: this.name, Key: key, UpdateExpression: `SET ${parts.join(', ')}` },
      ExpressionAttributeNames: Object.fromEntries(names.map((name, i) => [`#${i}`, name])),
      ExpressionAttributeValues: Object.fromEntries(values.map((value, i) => [`:${i}`, value])),
    });
    await this.#patiently(async () => (await this.#client.send(command)).$metadata);
  }

  /** Until `act` gives something, a bounded number of times. */
  async #patiently<T>(act: () => Promise<T | undefined>): Promise<T> {
    for (let attempt = 0; attempt < TRIES; attempt++) {
      if (attempt > 0) await new Promise((done) => setTimeout(done, wait(attempt)));
      try {
        const done = await act();
        if (done !== undefined) return done;
      } catch (error) {
        if (error instanceof Error && THROTTLED.has(error.name)) continue;
        throw new StoreError('unavailable', `using table ${this.name} failed: ${String(error)}`, error);
      }
    }
    throw new StoreError('throttled', `table ${this.name} did not take what it was given in ${TRIES} tries`);
  }

  /**
   * Items of one partition, page by page, until `limit` items or the end. With a filter the limit is of what it lets through,
   * `lookAt` of what it looks at, to a page.
   * @returns `cut`: there are more; `looked`: items that were looked at
   */
  async query(
    input: Omit<QueryCommandInput, 'TableName' | 'Limit'>,
    limit: number,
    lookAt: number = Number.POSITIVE_INFINITY,
  ): Promise<{ readonly items: readonly Item[]; readonly cut: boolean; readonly looked: number }> {
    const items: Item[] = [];
    let from: Item | undefined;
    let looked = 0;
    do {
      try {
        const page = await this.#client.send(
          new QueryCommand({
            ...input,
            TableName: this.name,
            Limit: input.FilterExpression === undefined && Number.isFinite(limit) ? limit + 1 - items.length : PAGE,
            ExclusiveStartKey: from,
          }),
        );
        items.push(...(page.Items ?? []));
        from = page.LastEvaluatedKey;
        looked += page.ScannedCount ?? 0;
      } catch (error) {
        throw new StoreError('unavailable', `reading table ${this.name} failed: ${String(error)}`, error);
      }
    } while (from !== undefined && items.length <= limit && looked < lookAt);
    const cut = items.length > limit || (from !== undefined && looked >= lookAt);
    return { items: items.slice(0, limit), cut, looked };
  }
}

const THROTTLED: ReadonlySet<string> = new Set([
  'ProvisionedThroughputExceededException',
  'ThrottlingException',
  'RequestLimitExceeded',
  'InternalServerError',
]);

/** Runs `act` over all items, `width` at a time; results in the order of the items. The first error ends it. */
export async function inParallel<T, R>(
  items: readonly T[],
  width: number,
  act: (item: T) => Promise<R>,
): Promise<readonly R[]> {
  const results: R[] = [];
  let next = 0;
  const lane = async () => {
    while (next < items.length) {
      const i = next++;
      results[i] = await act(items[i] as T);
    }
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, lane));
  return results;
}
