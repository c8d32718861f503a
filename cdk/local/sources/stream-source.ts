import type { Worker } from '../environment.ts';
import type { DynamoDbService } from '../services/dynamodb/service.ts';
import { matches } from '../services/events/pattern.ts';
import { invokeBatch, type MappingSettings, type SourceContext } from './source.ts';
import { pause } from './sqs-source.ts';

export interface StreamMapping extends MappingSettings {
  readonly streamArn: string;
  readonly startingPosition: 'TRIM_HORIZON' | 'LATEST';
  readonly bisect: boolean;
  /** -1: for ever. */
  readonly maxRetries: number;
  /** Queue or topic that is told of records given up. */
  readonly onFailureArn: string | null;
}

/** A stream record as GetRecords gives it. */
export interface StreamRecord {
  readonly eventID: string;
  readonly eventName: string;
  readonly eventVersion: string;
  readonly eventSource: string;
  readonly dynamodb: { readonly SequenceNumber: string; readonly ApproximateCreationDateTime?: number };
}

/** Told of records that were given up. */
export type GiveUp = (
  mapping: StreamMapping,
  shardId: string,
  records: readonly StreamRecord[],
  attempts: number,
) => Promise<void>;

/** Without a write nothing new can be in a stream but the deletions of expired items: a slow poll is enough. */
const QUIET_POLL_MS = 1_000;
const FIRST_BACKOFF_MS = 200;
const MAX_BACKOFF_MS = 5_000;
const STREAMS = 'DynamoDBStreams_20120810';

/** Reads a table's stream shard by shard and hands batches to a function in order. */
export class StreamSource implements Worker {
  readonly #context: SourceContext;
  readonly #dynamodb: DynamoDbService;
  readonly #mapping: StreamMapping;
  readonly #giveUp: GiveUp;
  readonly #stop = new AbortController();
  readonly #iterators = new Map<string, string | null>();
  readonly #loop: Promise<void>;
  /** Writes seen, and writes whose records are certainly read: equal when there is nothing to wait for. */
  #writes = 1;
  #read = 0;
  #wake: () => void = () => undefined;

  constructor(context: SourceContext, dynamodb: DynamoDbService, mapping: StreamMapping, giveUp: GiveUp) {
    this.#context = context;
    this.#dynamodb = dynamodb;
    this.#mapping = mapping;
    this.#giveUp = giveUp;
    dynamodb.onWrite(() => {
      this.#writes++;
      this.#wake();
    });
    this.#loop = this.#run();
  }

