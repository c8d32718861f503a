import type { HttpExchange } from '../../../layers/capture/handover/index.ts';
import { readEvent, readExchange } from '../../../layers/capture/handover/index.ts';

export const FN = 'arn:aws:lambda:eu-west-1:123456789012:function:catalog';
const SIGNED = (service: string) =>
  `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261122/eu-west-1/${service}/aws4_request, SignedHeaders=host;x-amz-date, Signature=abc`;

/** A signed AWS call, sent to an endpoint override unless `host` says otherwise. */
export function call(
  service: string,
  options: Partial<Omit<HttpExchange, 'requestBody' | 'responseBody'>> & { in?: unknown; out?: unknown; target?: string },
) {
  const { in: input, out, target, requestHeaders, ...rest } = options;
  const bytes = (value: unknown) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
  return readExchange({
    method: 'POST',
    host: '127.0.0.1',
    port: 4566,
    path: '/',
    status: 200,
    responseHeaders: {},
    ...rest,
    requestHeaders: { authorization: SIGNED(service), ...(target ? { 'x-amz-target': target } : {}), ...requestHeaders },
    ...(input === undefined ? {} : { requestBody: bytes(input) }),
    ...(out === undefined ? {} : { responseBody: bytes(out) }),
  });
}
export const plain = (options: Partial<HttpExchange>) =>
  readExchange({
    method: 'GET',
    host: 'api.example',
    port: 443,
    path: '/',
    status: 200,
    requestHeaders: {},
    responseHeaders: {},
    ...options,
  });
export const event = (value: unknown) => readEvent(Buffer.from(JSON.stringify(value)), FN);
export const keysOf = (reading: { keys: readonly { key: string }[] }) => reading.keys.map(({ key }) => key);
/** The keys under which two readings join. */
export const joins = (cause: { keys: readonly { key: string }[] }, effect: { keys: readonly { key: string }[] }) =>
  keysOf(cause).filter((key) => keysOf(effect).includes(key));
