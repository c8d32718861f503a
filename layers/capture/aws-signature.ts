import { createHmac, hash } from 'node:crypto';
import type { Credentials } from './environment-credentials.ts';

/** A request to be signed. `path` and `query` (in order of its names) as they are sent, percent-encoded; names of `headers` in lower case. */
export interface Unsigned {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly headers: Readonly<Record<string, string>>;
  /** SHA-256 (hex) of the body. */
  readonly payload: string;
}

export interface Scope {
  readonly region: string;
  readonly service: string;
  /** `yyyymmddThhmmssZ`, as in the header `x-amz-date`. */
  readonly date: string;
}

/**
 * The `Authorization` header of AWS Signature Version 4 (IAM user guide, "Create a signed AWS API request"), over all headers given.
 * S3 signs the path as it is sent; other services would want it encoded twice.
 */
export function authorization(request: Unsigned, { region, service, date }: Scope, credentials: Credentials): string {
  const names = Object.keys(request.headers).sort();
  const signed = names.join(';');
  const headers = names.map((name) => `${name}:${request.headers[name]?.trim().replace(/\s+/g, ' ')}\n`).join('');
  const canonical = [request.method, request.path, request.query, headers, signed, request.payload].join('\n');
  const day = date.slice(0, 8);
  const scope = `${day}/${region}/${service}/aws4_request`;
  const text = ['AWS4-HMAC-SHA256', date, scope, hash('sha256', canonical)].join('\n');
  const signature = createHmac('sha256', signingKey(scope, credentials.secretAccessKey)).update(text).digest('hex');
  return `AWS4-HMAC-SHA256 Credential=${credentials.accessKeyId}/${scope}, SignedHeaders=${signed}, Signature=${signature}`;
}

/** `yyyymmddThhmmssZ`. */
export function signingDate(now: Date): string {
  return now.toISOString().replace(/[-:]|\.\d{3}/g, '');
}

/** The same all day. */
let last: { readonly scope: string; readonly secret: string; readonly key: Buffer } | undefined;

function signingKey(scope: string, secret: string): Buffer {
  if (last?.scope === scope && last.secret === secret) return last.key;
  const hmac = (key: string | Buffer, part: string): Buffer => createHmac('sha256', key).update(part).digest();
  last = { scope, secret, key: scope.split('/').reduce<Buffer | string>(hmac, `AWS4${secret}`) as Buffer };
  return last.key;
}
