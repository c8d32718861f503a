import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Headers, send } from '../../http/exchange.ts';
import { element, type XmlValue } from '../../http/xml.ts';
import type { Asked } from './authorize.ts';
import type { Notifier } from './notifications.ts';
import type { Bucket, BucketStore, ObjectVersion, WriteConditions } from './store.ts';

export const S3_XMLNS = 'http://s3.amazonaws.com/doc/2006-03-01/';

/** One S3 request, taken apart. */
export interface S3Request {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly query: URLSearchParams;
  /** Empty for requests to the service itself. */
  readonly bucketName: string;
  /** Decoded; empty for requests to a bucket. */
  readonly key: string;
  readonly requestId: string;
  readonly hostId: string;
  readonly accessKey: string;
  readonly buckets: BucketStore;
  readonly notifier: Notifier;
  /** @throws ServiceError AccessDenied when the caller may not do this to this key. */
  demand(bucket: Bucket, asked: Asked): void;
  /** Whether the caller may know that an object is not there. */
  mayList(bucket: Bucket): boolean;
}

/** A request whose bucket exists. */
export interface BucketRequest extends S3Request {
  readonly bucket: Bucket;
}

export const header = (req: IncomingMessage, name: string): string | undefined => {
  const value = req.headers[name];
  return Array.isArray(value) ? value[0] : value;
};

/** Sends XML (or nothing) with the ids every S3 answer has; those headers are set before dispatch. */
export function reply(
  request: S3Request,
  status: number,
  headers: Headers = {},
  body?: { root: string; value: XmlValue },
): void {
  if (body === undefined) send(request.res, status, headers);
  else send(request.res, status, { 'content-type': 'application/xml', ...headers }, element(body.root, body.value, S3_XMLNS));
}

/** `If-Match` / `If-None-Match` of a write. */
export function writeConditions(req: IncomingMessage): WriteConditions {
  return { ifMatch: header(req, 'if-match'), ifNoneMatch: header(req, 'if-none-match') };
}

const KEPT = ['content-type', 'cache-control', 'content-disposition', 'content-language', 'expires'];

/** Headers of a PUT that come back on GET. */
export function storedHeaders(req: IncomingMessage): Record<string, string> {
  const kept: Record<string, string> = { 'content-type': 'binary/octet-stream' };
  for (const [name, value] of Object.entries(req.headers))
    if (typeof value === 'string' && (KEPT.includes(name) || name.startsWith('x-amz-meta-'))) kept[name] = value;
  const encoding = (header(req, 'content-encoding') ?? '')
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '' && one !== 'aws-chunked');
  if (encoding.length > 0) kept['content-encoding'] = encoding.join(',');
  return kept;
}

/** Headers that say which version was written or read. */
export function versionHeaders(object: ObjectVersion): Headers {
  return {
    ...(object.versionId === 'null' ? {} : { 'x-amz-version-id': object.versionId }),
    ...(object.file === null
      ? { 'x-amz-delete-marker': 'true' }
      : { etag: `"${object.etag}"`, 'x-amz-server-side-encryption': 'AES256' }),
  };
}

export function checksumHeaders(object: ObjectVersion): Headers {
  if (object.checksum === null) return {};
  return { [`x-amz-checksum-${object.checksum.name}`]: object.checksum.value, 'x-amz-checksum-type': object.checksum.type };
}

/** Tells the notifier of a change made by this request. */
export function changed(request: BucketRequest, eventName: string, object: ObjectVersion): void {
  request.notifier.notify({
    eventName,
    bucket: request.bucket,
    object,
    requestId: request.requestId,
    hostId: request.hostId,
    sourceIp: request.req.socket.remoteAddress ?? '127.0.0.1',
    principal: request.accessKey,
  });
}
