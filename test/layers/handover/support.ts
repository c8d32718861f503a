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
  const bytes = (value: unknown) =>
    Buffer.isBuffer(value) ? value : Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
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
/** CBOR of a JSON value, as services write it: definite lengths. */
export function cbor(value: unknown): Buffer {
  const head = (type: number, count: number): Buffer => {
    if (count < 24) return Buffer.from([(type << 5) | count]);
    const bytes = Buffer.alloc(5, (type << 5) | 26);
    bytes.writeUInt32BE(count, 1);
    return bytes;
  };
  if (value === null) return Buffer.from([0xf6]);
  if (typeof value === 'boolean') return Buffer.from([value ? 0xf5 : 0xf4]);
  if (typeof value === 'number') {
    const bytes = Buffer.alloc(9, 0xfb);
    bytes.writeDoubleBE(value, 1);
    return bytes;
  }
  if (typeof value === 'string') return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)]);
  if (Array.isArray(value)) return Buffer.concat([head(4, value.length), ...value.map(cbor)]);
  const entries = Object.entries(value as object);
  return Buffer.concat([head(5, entries.length), ...entries.flatMap(([name, one]) => [cbor(name), cbor(one)])]);
}
export const keysOf = (reading: { keys: readonly { key: string }[] }) => reading.keys.map(({ key }) => key);
/** The keys under which two readings join. */
export const joins = (cause: { keys: readonly { key: string }[] }, effect: { keys: readonly { key: string }[] }) =>
  keysOf(cause).filter((key) => keysOf(effect).includes(key));
