import type { Deliver } from './delivery.ts';
import type { Environment, Worker } from './environment.ts';
import type { AsyncOutcome } from './lambda/index.ts';
import { Pending } from './pending.ts';

/** Where the outcome of asynchronous invocations of a function goes, as ARNs. */
export interface Destination {
  readonly onSuccess?: string | undefined;
  readonly onFailure?: string | undefined;
  /** Gets the event itself. */
  readonly deadLetter?: string | undefined;
}

/** Destinations and dead-letter targets of asynchronous invocations. */
export class Destinations implements Worker {
  readonly #deliver: Deliver;
  readonly #byFunction = new Map<string, Destination>();
  readonly #pending: Pending;

  constructor(env: Environment, deliver: Deliver) {
    this.#deliver = deliver;
    this.#pending = new Pending('delivery to a function destination', env.log);
  }

  /** Adds to what is known of the function. */
  set(functionName: string, destination: Destination): void {
    this.#byFunction.set(functionName, { ...this.#byFunction.get(functionName), ...destination });
  }

  report(outcome: AsyncOutcome): void {
    const known = this.#byFunction.get(outcome.functionName);
    const failed = outcome.condition !== 'Success';
    const arn = failed ? known?.onFailure : known?.onSuccess;
    const context = { sourceArn: outcome.functionArn };
    if (arn !== undefined) this.#pending.start(() => this.#deliver.to(arn, JSON.stringify(record(outcome)), context));
    const deadLetter = known?.deadLetter;
    if (failed && deadLetter !== undefined)
      this.#pending.start(() => this.#deliver.to(deadLetter, outcome.payload.toString('utf8'), context));
  }

  busy(): string | null {
    return this.#pending.busy();
  }

  stop(): void {
    this.#pending.stop();
  }
}

/** https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html */
function record(outcome: AsyncOutcome): unknown {
  const { result } = outcome;
  return {
    version: '1.0',
    timestamp: new Date().toISOString(),
    requestContext: {
      requestId: result.requestId,
      functionArn: `${outcome.functionArn}:$LATEST`,
      condition: outcome.condition,
      approximateInvokeCount: outcome.attempts,
    },
    requestPayload: JSON.parse(outcome.payload.toString('utf8')) as unknown,
    responseContext: {
      statusCode: result.statusCode,
      executedVersion: '$LATEST',
      ...(result.functionError === undefined ? {} : { functionError: result.functionError }),
    },
    responsePayload: result.payload.length === 0 ? null : (JSON.parse(result.payload.toString('utf8')) as unknown),
  };
}
