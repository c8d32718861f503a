import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { BodyDigest, RequestEndObservation } from '../record/types.ts';
import { BodyMeter } from './body.ts';
import { MAX_HEADER_BYTES, openUpstream, pairs, relayBody, relayHead } from './forward.ts';
import { log } from './log.ts';
import type { Upstream } from './upstream.ts';

/** A request as the platform hands it to the runtime. */
export interface Invocation {
  readonly reqId: string;
  readonly deadlineMs: number;
  readonly fnArn: string;
  readonly traceId: string | undefined;
  readonly event: BodyDigest;
  /** The event itself, for its join keys; absent when it is too large to be looked at. */
  readonly body: Buffer | undefined;
  /** Port from which the runtime's connection comes: tells which of its processes takes the request. */
  readonly port?: number | undefined;
}

/** How a request, or Init, ended. */
export type Outcome = Pick<RequestEndObservation, 'status' | 'errorType' | 'response'>;

/** What the proxy tells, in the order in which it happens. None of these may throw or take long: the runtime waits. */
export interface RuntimeListener {
  /** The runtime asks for work: everything it was doing is finished. */
  asked(): void;
  /** A request is about to be handed to the runtime. */
  begun(invocation: Invocation): void;
  /** The platform has accepted the runtime's answer. */
  ended(reqId: string, outcome: Outcome): void;
  initFailed(outcome: Outcome): void;
  /** A snapshot is about to be taken. */
  snapshot(): void;
  /** The environment was restored from a snapshot. */
  restored(): void;
}

export interface RuntimeProxy {
  readonly port: number;
  close(): Promise<void>;
}

/** Largest synchronous event (6 MB) with room for its encoding. Beyond it an event is passed through without being read. */
const EVENT_LIMIT = 6 * 1024 * 1024 + 256 * 1024;
/** Errors above this size are not looked into. */
const ERROR_LIMIT = 256 * 1024;
const CALL = /\/runtime\/(?:invocation\/(next)|invocation\/([^/]+)\/(response|error)|init\/(error)|restore\/(next|error))$/;
/** How a streamed response says that it failed half-way (Lambda documentation, "response streaming"). */
const ERROR_TYPE = 'lambda-runtime-function-error-type';

/**
 * Stands between the runtime and the Lambda Runtime API and passes everything on as it comes. It is the clock of the whole
 * system: it alone sees exactly when a request begins and ends.
 */
