import { setTimeout as sleep } from 'node:timers/promises';
import type { Worker } from '../environment.ts';
import { matches } from '../services/events/pattern.ts';
import type { Message } from '../services/sqs/message.ts';
import { systemAttributes } from '../services/sqs/operations.ts';
import type { Queue } from '../services/sqs/queue.ts';
import { invokeBatch, type MappingSettings, type SourceContext } from './source.ts';

export interface SqsMapping extends MappingSettings {
  readonly queue: Queue;
  /** Invocations at a time. */
  readonly concurrency: number;
}

const LONG_POLL_MS = 20_000;
const FIRST_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 2_000;

/** Empties a queue into a function, as Lambda's pollers do. Messages of failed batches wait out their visibility timeout. */
export class SqsSource implements Worker {
  readonly #context: SourceContext;
  readonly #mapping: SqsMapping;
  readonly #stop = new AbortController();
  readonly #loops: Promise<void>[];
  #handling = 0;

  constructor(context: SourceContext, mapping: SqsMapping) {
    this.#context = context;
    this.#mapping = mapping;
    this.#loops = Array.from({ length: mapping.concurrency }, () => this.#loop());
  }

  busy(): string | null {
    return this.#handling === 0
      ? null
      : `${this.#handling} batch(es) of queue ${this.#mapping.queue.name} at ${this.#mapping.functionName}`;
  }

  /** Ends polling. A batch at the function is not waited for: stopping the functions ends it. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#loops);
  }

  async #loop(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        const messages = await this.#batch(signal);
        if (messages.length === 0) continue;
        this.#handling++;
        await Promise.race([this.#deliver(messages, signal), aborted(signal)]).finally(() => this.#handling--);
      } catch (cause) {
        if (signal.aborted) return;
        this.#context.env.log(
          `queue ${this.#mapping.queue.name} → ${this.#mapping.functionName}: ${cause instanceof Error ? cause.message : String(cause)}`,
        );
        await pause(FIRST_BACKOFF_MS, signal);
      }
    }
  }

  async #batch(signal: AbortSignal): Promise<Message[]> {
    const { queue, batchSize, windowMs } = this.#mapping;
    const messages = await queue.receive({ max: batchSize, waitMs: LONG_POLL_MS, signal });
    const until = Date.now() + windowMs;
    while (messages.length > 0 && messages.length < batchSize && Date.now() < until && !signal.aborted)
      messages.push(...(await queue.receive({ max: batchSize - messages.length, waitMs: until - Date.now(), signal })));
    return messages;
  }

  async #deliver(received: readonly Message[], signal: AbortSignal): Promise<void> {
    const { queue } = this.#mapping;
    const wanted = received.filter((message) => this.#wants(message));
    // Filtered-out messages are deleted unseen, as on AWS.
    for (const message of received) if (!wanted.includes(message)) queue.delete(message.receiptHandle ?? '');
    if (wanted.length === 0) return;
    const records = wanted.map((message) => this.#record(message));
    // Handles as received: another receive, after a visibility timeout that was too short, changes that of the message.
    const handles = new Map(wanted.map((message) => [message.id, message.receiptHandle ?? '']));
    for (let wait = FIRST_BACKOFF_MS; !signal.aborted; wait = Math.min(wait * 2, MAX_BACKOFF_MS)) {
      const outcome = await invokeBatch(this.#context, this.#mapping, records);
      if (outcome === 'all-failed') return;
      if (outcome !== 'throttled') {
        for (const [id, handle] of handles) if (!outcome.failed.includes(id)) queue.delete(handle);
        return;
      }
      // Lambda retries a throttled batch itself while it still holds the messages.
      if (wanted.some((message) => message.visibleAt <= Date.now() + wait)) return;
      await pause(wait, signal);
    }
  }

  #wants(message: Message): boolean {
    const { filters } = this.#mapping;
    if (filters.length === 0) return true;
    const seen = { ...(this.#record(message) as object), body: parsed(message.body) };
    return filters.some((filter) => matches(filter, seen));
  }

  /** https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html */
  #record(message: Message): unknown {
    const { queue } = this.#mapping;
    const attributes = Object.entries(message.attributes).map(([name, one]) => [
      name,
      {
        ...(one.StringValue === undefined ? {} : { stringValue: one.StringValue }),
        ...(one.BinaryValue === undefined ? {} : { binaryValue: one.BinaryValue }),
        stringListValues: [],
        binaryListValues: [],
        dataType: one.DataType,
      },
    ]);
    return {
      messageId: message.id,
      receiptHandle: message.receiptHandle,
      body: message.body,
      attributes: systemAttributes(message),
      messageAttributes: Object.fromEntries(attributes) as unknown,
      ...(message.md5OfAttributes === null ? {} : { md5OfMessageAttributes: message.md5OfAttributes }),
      md5OfBody: message.md5OfBody,
      eventSource: 'aws:sqs',
      eventSourceARN: queue.arn,
      awsRegion: this.#context.env.region,
    };
  }
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return body;
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** Waits, or not if the engine stops. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, null, { signal }).catch(() => undefined);
}
