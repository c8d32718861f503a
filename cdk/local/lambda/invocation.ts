import { randomBytes, randomUUID } from 'node:crypto';
import { type Fault, faultPayload } from './errors.ts';
import type { InvokeOptions, InvokeResult } from './types.ts';

/** Lambda's limits for a synchronous response, in bytes: buffered ("6 MB" and some overhead) and streamed. */
const MAX_RESPONSE = 6_291_556;
const MAX_STREAMED_RESPONSE = 209_715_200;
const TAIL_BYTES = 4096;

/** One request on its way through an instance. */
export class Invocation {
  readonly requestId: string;
  readonly payload: Buffer;
  readonly traceHeader: string;
  readonly clientContext: string | undefined;
  /** Resolves when the response is complete, which may be before the instance is done with the request. */
  readonly answered: Promise<InvokeResult>;
  /** Resolves when the instance is done with the request, extensions included. */
  readonly finished: Promise<void>;
  finish!: () => void;
  /** Epoch ms; known when an instance takes the request on. */
  deadlineMs = 0;
  /** Size of the response. */
  producedBytes = 0;
  outcome: 'success' | 'error' | 'timeout' | 'failure' = 'success';
  errorType: string | undefined;
  #resolve!: (result: InvokeResult) => void;
  #reject!: (error: Error) => void;
  #settled = false;
  #chunks: Buffer[] = [];
  #contentType: string | undefined;
  #tail: string[] = [];
  #tailBytes = 0;
  readonly #options: Pick<InvokeOptions, 'onChunk' | 'logType'>;

  constructor(payload: Buffer, options: Omit<InvokeOptions, 'type'>) {
    this.requestId = options.requestId ?? randomUUID();
    this.payload = payload;
    this.traceHeader = options.traceHeader ?? newTraceHeader();
    this.clientContext = options.clientContext;
    this.#options = options;
    this.answered = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.finished = new Promise((resolve) => {
      this.finish = resolve;
    });
  }

  get settled(): boolean {
    return this.#settled;
  }

  /** Takes a piece of the response in. False when the response has become larger than Lambda allows. */
  receive(chunk: Buffer, streamed: boolean): boolean {
    this.producedBytes += chunk.length;
    if (this.producedBytes > (streamed ? MAX_STREAMED_RESPONSE : MAX_RESPONSE)) return false;
    this.#chunks.push(chunk);
    if (streamed) this.#options.onChunk?.(chunk);
    return true;
  }

  /** The response is complete. */
  succeed(contentType?: string): void {
    const payload = Buffer.concat(this.#chunks);
    this.#contentType = contentType;
    this.#settle(payload, undefined);
  }

  /** The function reported an error itself; `payload` is what it posted. */
  failWith(payload: Buffer, errorType: string | undefined): void {
    if (this.#settled) return;
    this.outcome = 'error';
    this.errorType = errorType;
    this.#settle(payload, 'Unhandled');
  }

  /** Lambda reports the error, since the function no longer can. */
  fail(fault: Fault, outcome: 'error' | 'timeout' | 'failure'): void {
    if (this.#settled) return;
    this.outcome = outcome;
    this.errorType = fault.type;
    this.#settle(faultPayload(this.requestId, fault), 'Unhandled');
  }

  /** No instance ever took it. */
  refuse(error: Error): void {
    this.#settled = true;
    this.#reject(error);
    this.finish();
  }

  /** Adds a line to the tail of the log that `logType: Tail` asks for. */
  logLine(line: string): void {
    if (this.#options.logType !== 'Tail') return;
    this.#tail.push(line);
    this.#tailBytes += line.length + 1;
    while (this.#tailBytes > TAIL_BYTES && this.#tail.length > 1) this.#tailBytes -= (this.#tail.shift()?.length ?? 0) + 1;
  }

  get logTail(): string {
    return this.#tail.map((line) => `${line}\n`).join('');
  }

  #settle(payload: Buffer, functionError: 'Unhandled' | undefined): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#chunks = [];
    this.#resolve({
      requestId: this.requestId,
      statusCode: 200,
      payload,
      ...(functionError === undefined ? {} : { functionError }),
      ...(this.#contentType === undefined ? {} : { contentType: this.#contentType }),
    });
  }
}

/** Shape as in the X-Ray developer guide, "Tracing header". Never sampled: there is no X-Ray here. */
function newTraceHeader(): string {
  const seconds = Math.floor(Date.now() / 1000).toString(16);
  const hex = (bytes: number) => randomBytes(bytes).toString('hex');
  return `Root=1-${seconds}-${hex(12)};Parent=${hex(8)};Sampled=0`;
}
