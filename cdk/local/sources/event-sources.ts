import { randomUUID } from 'node:crypto';
import type { Deliver } from '../delivery.ts';
import type { Worker } from '../environment.ts';
import type { DynamoDbService } from '../services/dynamodb/service.ts';
import type { SqsService } from '../services/sqs/service.ts';
import type { SourceContext } from './source.ts';
import { type SqsMapping, SqsSource } from './sqs-source.ts';
import { type GiveUp, type StreamMapping, StreamSource } from './stream-source.ts';

type Mapping =
  | { readonly kind: 'sqs'; readonly mapping: SqsMapping }
  | { readonly kind: 'stream'; readonly mapping: StreamMapping };

/** The event source mappings. They begin to poll when the whole stack is there. */
export class EventSources implements Worker {
  readonly #context: SourceContext;
  readonly #sqs: SqsService;
  readonly #dynamodb: DynamoDbService;
  readonly #deliver: Deliver;
  readonly #waiting: Mapping[] = [];
  readonly #running: (SqsSource | StreamSource)[] = [];

  constructor(context: SourceContext, sqs: SqsService, dynamodb: DynamoDbService, deliver: Deliver) {
    this.#context = context;
    this.#sqs = sqs;
    this.#dynamodb = dynamodb;
    this.#deliver = deliver;
  }

  add(mapping: Mapping): void {
    this.#waiting.push(mapping);
  }

  start(): void {
    for (const one of this.#waiting.splice(0)) {
      if (one.kind === 'sqs') {
        this.#sqs.consumed(one.mapping.queue);
        this.#running.push(new SqsSource(this.#context, one.mapping));
      } else this.#running.push(new StreamSource(this.#context, this.#dynamodb, one.mapping, this.#giveUp));
    }
  }

  busy(): string | null {
    for (const source of this.#running) {
      const what = source.busy();
      if (what !== null) return what;
    }
    return null;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#running.splice(0).map((source) => source.stop()));
  }

  /** Tells the on-failure destination. https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html */
  readonly #giveUp: GiveUp = async (mapping, shardId, records, attempts) => {
    const { env } = this.#context;
    env.log(
      `stream ${mapping.streamArn}: ${mapping.functionName} failed ${attempts} times on ${records.length} record(s), which are given up`,
    );
    const [first, last] = [records[0], records.at(-1)];
    if (mapping.onFailureArn === null || first === undefined || last === undefined) return;
    const moment = (seconds: number | undefined) => new Date(seconds === undefined ? Date.now() : seconds * 1000).toISOString();
    const message = {
      requestContext: {
        requestId: randomUUID(),
        functionArn: `arn:aws:lambda:${env.region}:${env.accountId}:function:${mapping.functionName}`,
        condition: 'RetryAttemptsExhausted',
        approximateInvokeCount: attempts,
      },
      responseContext: { statusCode: 200, executedVersion: '$LATEST', functionError: 'Unhandled' },
      version: '1.0',
      timestamp: new Date().toISOString(),
      DDBStreamBatchInfo: {
        shardId,
        startSequenceNumber: first.dynamodb.SequenceNumber,
        endSequenceNumber: last.dynamodb.SequenceNumber,
        approximateArrivalOfFirstRecord: moment(first.dynamodb.ApproximateCreationDateTime),
        approximateArrivalOfLastRecord: moment(last.dynamodb.ApproximateCreationDateTime),
        batchSize: records.length,
        streamArn: mapping.streamArn,
      },
    };
    await this.#deliver.to(mapping.onFailureArn, JSON.stringify(message), { sourceArn: mapping.streamArn });
  };
}