export async function startRuntimeProxy(upstream: string | Upstream, listener: RuntimeListener): Promise<RuntimeProxy> {
  const server = createServer({ keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0, maxHeaderSize: MAX_HEADER_BYTES });
  server.timeout = 0;
  const address = (): string => (typeof upstream === 'string' ? upstream : upstream.address);
  server.on('request', (client, answer) => pass(address(), client, answer, listener));
  server.on('clientError', (_error, socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function pass(upstream: string, client: IncomingMessage, answer: ServerResponse, listener: RuntimeListener): void {
  const [, next, reqId, result, initError, restore] = CALL.exec((client.url ?? '').replace(/\?.*$/s, '')) ?? [];
  // Recording must not fail what is recorded.
  const tell = (event: (to: RuntimeListener) => void): void => {
    try {
      event(listener);
    } catch (error) {
      log('recording a Runtime API call failed', error);
    }
  };
  if (next !== undefined) tell((to) => to.asked());
  if (restore === 'next') tell((to) => to.snapshot());

  const sent = new BodyMeter();
  /** AWS's own clients for Node and Python name the type of an error only in its body. */
  const said: Buffer[] | undefined = result === 'error' || initError !== undefined ? [] : undefined;
  let failedHalfWay: string | undefined;
  const open = (again: boolean): void => {
    const request = openUpstream(upstream, client);
    request.on('response', (response) => {
      const accepted = (response.statusCode ?? 500) < 300;
      if (next !== undefined && accepted) return void handOver(response, answer, tell);
      if (accepted && (result !== undefined || initError !== undefined)) {
        const errorType = header(client, ERROR_TYPE) ?? failedHalfWay ?? typeInBody(said);
        const failed = result !== 'response' || failedHalfWay !== undefined;
        const status = initError !== undefined ? 'init-error' : failed ? 'error' : 'ok';
        const outcome = { status, response: sent.digest(), ...(errorType === undefined ? {} : { errorType }) } as const;
        tell((to) => (reqId === undefined ? to.initFailed(outcome) : to.ended(decodeURIComponent(reqId), outcome)));
      }
      if (accepted && restore === 'next') tell((to) => to.restored());
      relayHead(response, answer);
      relayBody(response, answer);
    });
    request.on('error', (error) => {
      // A kept connection that died while the environment was frozen: nothing was answered, a GET can be asked again.
      if (again && client.method === 'GET' && request.reusedSocket && !answer.headersSent && !answer.destroyed)
        return open(false);
      if (!answer.destroyed) log(`Runtime API ${client.method} ${client.url} failed`, error);
      answer.destroy();
    });
    // A runtime that died must not leave a poll behind: it would swallow the next request.
    answer.once('close', () => {
      if (!answer.writableFinished) request.destroy();
    });
    if (client.method === 'GET') return void request.end();
    client.on('data', (chunk: Buffer) => {
      sent.add(chunk);
      if (sent.bytes <= ERROR_LIMIT) said?.push(chunk);
    });
    client.pipe(request, { end: false });
    client.on('end', () => {
      sent.end();
      failedHalfWay = client.trailers[ERROR_TYPE];
      if (client.rawTrailers.length > 0) request.addTrailers(pairs(client.rawTrailers));
      request.end();
    });
    client.on('aborted', () => request.destroy());
  };
  open(true);
}

/** Reads the event, tells that a request begins, and only then gives it to the runtime. */
function handOver(
  response: IncomingMessage,
  answer: ServerResponse,
  tell: (event: (to: RuntimeListener) => void) => void,
): void {
  const meter = new BodyMeter();
  const chunks: Buffer[] = [];
  let size = 0;
  const begin = (body: Buffer | undefined): void => {
    const reqId = header(response, 'lambda-runtime-aws-request-id');
    if (reqId === undefined) return;
    const deadlineMs = Number(header(response, 'lambda-runtime-deadline-ms'));
    tell((to) =>
      to.begun({
        reqId,
        deadlineMs: Number.isSafeInteger(deadlineMs) ? deadlineMs : 0,
        fnArn: header(response, 'lambda-runtime-invoked-function-arn') ?? '',
        traceId: header(response, 'lambda-runtime-trace-id'),
        event: meter.digest(),
        body,
        port: answer.req.socket.remotePort,
      }),
    );
  };
  const collect = (chunk: Buffer): void => {
    meter.add(chunk);
    chunks.push(chunk);
    size += chunk.length;
    if (size <= EVENT_LIMIT) return;
    response.off('data', collect).off('end', whole);
    response.pause();
    begin(undefined);
    relayHead(response, answer);
    for (const held of chunks) answer.write(held);
    relayBody(response, answer);
  };
  const whole = (): void => {
    meter.end();
    const body = Buffer.concat(chunks);
    begin(body);
    relayHead(response, answer);
    if (response.rawTrailers.length > 0) answer.addTrailers(pairs(response.rawTrailers));
    answer.end(body);
  };
  response.on('data', collect).on('end', whole);
  response.on('error', () => answer.destroy());
}

/** `errorType` of an error as the Runtime API documents it. */
function typeInBody(said: readonly Buffer[] | undefined): string | undefined {
  try {
    const { errorType } = JSON.parse(Buffer.concat(said ?? []).toString()) as { errorType?: unknown };
    return typeof errorType === 'string' ? errorType.slice(0, 256) : undefined;
  } catch {
    return undefined;
  }
}

function header(message: IncomingMessage, name: string): string | undefined {
  const value = message.headers[name];
  return Array.isArray(value) ? value[0] : value;
}
