import type { BodyDigest, ProcessId, RequestEndObservation } from '../record/types.ts';

/** A request as the platform hands it to the runtime. */
export interface Invocation {
  readonly reqId: string;
  readonly deadlineMs: number;
  readonly fnArn: string;
  readonly traceId: string | undefined;
  readonly event: BodyDigest;
  /** The event itself, for its join keys; absent when it is too large to be looked at or was not seen whole. */
  readonly body: Buffer | undefined;
}

/** How a request, or Init, ended. */
export type Outcome = Pick<RequestEndObservation, 'status' | 'errorType' | 'response'>;

/** Who talks to the Runtime API: the process that the tap saw, or whoever has that port at the proxy. */
export interface Speaker {
  readonly proc?: ProcessId;
  /** Local port of a connection to the Runtime API proxy. */
  readonly port?: number | undefined;
}

/**
 * What is told of the talk with the Runtime API, in the order in which it happens. None of these may throw or take long: behind
 * the proxy the runtime waits. `t`: when, in µs since 1970.
 */
export interface RuntimeListener {
  /** The runtime asks for work: everything it was doing is finished. */
  asked(who: Speaker, t: number): void;
  /** A request is being handed to the runtime. */
  begun(who: Speaker, invocation: Invocation, t: number): void;
  /** The platform has accepted the runtime's answer. */
  ended(who: Speaker, reqId: string, outcome: Outcome, t: number): void;
  initFailed(who: Speaker, outcome: Outcome, t: number): void;
  /** A snapshot is about to be taken. */
  snapshot(who: Speaker, t: number): void;
  /** The environment was restored from a snapshot. */
  restored(who: Speaker, t: number): void;
}

/** Largest synchronous event (6 MB) with room for its encoding. Beyond it an event is passed through without being read. */
export const EVENT_LIMIT = 6 * 1024 * 1024 + 256 * 1024;
/** Errors above this size are not looked into. */
export const ERROR_LIMIT = 256 * 1024;
const CALL =
  /\/runtime\/(?:invocation\/(next)|invocation\/([^/]{1,256})\/(response|error)|init\/(error)|restore\/(next|error))$/;
/** How a streamed response says that it failed half-way (Lambda documentation, "response streaming"). */
const ERROR_TYPE = 'lambda-runtime-function-error-type';

/** A call of the Runtime API (2018-06-01), by its path. */
export type RuntimeCall =
  | { readonly call: 'next' | 'init-error' | 'restore' | 'restore-error' | 'other' }
  | { readonly call: 'response' | 'error'; readonly reqId: string };

type Headers = Record<string, string | string[] | undefined>;

export function runtimeCall(target: string): RuntimeCall {
  const [, next, reqId, result, initError, restore] = CALL.exec(target.replace(/\?.*$/s, '')) ?? [];
  if (next !== undefined) return { call: 'next' };
  if (result !== undefined && reqId !== undefined) return { call: result as 'response' | 'error', reqId: decoded(reqId) };
  if (initError !== undefined) return { call: 'init-error' };
  return { call: restore === 'next' ? 'restore' : restore === 'error' ? 'restore-error' : 'other' };
}

/** Undefined when the answer names no request. */
export function invocationOf(headers: Headers, event: BodyDigest, body: Buffer | undefined): Invocation | undefined {
  const reqId = header(headers, 'lambda-runtime-aws-request-id');
  if (reqId === undefined) return undefined;
  const deadlineMs = Number(header(headers, 'lambda-runtime-deadline-ms'));
  return {
    reqId,
    deadlineMs: Number.isSafeInteger(deadlineMs) ? deadlineMs : 0,
    fnArn: header(headers, 'lambda-runtime-invoked-function-arn') ?? '',
    traceId: header(headers, 'lambda-runtime-trace-id'),
    event,
    body,
  };
}

/** What a call that ends a request, or Init, says about it. `said`: its body, if that is an error and short enough. */
export function outcomeOf(
  call: 'response' | 'error' | 'init-error',
  headers: Headers,
  trailers: Headers,
  said: Buffer | undefined,
  response: BodyDigest,
): Outcome {
  const failedHalfWay = header(trailers, ERROR_TYPE);
  // AWS's own clients for Node and Python name the type of an error only in its body.
  const errorType = header(headers, ERROR_TYPE) ?? failedHalfWay ?? typeInBody(said);
  const failed = call !== 'response' || failedHalfWay !== undefined;
  const status = call === 'init-error' ? 'init-error' : failed ? 'error' : 'ok';
  return { status, response, ...(errorType === undefined ? {} : { errorType }) };
}

/** `errorType` of an error as the Runtime API documents it. */
function typeInBody(said: Buffer | undefined): string | undefined {
  try {
    const { errorType } = JSON.parse((said ?? '').toString()) as { errorType?: unknown };
    return typeof errorType === 'string' ? errorType.slice(0, 256) : undefined;
  } catch {
    return undefined;
  }
}

function header(headers: Headers, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
