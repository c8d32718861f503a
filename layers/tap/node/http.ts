import type { Agent, ClientRequest, IncomingMessage } from 'node:http';
import { expectSocket, watchConnections, whileConnecting } from './connections.ts';
import { errorName, parseHead, TappedExchange } from './exchange.ts';
import { quietly } from './quietly.ts';
import { replace, wrap } from './replace.ts';

/** What Node has in a request besides what it documents. */
type Request = ClientRequest & { _header?: string | null; agent?: Agent | false };

const isAwsCall = (request: Request): boolean => {
  const value = request.getHeader('authorization');
  return (typeof value === 'string' && value.startsWith('AWS4-')) || request.path.includes('X-Amz-Signature=');
};

/** Its connection will stop being HTTP/1: the network proxy can follow that, a tap cannot. */
const leavesHttp = (request: Request): boolean => request.method === 'CONNECT' || request.getHeader('upgrade') !== undefined;

const requests = new WeakMap<Request, TappedExchange>();
const responses = new WeakMap<IncomingMessage, TappedExchange>();
let installed = false;

/** To be called for the first request of the process before it has asked for its connection. */
function install(request: Request): void {
  installed = true;
  watchConnections();
  watchMessages();
  const { Agent: Base } = process.getBuiltinModule('node:http');
  replace(
    Base.prototype,
    'createSocket',
    (createSocket) =>
      function (this: Agent, ...args) {
        const [asked] = args;
        if (leavesHttp(asked as Request)) return createSocket.apply(this as never, args);
        return whileConnecting(() => createSocket.apply(this as never, args));
      },
  );
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
  requests.set(request, exchange);
}

/**
 * On the prototypes: functions of their own on every request and response would make V8 treat these objects as dictionaries,
 * which costs ten times as much. What the application has put there before, or puts there later, goes on working.
 */
function watchMessages(): void {
  const { ClientRequest: Asked, IncomingMessage: Answer } = process.getBuiltinModule('node:http');
  wrap(Asked.prototype, 'write', (request: Request, chunk, encoding) => {
    if (!request.writableEnded && !request.destroyed) requests.get(request)?.request.add(chunk, encoding);
  });
  wrap(Asked.prototype, 'end', (request: Request, chunk, encoding) => {
    const exchange = requests.get(request);
    if (exchange === undefined || request.writableEnded || request.destroyed) return;
    if (typeof chunk !== 'function') exchange.request.add(chunk, encoding);
    exchange.request.complete = true;
  });
  wrap(Asked.prototype, 'emit', (request: Request, name, value) => {
    const exchange = requests.get(request);
    if (exchange !== undefined) onEvent(exchange, name, value);
  });
  // What the parser delivers, whether or not somebody reads it. Requests that a server gets are messages too: not ours.
  wrap(Answer.prototype, 'push', (response: IncomingMessage, chunk, encoding) => {
    const exchange = responses.get(response);
    if (exchange === undefined) return;
    if (chunk !== null) {
      exchange.response.add(chunk, encoding);
      return;
    }
    exchange.response.complete = response.complete;
    exchange.end(response.complete ? undefined : 'aborted');
  });
}

function onEvent(exchange: TappedExchange, name: unknown, value: unknown): void {
  if (name === 'socket') exchange.on(value as object);
  else if (name === 'response') {
    const response = value as IncomingMessage;
    responses.set(response, exchange);
    exchange.answered(response.statusCode ?? 0, () => response.headers);
  } else if (name === 'error') exchange.end(errorName(value));
  else if (name === 'close') exchange.end('aborted');
  else if (name === 'upgrade' || name === 'connect') {
    const response = value as IncomingMessage;
    exchange.answered(response.statusCode ?? 0, () => response.headers);
    exchange.end();
  }
}