  busy(): string | null {
    return this.#read === this.#writes
      ? null
      : `records of ${this.#mapping.streamArn} may wait for ${this.#mapping.functionName}`;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    this.#wake();
    // A batch at a function ends when the functions are stopped; it is not waited for.
    await Promise.race([this.#loop, pause(100, new AbortController().signal)]);
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const upTo = this.#writes;
      try {
        const found = await this.#round(signal);
        if (!found) {
          this.#read = upTo;
          if (upTo === this.#writes) await this.#quiet();
        }
      } catch (cause) {
        if (signal.aborted) return;
        this.#context.env.log(`stream ${this.#mapping.streamArn}: ${cause instanceof Error ? cause.message : String(cause)}`);
        await pause(FIRST_BACKOFF_MS, signal);
      }
    }
  }

  /** One GetRecords per shard; true when any had records. */
  async #round(signal: AbortSignal): Promise<boolean> {
    await this.#findShards();
    let found = false;
    for (const [shardId, iterator] of this.#iterators) {
      if (iterator === null || signal.aborted) continue;
      const output = await this.#getRecords(shardId, iterator);
      const records = (output.Records ?? []) as StreamRecord[];
      if (records.length > 0) {
        found = true;
        // A batch that is not full waits out its window; what comes meanwhile goes into the next one.
        if (records.length < this.#mapping.batchSize && this.#mapping.windowMs > 0) await pause(this.#mapping.windowMs, signal);
        await this.#deliver(shardId, records, signal);
      }
      this.#iterators.set(shardId, (output.NextShardIterator as string | undefined) ?? null);
    }
    return found;
  }

  async #getRecords(shardId: string, iterator: string): Promise<Record<string, unknown>> {
    const Limit = Math.min(this.#mapping.batchSize, 1000);
    try {
      return await this.#dynamodb.call(`${STREAMS}.GetRecords`, { ShardIterator: iterator, Limit });
    } catch (cause) {
      if (!(cause instanceof Error && cause.name === 'TrimmedDataAccessException')) throw cause;
      // DynamoDB Local numbers the records of all tables in one row. An iterator of a shard without records points at the
      // number that came next when it was made, which may belong to another table, and then counts as trimmed.
      const renewed = await this.#iterator(shardId, 'TRIM_HORIZON');
      return this.#dynamodb.call(`${STREAMS}.GetRecords`, { ShardIterator: renewed, Limit });
    }
  }

  async #iterator(ShardId: string, ShardIteratorType: 'TRIM_HORIZON' | 'LATEST'): Promise<string> {
    const input = { StreamArn: this.#mapping.streamArn, ShardId, ShardIteratorType };
    return String((await this.#dynamodb.call(`${STREAMS}.GetShardIterator`, input)).ShardIterator);
  }

  async #findShards(): Promise<void> {
    const { streamArn, startingPosition } = this.#mapping;
    const output = await this.#dynamodb.call(`${STREAMS}.DescribeStream`, { StreamArn: streamArn });
    const shards = ((output.StreamDescription as { Shards?: { ShardId: string }[] } | undefined)?.Shards ?? []).map(
      (one) => one.ShardId,
    );
    const first = this.#iterators.size === 0;
    for (const ShardId of shards) {
      if (this.#iterators.has(ShardId)) continue;
      // Shards that appear later are read from their start, or records written before they were seen would be lost.
      this.#iterators.set(ShardId, await this.#iterator(ShardId, first ? startingPosition : 'TRIM_HORIZON'));
    }
  }

  async #deliver(shardId: string, records: readonly StreamRecord[], signal: AbortSignal): Promise<void> {
    const { filters } = this.#mapping;
    const wanted =
      filters.length === 0 ? records : records.filter((record) => filters.some((filter) => matches(filter, record)));
    if (wanted.length > 0) await this.#attempt(shardId, wanted, 0, signal);
  }

  /** Hands a batch over until it is done or given up; order within the shard waits for it. */
  async #attempt(shardId: string, records: readonly StreamRecord[], before: number, signal: AbortSignal): Promise<void> {
    const { bisect, maxRetries } = this.#mapping;
    let attempts = before;
    for (let wait = FIRST_BACKOFF_MS; !signal.aborted; wait = Math.min(wait * 2, MAX_BACKOFF_MS)) {
      const outcome = await invokeBatch(
        this.#context,
        this.#mapping,
        records.map((record) => this.#event(record)),
      );
      if (outcome === 'throttled') {
        await pause(wait, signal);
        continue;
      }
      const left = outcome === 'all-failed' ? records : remaining(records, outcome.failed);
      if (left.length === 0) return;
      attempts++;
      if (maxRetries >= 0 && attempts > maxRetries) return this.#giveUp(this.#mapping, shardId, left, attempts);
      if (left.length < records.length) return this.#attempt(shardId, left, attempts, signal);
      if (bisect && records.length > 1) {
        const middle = Math.ceil(records.length / 2);
        // Splitting does not count as a retry.
        await this.#attempt(shardId, records.slice(0, middle), before, signal);
        return this.#attempt(shardId, records.slice(middle), before, signal);
      }
      await pause(wait, signal);
    }
  }

  /** https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html */
  #event(record: StreamRecord): unknown {
    const { SequenceNumber, ApproximateCreationDateTime, ...rest } = record.dynamodb;
    return {
      eventID: record.eventID,
      eventName: record.eventName,
      eventVersion: record.eventVersion,
      eventSource: 'aws:dynamodb',
      awsRegion: this.#context.env.region,
      dynamodb: {
        ...(ApproximateCreationDateTime === undefined ? {} : { ApproximateCreationDateTime }),
        ...rest,
        SequenceNumber,
      },
      ...('userIdentity' in record ? { userIdentity: record.userIdentity } : {}),
      eventSourceARN: this.#mapping.streamArn,
    };
  }

  #quiet(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, QUIET_POLL_MS);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** A stream goes on from the first record that failed: everything from there is handed over again. */
function remaining(records: readonly StreamRecord[], failed: readonly string[]): readonly StreamRecord[] {
  const first = records.findIndex((record) => failed.includes(record.dynamodb.SequenceNumber));
  return first < 0 ? [] : records.slice(first);
}
