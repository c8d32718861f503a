import type { MockttpServer } from 'mockttp/dist/server/mockttp-server';
import type { Peer } from '../../record/types.ts';
import { nowMicros } from '../clock.ts';
import { Exchange } from './exchanges.ts';
import type { InterceptorOptions } from './interception.ts';
import type { Connection } from './tunnel.ts';

interface WatchOptions extends Omit<InterceptorOptions, 'authority' | 'roots'> {
  connectionOf(port: number): Connection | undefined;
  distrust(peer: Peer, sni: string | undefined): void;
}

/** Upstream failures that mean "this server would not talk to us", as opposed to the network or the server being down. */
const TLS_FAILURE = /^(ERR_SSL|ERR_TLS|CERT_|UNABLE_TO|SELF_SIGNED|DEPTH_ZERO)/;

/** mockttp reports pieces of a body 20 ms late, those before an abort too. */
const LAST_PIECE_MS = 40;

/** What mockttp writes into a response whose client has gone; nobody receives it. */
const ABORT_TEXT = Buffer.from('Error: aborted');

/** mockttp's timestamps are of performance.now(); events come a turn of the loop after what they tell of. */
function realTime(timestamp: number = performance.now()): number {
  return nowMicros() - Math.max(0, Math.round((performance.now() - timestamp) * 1000));
}

export interface ExchangeWatch {
  /** Reports what is still under way as cut short. */
  stop(): void;
}

/**
 * Turns mockttp's events into one observation per exchange. mockttp emits each event with setImmediate in the order in
 * which things happened, so a request is known before its body and a response's head before its end.
 */
export function watchExchanges(mockttp: MockttpServer, options: WatchOptions): ExchangeWatch {
  const underWay = new Map<string, Exchange>();

  const finish = (id: string, error?: string): void => {
    const exchange = underWay.get(id);
    if (exchange === undefined) return;
    underWay.delete(id);
    options.observe(exchange.observation(error));
  };

  const begin = (
    request: { id: string; method: string; path: string; protocol: string; remotePort?: number } & {
      headers: Record<string, string | string[] | undefined>;
      timingEvents: { startTimestamp: number };
    },
    upgrade = false,
  ): Exchange | undefined => {
    const connection = request.remotePort === undefined ? undefined : options.connectionOf(request.remotePort);
    if (connection === undefined) {
      options.log(`network: exchange on port ${request.remotePort} belongs to no known connection, not recorded`);
      return undefined;
    }
    const scheme = request.protocol === 'https' || request.protocol === 'wss' ? 'https' : 'http';
    const { method, path: target, headers, timingEvents } = request;
    const exchange = new Exchange(request.id, connection, {
      method,
      scheme,
      target,
      headers,
      from: realTime(timingEvents.startTimestamp),
      upgrade,
    });
    underWay.set(request.id, exchange);
    return exchange;
  };

  mockttp.on('request-initiated', (request) => void begin(request));
  mockttp.on('request-body-data', ({ id, content, isEnded }) => {
    const body = underWay.get(id)?.request;
    body?.add(content);
    if (body) body.complete = isEnded;
  });
  mockttp.on('response-initiated', ({ id, statusCode, headers, timingEvents }) =>
    underWay.get(id)?.answered(statusCode, headers, realTime(timingEvents.headersSentTimestamp)),
  );
  mockttp.on('response-body-data', ({ id, content, isEnded }) => {
    const exchange = underWay.get(id);
    if (exchange === undefined) return;
    if (exchange.cut) {
      const spurious = isEnded && Buffer.from(content.subarray(-ABORT_TEXT.length)).equals(ABORT_TEXT);
      exchange.response.add(spurious ? content.subarray(0, -ABORT_TEXT.length) : content);
      return;
    }
    exchange.response.add(content);
    exchange.response.complete = isEnded;
    if (isEnded) finish(id);
  });
  mockttp.on('abort', (request) => {
    const error = (request as { error?: { code?: string; message?: string } }).error;
    const exchange = underWay.get(request.id);
    if (exchange === undefined) return;
    exchange.cut = true;
    const { connection } = exchange;
    if (TLS_FAILURE.test(error?.code ?? '')) options.distrust(connection.peer, connection.sni);
    setTimeout(finish, LAST_PIECE_MS, request.id, error?.code ?? error?.message ?? 'aborted').unref();
  });

  mockttp.on('websocket-request', (request) => {
    const exchange = begin(request, true);
    if (exchange !== undefined) exchange.request.complete = true;
  });
  mockttp.on('websocket-accepted', ({ id, statusCode, headers }) =>
    underWay.get(id)?.answered(statusCode, headers, nowMicros()),
  );
  // Named from the server's side: what it received is what the application sent.
  mockttp.on('websocket-message-received', ({ streamId, content }) => underWay.get(streamId)?.request.add(content));
  mockttp.on('websocket-message-sent', ({ streamId, content }) => underWay.get(streamId)?.response.add(content));
  mockttp.on('websocket-close', ({ streamId }) => {
    const exchange = underWay.get(streamId);
    if (exchange !== undefined) exchange.response.complete = true;
    finish(streamId);
  });
  // A refused upgrade ends as an ordinary response.
  mockttp.on('response', ({ id, statusCode, headers }) => {
    const exchange = underWay.get(id);
    if (!exchange?.head.upgrade) return;
    exchange.answered(statusCode, headers, nowMicros());
    finish(id);
  });

  mockttp.on('tls-client-error', ({ remotePort, failureCause }) => {
    const connection = remotePort === undefined ? undefined : options.connectionOf(remotePort);
    if (connection !== undefined && failureCause !== 'handshake-timeout') options.clientRejected(connection);
  });
  mockttp.on('client-error', ({ request }) => {
    const connection = request.remotePort === undefined ? undefined : options.connectionOf(request.remotePort);
    if (connection !== undefined) options.notHttp(connection);
  });

  return {
    stop() {
      for (const id of [...underWay.keys()]) finish(id, 'the proxy was stopped');
    },
  };
}
