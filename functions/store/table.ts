import {
  type AttributeValue,
  BatchWriteItemCommand,
  type DynamoDBClient,
  QueryCommand,
  type QueryCommandInput,
  type WriteRequest,
} from '@aws-sdk/client-dynamodb';
import { StoreError } from './errors.ts';

export type Item = Record<string, AttributeValue>;

/** BatchWriteItem takes 25 items at most. */
const BATCH = 25;
const TRIES = 10;
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
    const batches: WriteRequest[][] = [];
    for (let i = 0; i < items.length; i += BATCH)
      batches.push(items.slice(i, i + BATCH).map((Item) => ({ PutRequest: { Item } })));
    await inParallel(batches, 4, (batch) => this.#putBatch(batch));
  }

  async #putBatch(batch: WriteRequest[]): Promise<void> {
    let left = batch;
    for (let attempt = 0; left.length > 0; attempt++) {
      if (attempt === TRIES)
        throw new StoreError('throttled', `${left.length} items of ${this.name} were not taken in ${TRIES} tries`);
      if (attempt > 0) await new Promise((done) => setTimeout(done, wait(attempt)));
      try {
        const { UnprocessedItems } = await this.#client.send(
          new BatchWriteItemCommand({ RequestItems: { [this.name]: left } }),
        );
        left = UnprocessedItems?.[this.name] ?? [];
      } catch (error) {
        if (error instanceof Error && THROTTLED.has(error.name)) continue;
        throw new StoreError('unavailable', `writing to table ${this.name} failed: ${String(error)}`, error);
      }
    }
  }

  /**
   * Items of one partition, page by page, until `limit` items or the end.
   * @returns `cut`: there are more
   */
  async query(
    input: Omit<QueryCommandInput, 'TableName' | 'Limit'>,
    limit: number,
  ): Promise<{ readonly items: readonly Item[]; readonly cut: boolean }> {
    const items: Item[] = [];
    let from: Item | undefined;
    do {
      try {
        const page = await this.#client.send(
          new QueryCommand({ ...input, TableName: this.name, Limit: limit + 1 - items.length, ExclusiveStartKey: from }),
        );
        items.push(...(page.Items ?? []));
        from = page.LastEvaluatedKey;
      } catch (error) {
        throw new StoreError('unavailable', `reading table ${this.name} failed: ${String(error)}`, error);
      }
    } while (from !== undefined && items.length <= limit);
    return { items: items.slice(0, limit), cut: items.length > limit };
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
