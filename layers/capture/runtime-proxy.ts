import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { BodyMeter } from './body.ts';
import { nowMicros } from './clock.ts';
import { MAX_HEADER_BYTES, openUpstream, pairs, relayBody, relayHead } from './forward.ts';
import { type HeldPort, holdPort } from './held-port.ts';
import { log } from './log.ts';
import { ERROR_LIMIT, EVENT_LIMIT, invocationOf, outcomeOf, type RuntimeListener, runtimeCall } from './runtime-calls.ts';
import type { Upstream } from './upstream.ts';

export interface RuntimeProxy {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Stands between a runtime that cannot be tapped and the Lambda Runtime API, and passes everything on as it comes. For such a
 * runtime it is the clock of the whole system: it alone sees exactly when a request begins and ends. `held`: the port, when it is open already.
 */
export async function startRuntimeProxy(
  upstream: string | Upstream,
  listener: RuntimeListener,
  held?: HeldPort,
): Promise<RuntimeProxy> {
  const server = createServer({ keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0, maxHeaderSize: MAX_HEADER_BYTES });
  server.timeout = 0;
  const address = (): string => (typeof upstream === 'string' ? upstream : upstream.address);
  server.on('request', (client, answer) => pass(address(), client, answer, listener));
  server.on('clientError', (_error, socket) => socket.destroy());
  const door = held ?? (await holdPort());
  const sockets = new Set<Socket>();
  door.serve((socket) => {
    sockets.add(socket.once('close', () => sockets.delete(socket)));
    server.emit('connection', socket);
  });
  return {
    port: door.port,
    close: () => {
      for (const socket of sockets) socket.destroy();
      return door.close();
    },
  };
}

function pass(upstream: string, client: IncomingMessage, answer: ServerResponse, listener: RuntimeListener): void {
  const called = runtimeCall(client.url ?? '');
  const who = { port: client.socket.remotePort };
  // Recording must not fail what is recorded.
  const tell = (event: (to: RuntimeListener, t: number) => void): void => {
    try {
      event(listener, nowMicros());
    } catch (error) {
      log('recording a Runtime API call failed', error);
    }
  };
  if (called.call === 'next') tell((to, t) => to.asked(who, t));
  if (called.call === 'restore') tell((to, t) => to.snapshot(who, t));

  const sent = new BodyMeter();
  const said: Buffer[] = [];
  const accepted = (): void => {
    if (called.call !== 'response' && called.call !== 'error' && called.call !== 'init-error') return;
    const body = called.call !== 'response' && sent.bytes <= ERROR_LIMIT ? Buffer.concat(said) : undefined;
    const outcome = outcomeOf(called.call, client.headers, client.trailers, body, sent.digest());
    tell((to, t) => ('reqId' in called ? to.ended(who, called.reqId, outcome, t) : to.initFailed(who, outcome, t)));
  };
  const open = (again: boolean): void => {
    const request = openUpstream(upstream, client);
    request.on('response', (response) => {
      if ((response.statusCode ?? 500) < 300) {
        if (called.call === 'next') return void handOver(response, answer, tell);
        accepted();
        if (called.call === 'restore') tell((to, t) => to.restored(who, t));
      }
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
      if (called.call !== 'response' && sent.bytes <= ERROR_LIMIT) said.push(chunk);
    });
    client.pipe(request, { end: false });
    client.on('end', () => {
      sent.end();
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
  tell: (event: (to: RuntimeListener, t: number) => void) => void,
): void {
  const meter = new BodyMeter();
  const chunks: Buffer[] = [];
  let size = 0;
  const begin = (body: Buffer | undefined): void => {
    const invocation = invocationOf(response.headers, meter.digest(), body);
    if (invocation !== undefined) tell((to, t) => to.begun({ port: answer.req.socket.remotePort }, invocation, t));
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
