/** Asynchronous invocations: accepted at once, tried up to three times with the same request id. */
import { InvokeApiError } from './errors.ts';
import { Invocation } from './invocation.ts';
import type { FunctionPool } from './pool.ts';
import type { AsyncOutcome, InvokeOptions, InvokeResult, LambdaOptions } from './types.ts';

const RETRY_DELAYS_MS = [1000, 2000];
/** How often a throttled event is offered again, and for how long. AWS: up to 6 hours. */
const THROTTLE_PAUSE_MS = 500;
const MAX_EVENT_AGE_MS = 6 * 3_600_000;

export class AsyncQueue {
  #pending = 0;
  #stopped = false;
  readonly #wakers = new Set<() => void>();
  readonly #options: LambdaOptions;

  constructor(options: LambdaOptions) {
    this.#options = options;
  }

  get idle(): boolean {
    return this.#pending === 0;
  }

  /** Returns once the event is queued. */
  accept(pool: FunctionPool, payload: Buffer, options: Omit<InvokeOptions, 'type'>): InvokeResult {
    const first = new Invocation(payload, options);
    this.#pending++;
    void this.#deliver(pool, first).finally(() => {
      this.#pending--;
    });
    return { requestId: first.requestId, statusCode: 202, payload: Buffer.alloc(0) };
  }

  /** Gives up what still waits for a retry. */
  stop(): void {
    this.#stopped = true;
    for (const wake of this.#wakers) wake();
  }

  async #deliver(pool: FunctionPool, first: Invocation): Promise<void> {
    const { requestId, payload, traceHeader } = first;
    const delays = this.#options.asyncRetryDelaysMs ?? RETRY_DELAYS_MS;
    const acceptedAt = Date.now();
    let invocation = first;
    for (let attempts = 1; !this.#stopped; ) {
      const result = await attempt(pool, invocation);
      invocation = new Invocation(payload, { requestId, traceHeader });
      if (result instanceof InvokeApiError) {
        // Throttled: that is no attempt.
        if (Date.now() - acceptedAt > MAX_EVENT_AGE_MS) return;
        await this.#pause(THROTTLE_PAUSE_MS);
        continue;
      }
      const delay = delays[attempts - 1];
      if (result.functionError === undefined || delay === undefined) {
        this.#report(pool, payload, result, attempts);
        return;
      }
      attempts++;
      await this.#pause(delay);
    }
  }

  #report(pool: FunctionPool, payload: Buffer, result: InvokeResult, attempts: number): void {
    const { name, arn } = pool.fn.spec;
    const condition = result.functionError === undefined ? 'Success' : 'RetriesExhausted';
    const outcome: AsyncOutcome = { functionName: name, functionArn: arn, payload, result, attempts, condition };
    if (condition !== 'Success') {
      this.#options.log(`lambda ${name}: asynchronous request ${result.requestId} failed ${attempts} times and is given up`);
    }
    this.#options.onAsyncResult?.(outcome);
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#wakers.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, ms);
      this.#wakers.add(wake);
    });
  }
}

async function attempt(pool: FunctionPool, invocation: Invocation): Promise<InvokeResult | InvokeApiError> {
  pool.submit(invocation);
  try {
    return await invocation.answered;
  } catch (error) {
    if (error instanceof InvokeApiError) return error;
    throw error;
  }
}
