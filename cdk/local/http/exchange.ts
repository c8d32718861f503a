import type { IncomingMessage, ServerResponse } from 'node:http';

/** Service and region named by an AWS Signature Version 4 credential scope: `<key>/<date>/<region>/<service>/aws4_request`. */
export interface CredentialScope {
  readonly accessKey: string;
  readonly region: string;
  readonly service: string;
}

/** One HTTP request to the endpoint, with what the dispatcher has read from it. */
export interface Exchange {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  /** Path as sent, still percent-encoded. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly scope: CredentialScope | null;
  /** Operation part of `X-Amz-Target`. */
  readonly operation: string | null;
}

/** Scope of the Authorization header, or of a presigned URL's X-Amz-Credential; null when the request is not signed. */
export function credentialScope(authorization: string | undefined, query: URLSearchParams): CredentialScope | null {
  const credential = /Credential=([^,\s]+)/.exec(authorization ?? '')?.[1] ?? query.get('X-Amz-Credential');
  const parts = credential?.split('/') ?? [];
  const [service, region, accessKey] = [parts.at(-2), parts.at(-3), parts[0]];
  return service === undefined || region === undefined || accessKey === undefined ? null : { service, region, accessKey };
}

/** Most that is read into memory for one request: bodies of S3 go to disk and are not limited by this. */
const MAX_BODY = 64 * 1024 * 1024;

/** Whole body. Throws when it is above 64 MiB or the client goes away. */
export async function readBody(req: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of req as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY) throw new Error(`request body is larger than ${MAX_BODY} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

export type Headers = Record<string, string | number | readonly string[]>;

/** Sends a complete answer. Does nothing when the client is gone or an answer was begun. */
export function send(res: ServerResponse, status: number, headers: Headers, body: Buffer | string = ''): void {
  if (res.headersSent || res.destroyed) return;
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value as string | number | string[]);
  if (status !== 204 && status !== 304) res.setHeader('content-length', bytes.length);
  res.statusCode = status;
  res.end(bytes);
}
