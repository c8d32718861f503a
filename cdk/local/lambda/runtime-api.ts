/**
 * The Runtime API that a function's runtime polls. Source: "Using the Lambda runtime API" in the Lambda developer guide and its
 * OpenAPI description (version 2018-06-01).
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Fault, faultPayload } from './errors.ts';
import { header, readBody, sendApiError, sendJson } from './http-replies.ts';
import type { Invocation } from './invocation.ts';

export interface RuntimeApiEvents {
  /** The runtime asks for the next request: it is done with init or with the current request. */
  readonly onReady: () => void;
  /** `payload` is the error as the runtime posted it. */
  readonly onInitError: (fault: Fault, payload: Buffer) => void;
  /** The response (or error) of the current request is complete. Called before the caller gets it. */
  readonly onAnswered: (invocation: Invocation) => void;
}

const PREFIX = '/2018-06-01/runtime/';
const MAX_ERROR_BODY = 6_291_556;
const ACCEPTED = { status: 'OK' };

export class RuntimeApi {
  readonly #functionArn: string;
  readonly #events: RuntimeApiEvents;
  #waiting: ServerResponse | undefined;
  #current: Invocation | undefined;

  constructor(functionArn: string, events: RuntimeApiEvents) {
    this.#functionArn = functionArn;
    this.#events = events;
  }

  /** Is the runtime blocked in /next? */
  get waiting(): boolean {
    return this.#waiting !== undefined;
  }

  /** Hands a request to the runtime, which must be waiting. */
  give(invocation: Invocation): void {
    const res = this.#waiting;
    if (res === undefined) throw new Error('The runtime is not waiting for a request.');
    this.#waiting = undefined;
    this.#current = invocation;
    res.writeHead(200, {
      'Content-Type': 'application/json',
      'Content-Length': invocation.payload.length,
      'Lambda-Runtime-Aws-Request-Id': invocation.requestId,
      'Lambda-Runtime-Deadline-Ms': String(invocation.deadlineMs),
      'Lambda-Runtime-Invoked-Function-Arn': this.#functionArn,
      'Lambda-Runtime-Trace-Id': invocation.traceHeader,
      ...(invocation.clientContext === undefined ? {} : { 'Lambda-Runtime-Client-Context': invocation.clientContext }),
    });
    res.end(invocation.payload);
  }

  /** Forgets the processes that were there: they have been killed. */
  reset(): void {
    this.#waiting = undefined;
    this.#current = undefined;
  }

  /** False when the path is not of this API. */
  handle(req: IncomingMessage, res: ServerResponse, path: string): boolean {
    if (!path.startsWith(PREFIX)) return false;
    const rest = path.slice(PREFIX.length);
    if (rest === 'invocation/next' && req.method === 'GET') this.#next(res);
    else if (rest === 'init/error' && req.method === 'POST') void this.#initError(req, res);
    else {
      const match = /^invocation\/([^/]+)\/(response|error)$/.exec(rest);
      if (match === null || req.method !== 'POST') return false;
      void this.#answer(req, res, decodeURIComponent(match[1] ?? ''), match[2] === 'error');
    }
    return true;
  }

  #next(res: ServerResponse): void {
    if (this.#current !== undefined && !this.#current.settled) {
      sendApiError(res, 403, 'InvalidStateTransition', 'Transition from Running to Ready is not allowed before the response.');
      return;
    }
    this.#waiting = res;
    res.once('close', () => {
      // Whoever waited went away. Its exit, or its next call, says what comes of it.
      if (this.#waiting === res) this.#waiting = undefined;
    });
    this.#events.onReady();
  }

  async #answer(req: IncomingMessage, res: ServerResponse, requestId: string, isError: boolean): Promise<void> {
    const invocation = this.#current;
    if (invocation === undefined || invocation.requestId !== requestId || invocation.settled) {
      req.resume();
      sendApiError(res, 400, 'InvalidRequestID', `Invalid request ID "${requestId}"`);
      return;
    }
    try {
      if (isError) {
        const payload = await readBody(req, MAX_ERROR_BODY);
        this.#events.onAnswered(invocation);
        invocation.failWith(payload, header(req, 'lambda-runtime-function-error-type') ?? errorTypeIn(payload));
      } else if (!(await this.#receive(req, res, invocation))) return;
      sendJson(res, 202, ACCEPTED);
    } catch {
      // The runtime died or broke off while it was sending: its exit or the timeout ends the request.
      res.destroy();
    }
  }

  /** False when the response was too large and has been refused. */
  async #receive(req: IncomingMessage, res: ServerResponse, invocation: Invocation): Promise<boolean> {
    const streamed = header(req, 'lambda-runtime-function-response-mode')?.toLowerCase() === 'streaming';
    let fits = true;
    for await (const chunk of req as AsyncIterable<Buffer>) fits = fits && invocation.receive(chunk, streamed);
    this.#events.onAnswered(invocation);
    if (!fits) {
      const message = `Response payload size exceeded maximum allowed payload size (${MAX_ERROR_BODY} bytes).`;
      invocation.failWith(
        Buffer.from(JSON.stringify({ errorType: 'Function.ResponseSizeTooLarge', errorMessage: message })),
        'Function.ResponseSizeTooLarge',
      );
      sendApiError(res, 413, 'RequestEntityTooLarge', message);
      return false;
    }
    // A stream that broke in the middle says so in its trailers (HTTP/1.1 chunked).
    const errorType = req.trailers['lambda-runtime-function-error-type'];
    if (errorType !== undefined) {
      const body = req.trailers['lambda-runtime-function-error-body'];
      const fault = { type: errorType, message: 'Error: the function failed while it streamed its response' };
      const payload = body === undefined ? faultPayload(invocation.requestId, fault) : Buffer.from(body, 'base64');
      invocation.failWith(payload, errorType);
    } else invocation.succeed(streamed ? header(req, 'content-type') : undefined);
    return true;
  }

  async #initError(req: IncomingMessage, res: ServerResponse): Promise<void> {
    try {
      const payload = await readBody(req, MAX_ERROR_BODY);
      const type = header(req, 'lambda-runtime-function-error-type') ?? errorTypeIn(payload) ?? 'Runtime.Unknown';
      sendJson(res, 202, ACCEPTED);
      this.#events.onInitError({ type, message: `Error: ${type}` }, payload);
    } catch {
      res.destroy();
    }
  }
}

function errorTypeIn(payload: Buffer): string | undefined {
  try {
    const value: unknown = JSON.parse(payload.toString());
    if (typeof value === 'object' && value !== null && 'errorType' in value && typeof value.errorType === 'string') {
      return value.errorType;
    }
  } catch {
    // Not JSON: the runtime may post what it likes.
  }
  return undefined;
}
