import { randomUUID } from 'node:crypto';
import { copyFileSync, createReadStream, openSync, type ReadStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { ServiceError } from '../../http/error.ts';
import { readBody } from '../../http/exchange.ts';
import { children, parseXml } from '../../http/xml.ts';
import { accessDenied, invalid, noSuchKey, notHere, preconditionFailed } from './errors.ts';
import { type ByteRange, parseRange } from './range.ts';
import { receive } from './receive.ts';
import {
  type BucketRequest,
  changed,
  checksumHeaders,
  header,
  reply,
  storedHeaders,
  versionHeaders,
  writeConditions,
} from './request.ts';
import type { ObjectVersion } from './store.ts';

export async function putObject(request: BucketRequest): Promise<void> {
  const { bucket, key, req } = request;
  demandChecksum(request);
  const conditions = writeConditions(req);
  const body = await receive(req, bucket.dir);
  const object = bucket.commit(
    {
      key,
      file: body.file,
      size: body.size,
      etag: body.md5,
      headers: storedHeaders(req),
      checksum: body.checksum === null ? null : { ...body.checksum, type: 'FULL_OBJECT' },
    },
    conditions,
  );
  changed(request, 'ObjectCreated:Put', object);
  reply(request, 200, { ...versionHeaders(object), ...checksumHeaders(object) });
}

/** A bucket with a default retention takes nothing that may have been damaged on its way ("PutObject", Content-MD5). */
function demandChecksum({ bucket, req }: BucketRequest): void {
  if (bucket.lock === null) return;
  const names = Object.keys(req.headers);
  if (names.includes('content-md5') || names.includes('x-amz-trailer')) return;
  if (names.some((name) => /^x-amz-checksum-(?!algorithm|type)/.test(name))) return;
  throw invalid('Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters');
}

/** The version a read asks for. Throws NoSuchKey, NoSuchVersion, or 405 for a delete marker asked for by id. */
function wanted(request: BucketRequest): ObjectVersion & { file: string } {
  const versionId = request.query.get('versionId');
  const object = request.bucket.version(request.key, versionId);
  if (object === null || object.file === null) {
    if (!request.mayList(request.bucket)) throw accessDenied('whether there is such an object is told only to who may list');
    if (object !== null) request.res.setHeader('x-amz-delete-marker', 'true');
    throw noSuchKey(request.key);
  }
  return object as ObjectVersion & { file: string };
}

const listed = (tags: string, etag: string) =>
  tags.split(',').some((tag) => tag.trim() === '*' || tag.trim().replace(/^W\//, '').replaceAll('"', '') === etag);

/** RFC 9110 order: If-Match before If-Unmodified-Since, If-None-Match before If-Modified-Since. True: answer 304. */
function notModified(request: BucketRequest, object: ObjectVersion): boolean {
  const { req } = request;
  const seconds = Math.floor(object.modified.getTime() / 1000) * 1000;
  const ifMatch = header(req, 'if-match');
  const ifUnmodified = header(req, 'if-unmodified-since');
  if (ifMatch !== undefined && !listed(ifMatch, object.etag)) throw preconditionFailed('If-Match');
  if (ifMatch === undefined && ifUnmodified !== undefined && seconds > Date.parse(ifUnmodified))
    throw preconditionFailed('If-Unmodified-Since');
  const ifNoneMatch = header(req, 'if-none-match');
  if (ifNoneMatch !== undefined) return listed(ifNoneMatch, object.etag);
  const ifModified = header(req, 'if-modified-since');
  return ifModified !== undefined && seconds <= Date.parse(ifModified);
}

/** Opens before anything else can replace the object and remove its file: whoever began to read reads to the end. */
export function openObject(file: string, range: ByteRange | null): ReadStream {
  return createReadStream('', { fd: openSync(file, 'r'), ...(range === null ? {} : { start: range.start, end: range.end }) });
}

const OVERRIDES = ['content-type', 'content-language', 'expires', 'cache-control', 'content-disposition', 'content-encoding'];

export async function getObject(request: BucketRequest, withBody: boolean): Promise<void> {
  const { req, res, query } = request;
  const object = wanted(request);
  if (notModified(request, object)) return reply(request, 304, versionHeaders(object));
  const range = parseRange(header(req, 'range'), object.size);
  const headers: Record<string, string | number | readonly string[]> = {
    ...object.headers,
    ...versionHeaders(object),
    'last-modified': object.modified.toUTCString(),
    'accept-ranges': 'bytes',
    ...lockHeaders(request, object),
    'content-length': range === null ? object.size : range.end - range.start + 1,
  };
  if (range !== null) headers['content-range'] = `bytes ${range.start}-${range.end}/${object.size}`;
  else if (header(req, 'x-amz-checksum-mode')?.toUpperCase() === 'ENABLED') Object.assign(headers, checksumHeaders(object));
  for (const name of OVERRIDES) {
    const value = query.get(`response-${name}`);
    if (value !== null) headers[name] = value;
  }
  if (object.parts !== undefined && query.has('partNumber')) headers['x-amz-mp-parts-count'] = object.parts.length;
  const content = withBody && object.size > 0 ? openObject(object.file, range) : null;
  res.writeHead(range === null ? 200 : 206, headers as Record<string, string>);
  if (content === null) return void res.end();
  await pipeline(content, res).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== 'ERR_STREAM_PREMATURE_CLOSE') throw cause;
  });
}

