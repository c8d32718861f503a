import { createHash, createHmac } from 'node:crypto';
import type { Credentials } from './environment-credentials.ts';

/** A request to be signed. `path` as it is sent, percent-encoded, without query; names of `headers` in lower case. */
export interface Unsigned {
  readonly method: string;
  readonly path: string;
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
  const canonical = [request.method, request.path, '', headers, signed, request.payload].join('\n');
  const day = date.slice(0, 8);
  const scope = `${day}/${region}/${service}/aws4_request`;
  const text = ['AWS4-HMAC-SHA256', date, scope, sha256(canonical)].join('\n');
  const key = [day, region, service, 'aws4_request'].reduce<string | Buffer>(
    (secret, part) => createHmac('sha256', secret).update(part).digest(),
    `AWS4${credentials.secretAccessKey}`,
  );
  const signature = createHmac('sha256', key).update(text).digest('hex');
  return `AWS4-HMAC-SHA256 Credential=${credentials.accessKeyId}/${scope}, SignedHeaders=${signed}, Signature=${signature}`;
}

/** `yyyymmddThhmmssZ`. */
export function signingDate(now: Date): string {
  return now.toISOString().replace(/[-:]|\.\d{3}/g, '');
}

export function sha256(bytes: string | Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
