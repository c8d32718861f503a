import type { Environment, Worker } from '../../environment.ts';
import { parseArn } from '../../environment.ts';
import { ServiceError, sendJsonError, sendQueryError } from '../../http/error.ts';
import { type Exchange, readBody, send } from '../../http/exchange.ts';
import { uuid } from '../../ids.ts';
import { type Call, type Fields, missingQueue, OPERATIONS } from './operations.ts';
import { queryInput, queryOutput, SQS_XMLNS } from './query-protocol.ts';
import { Queue, type QueueSettings } from './queue.ts';

/** SQS: JSON protocol (current SDKs) and query protocol (older ones, e.g. boto3 before 1.28.64). */
export class SqsService implements Worker {
  readonly #env: Environment;
  readonly #queues = new Map<string, Queue>();
  readonly #consumed = new Set<string>();

  constructor(env: Environment) {
    this.#env = env;
  }

  create(name: string, settings: QueueSettings): Queue {
    const arn = `arn:aws:sqs:${this.#env.region}:${this.#env.accountId}:${name}`;
    const queue = new Queue(name, arn, settings, (message) => {
      const target = settings.redrive === null ? null : this.byArn(settings.redrive.deadLetterArn);
      if (target === null) this.#env.log(`SQS: message ${message.id} of ${name} is lost: its dead-letter queue does not exist`);
      else target.accept(message, arn);
    });
    this.#queues.set(name, queue);
    return queue;
  }

  byArn(arn: string): Queue | null {
    return this.#queues.get(parseArn(arn)?.resource ?? '') ?? null;
  }

  url(queue: Queue): string {
    return `${this.#env.endpoint}/${this.#env.accountId}/${queue.name}`;
  }

  /** Says that something in the engine empties this queue: until it has, the engine is not idle. */
  consumed(queue: Queue): void {
    this.#consumed.add(queue.name);
  }

  /** Queues nobody consumes (dead letters, and queues only a test reads) may hold messages for ever. */
  busy(): string | null {
    for (const queue of this.#queues.values())
      if (this.#consumed.has(queue.name) && queue.length > 0) return `${queue.length} message(s) in queue ${queue.name}`;
    return null;
  }

  /** JSON protocol when the exchange has an operation, query protocol otherwise. */
  async handle(exchange: Exchange, form?: URLSearchParams): Promise<void> {
    const { operation } = exchange;
    if (operation !== null) {
      try {
        const input = JSON.parse((await readBody(exchange.req)).toString('utf8') || '{}') as Fields;
        const output = await this.#run(exchange, operation, input);
        const headers = { 'content-type': 'application/x-amz-json-1.0', 'x-amzn-requestid': uuid() };
        send(exchange.res, 200, headers, JSON.stringify(output));
      } catch (cause) {
        sendJsonError(exchange.res, cause, 'com.amazonaws.sqs');
      }
      return;
    }
    try {
      const fields = form ?? new URLSearchParams((await readBody(exchange.req)).toString('utf8'));
      const action = fields.get('Action') ?? exchange.query.get('Action') ?? '';
      const requestId = uuid();
      const output = await this.#run(exchange, action, queryInput(action, fields));
      const headers = { 'content-type': 'text/xml', 'x-amzn-requestid': requestId };
      send(exchange.res, 200, headers, queryOutput(action, output, requestId));
    } catch (cause) {
      sendQueryError(exchange.res, cause, SQS_XMLNS);
    }
  }

  async #run(exchange: Exchange, action: string, input: Fields): Promise<Fields> {
    const operation = Object.hasOwn(OPERATIONS, action) ? OPERATIONS[action] : undefined;
    if (operation === undefined)
      throw new ServiceError(
        'InvalidAction',
        `The local engine does not offer the SQS action ${JSON.stringify(action)}. It has ${Object.keys(OPERATIONS).join(', ')}.`,
      );
    // Someone who hangs up during a long poll must not take messages with him.
    const gone = new AbortController();
    exchange.res.once('close', () => gone.abort());
    const call: Call = {
      input,
      accessKey: exchange.scope?.accessKey ?? 'anonymous',
      accountId: this.#env.accountId,
      endpoint: this.#env.endpoint,
      signal: gone.signal,
      queue: () => this.#named(typeof input.QueueUrl === 'string' ? input.QueueUrl : exchange.path),
      queues: () => [...this.#queues.values()],
      find: (name) => this.#queues.get(name) ?? null,
      byArn: (arn) => this.byArn(arn),
    };
    return operation(call);
  }

  /** Only the last segment counts: URLs made for another port, or for AWS itself, mean the same queue. */
  #named(url: string): Queue {
    const queue = this.#queues.get(decodeURIComponent(url.split('/').at(-1) ?? ''));
    if (queue === undefined) throw missingQueue();
    return queue;
  }
}