/** Until when the version may not be removed. Nothing here changes a retention, so it is the bucket's default. */
function lockHeaders({ bucket: { lock } }: BucketRequest, { modified }: ObjectVersion): Record<string, string> {
  if (lock === null) return {};
  const until = new Date(modified.getTime() + lock.days * 86_400_000).toISOString();
  return { 'x-amz-object-lock-mode': lock.mode, 'x-amz-object-lock-retain-until-date': until };
}

/** Deletes one key (or one version of it) and says what came of it. */
function remove(request: BucketRequest, key: string, versionId: string | null): ObjectVersion | null {
  const { bucket } = request;
  if (versionId !== null) {
    const bypass = header(request.req, 'x-amz-bypass-governance-retention') === 'true';
    if (bypass) request.demand(bucket, { action: 's3:BypassGovernanceRetention', key });
    const removed = bucket.remove(key, versionId, bypass);
    if (removed !== null) changed(request, 'ObjectRemoved:Delete', removed);
    return removed;
  }
  if (bucket.versioning === null) {
    const removed = bucket.remove(key, 'null');
    if (removed !== null) changed(request, 'ObjectRemoved:Delete', { ...removed, modified: new Date() });
    return null;
  }
  const marker = bucket.commit({ key, file: null, size: 0, etag: '', headers: {}, checksum: null });
  changed(request, 'ObjectRemoved:DeleteMarkerCreated', marker);
  return marker;
}

export function deleteObject(request: BucketRequest): void {
  const gone = remove(request, request.key, request.query.get('versionId'));
  reply(request, 204, gone === null ? {} : versionHeaders({ ...gone, file: gone.file === null ? null : gone.file }));
}

export async function deleteObjects(request: BucketRequest): Promise<void> {
  const document = parseXml((await readBody(request.req)).toString('utf8'));
  const [root] = children(document, 'Delete');
  const objects = children(root, 'Object');
  if (objects.length === 0 || objects.length > 1000) throw invalid('DeleteObjects takes 1 to 1000 keys.', 'MalformedXML');
  const failed: Record<string, string>[] = [];
  const deleted = objects.flatMap((one) => {
    const key = String(one.Key ?? '');
    const versionId = one.VersionId === undefined ? null : String(one.VersionId);
    try {
      request.demand(request.bucket, { action: `s3:DeleteObject${versionId === null ? '' : 'Version'}`, key });
      const gone = remove(request, key, versionId);
      const marker = gone !== null && gone.file === null;
      return {
        Key: key,
        ...(versionId === null ? {} : { VersionId: versionId }),
        ...(marker ? { DeleteMarker: true, DeleteMarkerVersionId: gone.versionId } : {}),
      };
    } catch (cause) {
      const { code, message } = ServiceError.of(cause);
      failed.push({ Key: key, ...(versionId === null ? {} : { VersionId: versionId }), Code: code, Message: message });
      return [];
    }
  });
  const quiet = String(root?.Quiet ?? 'false') === 'true';
  reply(request, 200, {}, { root: 'DeleteResult', value: { Deleted: quiet ? [] : deleted, Error: failed } });
}

/** Bucket, key and version named by `x-amz-copy-source`. */
export function copySource(request: BucketRequest): ObjectVersion & { file: string } {
  const source = header(request.req, 'x-amz-copy-source') ?? '';
  const [path, search] = source.replace(/^\//, '').split('?');
  const slash = (path ?? '').indexOf('/');
  if (slash <= 0) throw invalid(`x-amz-copy-source ${JSON.stringify(source)} is not <bucket>/<key>.`, 'InvalidArgument');
  const bucket = request.buckets.get(decodeURIComponent((path ?? '').slice(0, slash)));
  const key = decodeURIComponent((path ?? '').slice(slash + 1));
  const versionId = new URLSearchParams(search).get('versionId');
  request.demand(bucket, { action: `s3:GetObject${versionId === null ? '' : 'Version'}`, key });
  const object = bucket.version(key, versionId);
  if (object === null || object.file === null) throw noSuchKey(key);
  const ifMatch = header(request.req, 'x-amz-copy-source-if-match');
  const ifNoneMatch = header(request.req, 'x-amz-copy-source-if-none-match');
  if (ifMatch !== undefined && !listed(ifMatch, object.etag)) throw preconditionFailed('x-amz-copy-source-if-match');
  if (ifNoneMatch !== undefined && listed(ifNoneMatch, object.etag))
    throw preconditionFailed('x-amz-copy-source-if-none-match');
  return object as ObjectVersion & { file: string };
}

export async function copyObject(request: BucketRequest): Promise<void> {
  const source = copySource(request);
  if (request.query.has('tagging')) throw notHere('object tags');
  const file = join(request.bucket.dir, randomUUID());
  // Synchronously, because the source may be replaced, and its file removed, whenever this waits.
  copyFileSync(source.file, file);
  const replace = header(request.req, 'x-amz-metadata-directive')?.toUpperCase() === 'REPLACE';
  const object = request.bucket.commit(
    {
      key: request.key,
      file,
      size: source.size,
      etag: source.etag,
      headers: replace ? storedHeaders(request.req) : source.headers,
      checksum: source.checksum,
    },
    writeConditions(request.req),
  );
  changed(request, 'ObjectCreated:Copy', object);
  const value = { LastModified: object.modified.toISOString(), ETag: `"${object.etag}"` };
  reply(request, 200, versionHeaders(object), { root: 'CopyObjectResult', value });
}
