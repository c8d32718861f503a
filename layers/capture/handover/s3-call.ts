import { isIP } from 'node:net';
import type { AwsCall } from './aws-call.ts';
import type { Findings } from './findings.ts';
import type { ExchangeReader } from './http-exchange.ts';
import { objectId, objectState } from './s3-event.ts';

interface Target {
  readonly bucket?: string;
  readonly key?: string;
}

const decode = (encoded: string): string => {
  try {
    return decodeURIComponent(encoded);
  } catch {
    return encoded;
  }
};

/** Bucket and key, from a virtual host (`bucket.s3.…`, `bucket.localhost`) or from the path. */
function targetOf(reader: ExchangeReader): Target {
  const { host } = reader.exchange;
  const path = reader.path.replace(/^\//, '');
  const virtual = isIP(host) ? undefined : (/^(.+?)\.s3(?:express)?[.-]/.exec(host) ?? /^(.+)\.localhost$/.exec(host))?.[1];
  if (virtual !== undefined) return { bucket: virtual, ...(path === '' ? {} : { key: decode(path) }) };
  const slash = path.indexOf('/');
  const bucket = decode(slash === -1 ? path : path.slice(0, slash));
  const key = slash === -1 ? '' : decode(path.slice(slash + 1));
  return { ...(bucket === '' ? {} : { bucket }), ...(key === '' ? {} : { key }) };
}

/** Subresources: `?acl` and its like make another operation of the same method and path. */
const SUBRESOURCES: Readonly<Record<string, string>> = {
  acl: 'Acl',
  tagging: 'Tagging',
  retention: 'Retention',
  'legal-hold': 'LegalHold',
  attributes: 'Attributes',
  torrent: 'Torrent',
};

/** REST-XML has no operation name; `x-id`, which SDKs add, is only what the client says. */
export function s3Operation(reader: ExchangeReader): string {
  const { method } = reader.exchange;
  const { query } = reader;
  const { bucket, key } = targetOf(reader);
  if (bucket === undefined) return method === 'GET' ? 'ListBuckets' : method;
  if (key === undefined) {
    if (method === 'GET')
      return query.has('list-type') ? 'ListObjectsV2' : query.has('versions') ? 'ListObjectVersions' : 'ListObjects';
    if (method === 'POST') return query.has('delete') ? 'DeleteObjects' : 'PostObject';
    return { PUT: 'CreateBucket', DELETE: 'DeleteBucket', HEAD: 'HeadBucket' }[method] ?? method;
  }
  const verb = { GET: 'Get', PUT: 'Put', DELETE: 'Delete' }[method];
  for (const [name, suffix] of Object.entries(SUBRESOURCES)) {
    if (verb !== undefined && query.has(name)) return `${verb}Object${suffix}`;
  }
  const copies = reader.sent('x-amz-copy-source') !== undefined;
  if (method === 'PUT' && query.has('uploadId')) return copies ? 'UploadPartCopy' : 'UploadPart';
  if (method === 'PUT') return copies ? 'CopyObject' : 'PutObject';
  if (method === 'POST') {
    if (query.has('uploads')) return 'CreateMultipartUpload';
    return query.has('uploadId') ? 'CompleteMultipartUpload' : query.has('select') ? 'SelectObjectContent' : method;
  }
  if (method === 'DELETE') return query.has('uploadId') ? 'AbortMultipartUpload' : 'DeleteObject';
  if (method === 'GET') return query.has('uploadId') ? 'ListParts' : 'GetObject';
  return method === 'HEAD' ? 'HeadObject' : method;
}

const WRITES = new Set(['PutObject', 'CopyObject', 'CompleteMultipartUpload', 'DeleteObject', 'DeleteObjects', 'PostObject']);

export function readS3Call(call: AwsCall, reader: ExchangeReader, found: Findings): void {
  const { bucket, key } = targetOf(reader);
  if (bucket === undefined) return;
  const { operation } = call;
  if (operation.startsWith('List')) found.resource('bucket', `s3://${bucket}`, 'read');
  else if (WRITES.has(operation)) readWrite(operation, bucket, key, reader, found);
  else if (key !== undefined && (operation === 'GetObject' || operation === 'SelectObjectContent')) {
    const state = reader.succeeded ? objectState(reader.got('x-amz-version-id'), reader.got('etag')) : undefined;
    if (state !== undefined) found.exact('s3', `${bucket}/${key}@${state}`);
    found.resource('s3-object', objectId(bucket, key, state), 'read');
  }
  if (operation === 'CopyObject' || operation === 'UploadPartCopy') readCopySource(reader, found);
}

/** Copies and completions answer 200 before they are done, and say in the body if they then failed. */
const failedLate = (reader: ExchangeReader): boolean => /^\s*(?:<\?xml[^>]*>\s*)?<Error>/.test(reader.responseText ?? '');

/** A multi-object deletion names at most 1000 objects that it did not delete. */
const errors = (answer = ''): string[] =>
  answer
    .split('<Error>', 1001)
    .slice(1)
    .map((error) => error.split('</Error>', 1)[0] ?? '');

function readWrite(operation: string, bucket: string, key: string | undefined, reader: ExchangeReader, found: Findings): void {
  const succeeded = reader.succeeded && !failedLate(reader);
  if (succeeded) found.exact('s3req', reader.got('x-amz-request-id'));
  if (operation === 'DeleteObjects') {
    const failed = new Set(errors(reader.responseText).flatMap((error) => reader.elements('Key', error).slice(0, 1)));
    for (const deleted of reader.elements('Key', reader.requestText))
      if (!failed.has(deleted)) found.resource('s3-object', objectId(bucket, deleted), 'write');
    return;
  }
  if (key === undefined) {
    found.resource('bucket', `s3://${bucket}`, 'write');
    return;
  }
  // Copies and completed uploads carry the ETag in the body: their headers are sent before it is known.
  const etag = reader.got('etag') ?? reader.elements('ETag')[0];
  const state = succeeded
    ? objectState(reader.got('x-amz-version-id'), operation === 'DeleteObject' ? undefined : etag)
    : undefined;
  if (state !== undefined) found.exact('s3', `${bucket}/${key}@${state}`);
  found.resource('s3-object', objectId(bucket, key, state), 'write');
}

function readCopySource(reader: ExchangeReader, found: Findings): void {
  if (!reader.succeeded || failedLate(reader)) return;
  const source = (reader.sent('x-amz-copy-source') ?? '').replace(/^\//, '');
  const [path = '', versionId] = source.split('?versionId=');
  const slash = path.indexOf('/');
  if (slash <= 0) return;
  const bucket = decode(path.slice(0, slash));
  const key = decode(path.slice(slash + 1));
  const version = objectState(reader.got('x-amz-copy-source-version-id') ?? versionId, undefined);
  if (version !== undefined) found.exact('s3', `${bucket}/${key}@${version}`);
  found.resource('s3-object', objectId(bucket, key, version), 'read');
}
