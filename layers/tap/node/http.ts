import type { Agent, ClientRequest, IncomingMessage } from 'node:http';
import { expectSocket, watchConnections, whileConnecting } from './connections.ts';
import { errorName, parseHead, TappedExchange } from './exchange.ts';
import { quietly } from './quietly.ts';

type AnyFunction = (...args: unknown[]) => unknown;
/** What Node has in a request besides what it documents. */
type Request = ClientRequest & { _header?: string | null; agent?: Agent | false };
type Own = Record<string, AnyFunction>;

const isAwsCall = (request: Request): boolean => {
  const value = request.getHeader('authorization');
  return (typeof value === 'string' && value.startsWith('AWS4-')) || request.path.includes('X-Amz-Signature=');
};

/** Its connection will stop being HTTP/1: the network proxy can follow that, a tap cannot. */
const leavesHttp = (request: Request): boolean => request.method === 'CONNECT' || request.getHeader('upgrade') !== undefined;

let installed = false;

/** To be called for the first request of the process before it has asked for its connection. */
function install(request: Request): void {
  installed = true;
  watchConnections();
  const { Agent: Base } = process.getBuiltinModule('node:http');
  const proto = Base.prototype as unknown as Own;
  const createSocket = proto.createSocket;
  if (createSocket !== undefined) {
    proto.createSocket = function (this: Agent, ...args) {
      const [asked] = args;
      if (leavesHttp(asked as Request)) return createSocket.apply(this, args);
      return whileConnecting(() => createSocket.apply(this, args));
    };
  }
  // Its own socket exists already: all that this agent has are for HTTP.
  const { agent } = request;
  if (!agent || leavesHttp(request)) return;
  for (const list of Object.values(agent.sockets)) for (const socket of list ?? []) expectSocket(socket as never);
}

/** Channel `http.client.request.created`: follows one request of node:http or node:https to its end. */
export function watchRequest(message: unknown): void {
  quietly(() => {
    const { request } = message as { request: Request };
    if (!installed) install(request);
    follow(request);
  });
}

function follow(request: Request): void {
  const exchange = new TappedExchange(
    () => isAwsCall(request),
    () => ({ method: request.method, target: request.path, headers: parseHead(request._header ?? '') }),
  );
  const own = request as unknown as Own;
  const { emit, write, end } = own as { emit: AnyFunction; write: AnyFunction; end: AnyFunction };

  // On the object, not on the prototype: whatever the application has put there, before or after, goes on working.
  own.write = function (this: unknown, ...args) {
    if (!request.writableEnded && !request.destroyed) quietly(() => exchange.request.add(args[0], args[1]));
    return write.apply(this, args);
  };
  own.end = function (this: unknown, ...args) {
    quietly(() => {
      if (request.writableEnded || request.destroyed) return;
      if (typeof args[0] !== 'function') exchange.request.add(args[0], args[1]);
      exchange.request.complete = true;
    });
    return end.apply(this, args);
  };
  own.emit = function (this: unknown, ...args) {
    quietly(() => onEvent(exchange, args[0], args[1]));
    return emit.apply(this, args);
  };
  hide(own, 'write', 'end', 'emit');
}

function onEvent(exchange: TappedExchange, name: unknown, value: unknown): void {
  if (name === 'socket') exchange.on(value as object);
  else if (name === 'response') followResponse(exchange, value as IncomingMessage);
  else if (name === 'error') exchange.end(errorName(value));
  else if (name === 'close') exchange.end('aborted');
  else if (name === 'upgrade' || name === 'connect') {
    const { statusCode = 0, headers } = value as IncomingMessage;
    exchange.answered(statusCode, headers);
    exchange.end();
  }
}

/** Sees the body as the parser delivers it, whether or not somebody reads it. */
function followResponse(exchange: TappedExchange, response: IncomingMessage): void {
  exchange.answered(response.statusCode ?? 0, response.headers);
  const own = response as unknown as Own;
  const { push } = own;
  if (push === undefined) return;
  own.push = function (this: unknown, ...args) {
    quietly(() => {
      if (args[0] !== null) {
        exchange.response.add(args[0], args[1]);
        return;
      }
      exchange.response.complete = response.complete;
      exchange.end(response.complete ? undefined : 'aborted');
    });
    return push.apply(this, args);
  };
  hide(own, 'push');
}

/** Not seen by those who list or copy an object's fields. */
function hide(object: Own, ...names: readonly string[]): void {
  for (const name of names) Object.defineProperty(object, name, { enumerable: false, configurable: true, writable: true });
}
