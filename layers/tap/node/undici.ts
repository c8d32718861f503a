import type { TapHeaders } from '../message.ts';
import { expectOne, tappedAt, watchConnections } from './connections.ts';
import { errorName, parseHead, TappedExchange } from './exchange.ts';
import { quietly } from './quietly.ts';

/** undici's own request object, which all its channels name; fetch is built on it. */
interface UndiciRequest {
  readonly method: string;
  readonly path: string;
  readonly origin?: unknown;
  readonly upgrade?: unknown;
  onBodySent?: Method;
  onData?: Method;
}
type Method = (...args: unknown[]) => unknown;
interface Head {
  text: string;
}

/** Requests per host that will stop being HTTP/1 and have no connection yet: the network proxy can follow them, a tap cannot. */
const leaving = new Map<string, number>();
const leavesHttp = ({ method, upgrade }: UndiciRequest): boolean => method === 'CONNECT' || Boolean(upgrade);
const placeOf = (origin: unknown): string => new URL(String(origin)).host;

function noMoreLeaving(place: string): void {
  const left = (leaving.get(place) ?? 1) - 1;
  if (left > 0) leaving.set(place, left);
  else leaving.delete(place);
}

const underWay = new WeakMap<UndiciRequest, { readonly exchange: TappedExchange; readonly head: Head }>();

type Subscribe = (name: string, on: (message: unknown) => void) => void;

/** Follows what undici tells on its diagnostics channels: the one inside Node (fetch) and any copy the application brings. */
export function watchUndici(subscribe: Subscribe): void {
  const on = <T>(name: string, handle: (message: T) => void): void =>
    subscribe(name, (message) => quietly(() => handle(message as T)));

  on<{ request: UndiciRequest }>('undici:request:create', ({ request }) => {
    if (leavesHttp(request)) leaving.set(placeOf(request.origin), (leaving.get(placeOf(request.origin)) ?? 0) + 1);
  });
  on<{ connectParams: { host: string } }>('undici:client:beforeConnect', ({ connectParams }) => {
    watchConnections();
    if (!leaving.has(connectParams.host)) expectOne();
  });
  on<{ request: UndiciRequest; headers: string; socket: object }>(
    'undici:client:sendHeaders',
    ({ request, headers, socket }) => {
      if (leavesHttp(request)) noMoreLeaving(placeOf(request.origin));
      if (tappedAt(socket) === undefined) return;
      const head: Head = { text: headers };
      const exchange = new TappedExchange(
        () => /^authorization: ?AWS4-/im.test(headers) || request.path.includes('X-Amz-Signature='),
        () => ({ method: request.method, target: request.path, headers: parseHead(head.text) }),
      );
      exchange.on(socket);
      followBodies(request, exchange);
      underWay.set(request, { exchange, head });
    },
  );
  on<{ request: UndiciRequest }>('undici:request:bodySent', ({ request }) => {
    const found = underWay.get(request);
    if (found !== undefined) found.exchange.request.complete = true;
  });
  on<{ request: UndiciRequest; response: { statusCode: number; headers: readonly Buffer[] } }>(
    'undici:request:headers',
    ({ request, response }) => underWay.get(request)?.exchange.answered(response.statusCode, () => pairs(response.headers)),
  );
  on<{ request: UndiciRequest }>('undici:request:trailers', ({ request }) => {
    const found = underWay.get(request);
    if (found === undefined) return;
    // A request without a body ends without saying so.
    found.exchange.request.complete = true;
    found.exchange.response.complete = true;
    found.exchange.end();
    underWay.delete(request);
  });
  on<{ request: UndiciRequest; error: unknown }>('undici:request:error', ({ request, error }) => {
    if (leavesHttp(request)) noMoreLeaving(placeOf(request.origin));
    underWay.get(request)?.exchange.end(errorName(error));
    underWay.delete(request);
  });
}

/** The channels tell of chunks only from undici 7.11 on; these two methods of the request have always been given them. */
function followBodies(request: UndiciRequest, { request: sent, response: received }: TappedExchange): void {
  for (const [name, body] of [
    ['onBodySent', sent],
    ['onData', received],
  ] as const) {
    const method = request[name];
    if (method === undefined) continue;
    const value: Method = function (this: unknown, ...args) {
      quietly(() => body.add(args[0]));
      return method.apply(this, args);
    };
    Object.defineProperty(request, name, { value, configurable: true, writable: true, enumerable: false });
  }
}

/** Raw name, value, name, value … as the parser has them. */
function pairs(list: readonly Buffer[]): TapHeaders {
  const headers: TapHeaders = {};
  for (let i = 0; i + 1 < list.length; i += 2) {
    const name = String(list[i]).toLowerCase();
    const value = String(list[i + 1]);
    const before = headers[name];
    headers[name] = before === undefined ? value : `${before}, ${value}`;
  }
  return headers;
}
