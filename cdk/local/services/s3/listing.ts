import { invalid } from './errors.ts';
import { type BucketRequest, reply } from './request.ts';
import type { ObjectVersion } from './store.ts';

interface Page {
  readonly objects: readonly ObjectVersion[];
  readonly prefixes: readonly string[];
  /** Last key or common prefix of a page that is not the last. */
  readonly next: string | null;
}

/** Keys are in UTF-8 byte order, which differs from JavaScript's order beyond the basic plane. */
const after = (a: string, b: string): boolean => Buffer.compare(Buffer.from(a), Buffer.from(b)) > 0;

function page(request: BucketRequest, startAfter: string, most: number): Page {
  const prefix = request.query.get('prefix') ?? '';
  const delimiter = request.query.get('delimiter') ?? '';
  const objects: ObjectVersion[] = [];
  const prefixes: string[] = [];
  let last = '';
  for (const key of request.bucket.keys()) {
    if (!key.startsWith(prefix) || (startAfter !== '' && !after(key, startAfter))) continue;
    const object = request.bucket.current(key);
    if (object === null) continue;
    const cut = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
    const common = cut < 0 ? null : key.slice(0, cut + delimiter.length);
    // All keys under one common prefix count as one entry, and a page that ended with it does not repeat it.
    if (common !== null && (common === prefixes.at(-1) || (startAfter !== '' && startAfter.startsWith(common)))) continue;
    if (objects.length + prefixes.length === most) return { objects, prefixes, next: last };
    if (common === null) objects.push(object);
    else prefixes.push(common);
    last = common ?? key;
  }
  return { objects, prefixes, next: null };
}

function maxKeys(request: BucketRequest): number {
  const text = request.query.get('max-keys');
  const value = text === null ? 1000 : Number(text);
  if (!Number.isInteger(value) || value < 0)
    throw invalid(`max-keys ${text} is not a number from 0 to 1000.`, 'InvalidArgument');
  return Math.min(value, 1000);
}

function entries(request: BucketRequest, found: Page) {
  const encode =
    request.query.get('encoding-type') === 'url' ? (text: string) => encodeURIComponent(text).replaceAll('%2F', '/') : String;
  return {
    Contents: found.objects.map((object) => ({
      Key: encode(object.key),
      LastModified: object.modified.toISOString(),
      ETag: `"${object.etag}"`,
      ...(object.checksum === null
        ? {}
        : { ChecksumAlgorithm: object.checksum.name.toUpperCase(), ChecksumType: object.checksum.type }),
      Size: object.size,
      StorageClass: 'STANDARD',
    })),
    CommonPrefixes: found.prefixes.map((prefix) => ({ Prefix: encode(prefix) })),
    encode,
  };
}

export function listObjectsV2(request: BucketRequest): void {
  const { query } = request;
  const most = maxKeys(request);
  const token = query.get('continuation-token');
  const start = token === null ? (query.get('start-after') ?? '') : Buffer.from(token, 'base64url').toString('utf8');
  const found = most === 0 ? { objects: [], prefixes: [], next: null } : page(request, start, most);
  const { Contents, CommonPrefixes, encode } = entries(request, found);
  const value = {
    Name: request.bucketName,
    Prefix: encode(query.get('prefix') ?? ''),
    Delimiter: query.has('delimiter') ? encode(query.get('delimiter') ?? '') : undefined,
    MaxKeys: most,
    KeyCount: Contents.length + CommonPrefixes.length,
    IsTruncated: found.next !== null,
    ContinuationToken: token ?? undefined,
    NextContinuationToken: found.next === null ? undefined : Buffer.from(found.next).toString('base64url'),
    StartAfter: query.has('start-after') ? encode(query.get('start-after') ?? '') : undefined,
    EncodingType: query.get('encoding-type') ?? undefined,
    Contents,
    CommonPrefixes,
  };
  reply(request, 200, {}, { root: 'ListBucketResult', value });
}

export function listObjects(request: BucketRequest): void {
  const { query } = request;
  const most = maxKeys(request);
  const found = most === 0 ? { objects: [], prefixes: [], next: null } : page(request, query.get('marker') ?? '', most);
  const { Contents, CommonPrefixes, encode } = entries(request, found);
  const value = {
    Name: request.bucketName,
    Prefix: encode(query.get('prefix') ?? ''),
    Marker: encode(query.get('marker') ?? ''),
    Delimiter: query.has('delimiter') ? encode(query.get('delimiter') ?? '') : undefined,
    MaxKeys: most,
    IsTruncated: found.next !== null,
    NextMarker: found.next === null ? undefined : encode(found.next),
    EncodingType: query.get('encoding-type') ?? undefined,
    Contents,
    CommonPrefixes,
  };
  reply(request, 200, {}, { root: 'ListBucketResult', value });
}

/** All versions in one page: enough to empty a bucket of a test. */
export function listVersions(request: BucketRequest): void {
  const prefix = request.query.get('prefix') ?? '';
  const versions = request.bucket.versions().filter((one) => one.key.startsWith(prefix));
  const shown = (object: ObjectVersion) => ({
    Key: object.key,
    VersionId: object.versionId,
    IsLatest: request.bucket.version(object.key, null) === object,
    LastModified: object.modified.toISOString(),
  });
  const value = {
    Name: request.bucketName,
    Prefix: prefix,
    MaxKeys: versions.length,
    IsTruncated: false,
    Version: versions
      .filter((one) => one.file !== null)
      .map((one) => ({ ...shown(one), ETag: `"${one.etag}"`, Size: one.size, StorageClass: 'STANDARD' })),
    DeleteMarker: versions.filter((one) => one.file === null).map(shown),
  };
  reply(request, 200, {}, { root: 'ListVersionsResult', value });
}
