import type { InvokeResult } from '../../functions.ts';
import type { ApiAnswer } from './api.ts';

type Header = readonly [string, string];

const JSON_TYPE: Header = ['content-type', 'application/json'];

export function errorAnswer(status: number, message: string): ApiAnswer {
  return { status, headers: [JSON_TYPE], body: Buffer.from(JSON.stringify({ message })) };
}

interface ProxyAnswer {
  readonly statusCode?: unknown;
  readonly headers?: Record<string, unknown>;
  readonly multiValueHeaders?: Record<string, unknown>;
  readonly cookies?: unknown;
  readonly body?: unknown;
  readonly isBase64Encoded?: unknown;
}

/** Headers a REST API does not let a function set; they reach the client under another name. */
const REMAPPED = ['x-amzn-requestid', 'x-amz-apigw-id', 'date', 'server', 'authorization', 'www-authenticate'];

function headersOf(answer: ProxyAnswer, kind: 'rest' | 'http'): Header[] {
  const list: Header[] = [];
  const multi = Object.entries(answer.multiValueHeaders ?? {});
  for (const [name, values] of multi)
    for (const value of Array.isArray(values) ? values : [values]) list.push([name, String(value)]);
  const named = new Set(multi.map(([name]) => name.toLowerCase()));
  for (const [name, value] of Object.entries(answer.headers ?? {}))
    if (!named.has(name.toLowerCase())) list.push([name, String(value)]);
  if (Array.isArray(answer.cookies)) for (const cookie of answer.cookies) list.push(['set-cookie', String(cookie)]);
  return list
    .filter(([name]) => !/^(content-length|transfer-encoding|connection|keep-alive)$/i.test(name))
    .map(([name, value]) =>
      kind === 'rest' && REMAPPED.includes(name.toLowerCase()) ? [`x-amzn-Remapped-${name}`, value] : [name, value],
    );
}

function bodyOf(answer: ProxyAnswer): Buffer {
  const { body } = answer;
  if (body === undefined || body === null) return Buffer.alloc(0);
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return Buffer.from(text, answer.isBase64Encoded === true ? 'base64' : 'utf8');
}

/** What a REST API (or payload 1.0) makes of a function's result: anything that is no proper proxy answer is a 502. */
export function restAnswer(result: InvokeResult): ApiAnswer {
  const failed = errorAnswer(502, 'Internal server error');
  if (result.functionError !== undefined) return failed;
  const answer = parsed(result.payload);
  if (typeof answer !== 'object' || answer === null || Array.isArray(answer)) return failed;
  const proxy = answer as ProxyAnswer;
  const status = Number(proxy.statusCode ?? 200);
  if (!Number.isInteger(status) || status < 100 || status > 599) return failed;
  // A body that is no string is refused by REST APIs.
  if (proxy.body !== undefined && proxy.body !== null && typeof proxy.body !== 'string') return failed;
  const headers = headersOf(proxy, 'rest');
  const typed = headers.some(([name]) => name.toLowerCase() === 'content-type');
  return { status, headers: typed ? headers : [...headers, JSON_TYPE], body: bodyOf(proxy) };
}

/** What an HTTP API makes of it (payload 2.0): a result without `statusCode` is the body itself. */
export function httpAnswer(result: InvokeResult): ApiAnswer {
  if (result.functionError !== undefined) return errorAnswer(500, 'Internal Server Error');
  const answer = parsed(result.payload);
  const proxy = typeof answer === 'object' && answer !== null && 'statusCode' in answer ? (answer as ProxyAnswer) : null;
  if (proxy === null) {
    const text = typeof answer === 'string' ? answer : answer === undefined ? '' : result.payload.toString('utf8');
    return { status: 200, headers: [JSON_TYPE], body: Buffer.from(text) };
  }
  const status = Number(proxy.statusCode);
  if (!Number.isInteger(status) || status < 100 || status > 599) return errorAnswer(500, 'Internal Server Error');
  const headers = headersOf(proxy, 'http');
  const typed = headers.some(([name]) => name.toLowerCase() === 'content-type');
  return { status, headers: typed ? headers : [...headers, ['content-type', 'text/plain;charset=UTF-8']], body: bodyOf(proxy) };
}

function parsed(payload: Buffer): unknown {
  if (payload.length === 0) return undefined;
  try {
    return JSON.parse(payload.toString('utf8')) as unknown;
  } catch {
    return undefined;
  }
}
