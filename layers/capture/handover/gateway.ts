import type { Trigger } from '../../record/types.ts';
import type { Findings } from './findings.ts';
import type { ExchangeReader } from './http-exchange.ts';
import { at, type Json, text } from './json.ts';

/** Cause side of API Gateway (REST, HTTP, WebSocket) and function URLs: the ids in the headers of a plain HTTP answer. */
export function readGatewayAnswer(reader: ExchangeReader, found: Findings): void {
  const requestId = reader.got('x-amzn-requestid');
  const { host } = reader.exchange;
  const functionUrl = /\.lambda-url\.[a-z0-9-]+\.on\.aws$/.test(host);
  if (!functionUrl) {
    found.exact('apigw', requestId);
    found.exact('apigw', reader.got('apigw-requestid'));
    found.exact('apigw', reader.got('x-amz-apigw-id'));
  }
  // Behind another name (a CDN, the local engine) the answer does not show which of the two it was.
  if (functionUrl || !/\.execute-api\.[a-z0-9-]+\.amazonaws\.com/.test(host)) found.exact('url', requestId);
  const root = traceRoot(reader.sent('x-amzn-trace-id'));
  found.inferred('trace', root);
  found.inferred('call', namedCall(reader));
}

/** A request of an HTTP container as its headers name it; anything else is no id. */
export const CALL_ID = /^[\x21-\x7e]{1,128}$/;

/**
 * The id that the front door of an HTTP container will take (layers/image/front-door.ts). A gateway of OpenFaaS makes an
 * X-Call-Id where there is none, which wins there, and tells it in its answer.
 */
function namedCall(reader: ExchangeReader): string | undefined {
  const named = [reader.sent('x-call-id'), reader.got('x-call-id'), reader.sent('x-request-id')];
  return named.find((id) => id !== undefined && CALL_ID.test(id));
}

/** `Root=1-…;Parent=…;Sampled=1` → `1-…`. */
const traceRoot = (header: string | undefined): string | undefined => /(?:^|;)\s*Root=([^;]{1,100})/.exec(header ?? '')?.[1];

/** HTTP events: API Gateway REST (payload 1.0), HTTP API and function URL (2.0), WebSocket API, load balancer. */
export function readHttpEvent(event: Json, found: Findings): Trigger | undefined {
  const context = at(event, 'requestContext');
  if (Object.keys(at(context, 'elb')).length > 0) return readAlbEvent(event, found);
  const requestId = text(context.requestId);
  if (requestId === undefined) return undefined;
  const http = at(context, 'http');
  const identity = at(context, 'identity');
  const functionUrl = text(context.domainName)?.includes('.lambda-url.') === true;
  found.exact(functionUrl ? 'url' : 'apigw', requestId);
  if (!functionUrl) found.exact('apigw', context.extendedRequestId);
  return httpTrigger('http', {
    sourceIp: text(http.sourceIp) ?? text(identity.sourceIp),
    userAgent: text(http.userAgent) ?? text(identity.userAgent),
    method: text(http.method) ?? text(event.httpMethod),
    path: text(event.rawPath) ?? text(event.path) ?? text(http.path) ?? text(context.routeKey),
  });
}

function readAlbEvent(event: Json, found: Findings): Trigger {
  const headers: Json = { ...at(event, 'multiValueHeaders'), ...at(event, 'headers') };
  const header = (name: string): string | undefined => {
    const value = headers[name];
    return text(Array.isArray(value) ? value[0] : value);
  };
  found.inferred('trace', traceRoot(header('x-amzn-trace-id')));
  return httpTrigger('alb', {
    // The load balancer appends whom it saw; what stands before that, anybody may have written.
    sourceIp: header('x-forwarded-for')?.split(',').at(-1)?.trim(),
    userAgent: header('user-agent'),
    method: text(event.httpMethod),
    path: text(event.path),
  });
}

function httpTrigger(
  type: 'http' | 'alb',
  fields: Record<'sourceIp' | 'userAgent' | 'method' | 'path', string | undefined>,
): Trigger {
  const { sourceIp, userAgent, method, path } = fields;
  return {
    type,
    ...(sourceIp === undefined ? {} : { sourceIp }),
    ...(userAgent === undefined ? {} : { userAgent: userAgent.slice(0, 500) }),
    ...(method === undefined ? {} : { method }),
    ...(path === undefined ? {} : { path: path.split('?', 1)[0]?.slice(0, 2000) ?? path }),
  };
}
