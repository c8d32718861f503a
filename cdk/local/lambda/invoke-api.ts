/** The part of Lambda's REST API that applications call: Invoke, InvokeWithResponseStream, GetFunction. */

import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { functionNotFound, InvokeApiError, payloadTooLarge } from './errors.ts';
import { eventFrame } from './event-stream.ts';
import { BodyTooLargeError, header, readBody, sendJson } from './http-replies.ts';
import type { FunctionSpec, InvokeOptions, InvokeResult } from './types.ts';

export interface InvokeTarget {
  invoke(name: string, payload: Buffer, options: InvokeOptions): Promise<InvokeResult>;
  spec(name: string): FunctionSpec | undefined;
}

const MAX_SYNC_PAYLOAD = 6_291_456;
const MAX_ASYNC_PAYLOAD = 1_048_576;
const INVOKE = /^\/2015-03-31\/functions\/([^/]+)\/invocations\/?$/;
const STREAM = /^\/2021-11-15\/functions\/([^/]+)\/response-streaming-invocations\/?$/;
const FUNCTION = /^\/2015-03-31\/functions\/([^/]+)(\/configuration)?\/?$/;

/** False when the request is not one of these. */
export function handleInvokeApi(target: InvokeTarget, req: IncomingMessage, res: ServerResponse): boolean {
  const path = (req.url ?? '').split('?', 1)[0] ?? '';
  const action = route(req.method, path);
  if (action === undefined) return false;
  const name = functionName(decodeURIComponent(action.name));
  const requestId = randomUUID();
  action.run(target, name, requestId, req, res).catch((error: unknown) => sendError(res, requestId, error));
  return true;
}

type Action = (target: InvokeTarget, name: string, id: string, req: IncomingMessage, res: ServerResponse) => Promise<void>;

function route(method: string | undefined, path: string): { name: string; run: Action } | undefined {
  const routes: readonly [string, RegExp, Action][] = [
    ['POST', INVOKE, invoke],
    ['POST', STREAM, invokeStreaming],
    ['GET', FUNCTION, describe],
  ];
  for (const [wanted, pattern, run] of routes) {
    const match = method === wanted ? pattern.exec(path) : null;
    if (match?.[1] !== undefined) return { name: match[1], run };
  }
  return undefined;
}

/** `name`, `name:qualifier`, `account:function:name` and full or qualified ARNs all mean the function. */
export function functionName(reference: string): string {
  const inArn = /(?:^|:)function:([^:]+)/.exec(reference);
  return inArn?.[1] ?? reference.split(':', 1)[0] ?? reference;
}

const invoke: Action = async (target, name, requestId, req, res) => {
  const type = header(req, 'x-amz-invocation-type') ?? 'RequestResponse';
  if (type !== 'RequestResponse' && type !== 'Event' && type !== 'DryRun') {
    throw new InvokeApiError(400, 'InvalidParameterValueException', `Invocation type "${type}" is not known`, { Type: 'User' });
  }
  const payload = await readBody(req, type === 'Event' ? MAX_ASYNC_PAYLOAD : MAX_SYNC_PAYLOAD);
  const result = await target.invoke(name, payload, { type, ...invokeOptions(req, requestId) });
  const headers: Record<string, string> = { 'x-amzn-requestid': result.requestId, 'X-Amz-Executed-Version': '$LATEST' };
  if (result.functionError !== undefined) headers['X-Amz-Function-Error'] = result.functionError;
  if (result.logTail !== undefined) headers['X-Amz-Log-Result'] = Buffer.from(result.logTail).toString('base64');
  if (result.statusCode === 200) headers['Content-Type'] = 'application/json';
  if (result.statusCode !== 204) headers['Content-Length'] = String(result.payload.length);
  res.writeHead(result.statusCode, headers);
  res.end(result.payload);
};

const invokeStreaming: Action = async (target, name, requestId, req, res) => {
  if (target.spec(name) === undefined) throw functionNotFound(name);
  const payload = await readBody(req, MAX_SYNC_PAYLOAD);
  let sent = false;
  const start = () => {
    if (res.headersSent) return;
    res.writeHead(200, {
      'Content-Type': 'application/vnd.amazon.eventstream',
      'X-Amzn-Remapped-Content-Type': 'application/octet-stream',
      'x-amzn-requestid': requestId,
      'X-Amz-Executed-Version': '$LATEST',
    });
  };
  const sendChunk = (chunk: Buffer) => {
    start();
    sent = true;
    res.write(eventFrame('PayloadChunk', 'application/octet-stream', chunk));
  };
  const result = await target.invoke(name, payload, {
    type: 'RequestResponse',
    ...invokeOptions(req, requestId),
    onChunk: sendChunk,
  });
  if (!sent && result.functionError === undefined) sendChunk(result.payload);
  start();
  const complete = {
    ...(result.functionError === undefined ? {} : { ErrorCode: result.functionError, ErrorDetails: result.payload.toString() }),
    ...(result.logTail === undefined ? {} : { LogResult: Buffer.from(result.logTail).toString('base64') }),
  };
  res.end(eventFrame('InvokeComplete', 'application/json', Buffer.from(JSON.stringify(complete))));
};

const describe: Action = async (target, name, requestId, req, res) => {
  req.resume();
  const spec = target.spec(name);
  if (spec === undefined) throw functionNotFound(name);
  const configuration = {
    FunctionName: spec.name,
    FunctionArn: spec.arn,
    Runtime: spec.runtime,
    Handler: spec.handler,
    MemorySize: spec.memoryMb,
    Timeout: spec.timeoutMs / 1000,
    Version: '$LATEST',
    State: 'Active',
    LastUpdateStatus: 'Successful',
    PackageType: 'Zip',
    EphemeralStorage: { Size: spec.ephemeralMb ?? 512 },
    Environment: { Variables: spec.environment },
  };
  const alone = (req.url ?? '').includes('/configuration');
  sendJson(res, 200, alone ? configuration : { Configuration: configuration, Code: {}, Tags: {} }, {
    'x-amzn-requestid': requestId,
  });
};

function invokeOptions(req: IncomingMessage, requestId: string): Omit<InvokeOptions, 'type'> {
  const trace = header(req, 'x-amzn-trace-id');
  const context = header(req, 'x-amz-client-context');
  return {
    requestId,
    logType: header(req, 'x-amz-log-type') === 'Tail' ? 'Tail' : 'None',
    ...(trace === undefined ? {} : { traceHeader: trace }),
    ...(context === undefined ? {} : { clientContext: Buffer.from(context, 'base64').toString() }),
  };
}

function sendError(res: ServerResponse, requestId: string, error: unknown): void {
  if (res.headersSent) {
    res.destroy();
    return;
  }
  const known =
    error instanceof InvokeApiError
      ? error
      : error instanceof BodyTooLargeError
        ? payloadTooLarge(error.size, MAX_SYNC_PAYLOAD)
        : new InvokeApiError(500, 'ServiceException', String(error), { Type: 'Service' });
  sendJson(res, known.status, known.body, { 'x-amzn-errortype': known.type, 'x-amzn-requestid': requestId });
}
