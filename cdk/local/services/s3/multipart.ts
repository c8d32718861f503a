import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { readBody } from '../../http/exchange.ts';
import { children, parseXml } from '../../http/xml.ts';
import { type ChecksumName, checksum, checksumName } from './checksums.ts';
import { invalid, noSuchUpload } from './errors.ts';
import { copySource, openObject } from './objects.ts';
import { parseRange } from './range.ts';
import { type Received, receive, store } from './receive.ts';
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

interface Part extends Received {
  readonly number: number;
  readonly modified: Date;
}

interface Upload {
  readonly id: string;
  readonly bucket: string;
  readonly key: string;
  readonly headers: Record<string, string>;
  readonly checksum: ChecksumName;
  readonly composite: boolean;
  readonly parts: Map<number, Part>;
  readonly started: Date;
}

/** All parts but the last must have this size. */
const MIN_PART = 5 * 1024 * 1024;

/** Uploads in parts, from their creation to completion or abort. */
export class MultipartUploads {
  readonly #uploads = new Map<string, Upload>();

  create(request: BucketRequest): void {
    const name = checksumName(header(request.req, 'x-amz-checksum-algorithm'));
    const type = header(request.req, 'x-amz-checksum-type')?.toUpperCase();
    const upload: Upload = {
      id: randomUUID().replaceAll('-', ''),
      bucket: request.bucketName,
      key: request.key,
      headers: storedHeaders(request.req),
      checksum: name ?? 'crc64nvme',
      // Without a wish CRC64NVME covers the whole object and the others are checksums of checksums.
      composite: name !== null && name !== 'crc64nvme' && type !== 'FULL_OBJECT',
      parts: new Map(),
      started: new Date(),
    };
    this.#uploads.set(upload.id, upload);
    const headers = {
      'x-amz-checksum-algorithm': upload.checksum.toUpperCase(),
      'x-amz-checksum-type': upload.composite ? 'COMPOSITE' : 'FULL_OBJECT',
      'x-amz-server-side-encryption': 'AES256',
    };
    const value = { Bucket: upload.bucket, Key: upload.key, UploadId: upload.id };
    reply(request, 200, headers, { root: 'InitiateMultipartUploadResult', value });
  }

  async part(request: BucketRequest): Promise<void> {
    const upload = this.#get(request);
    const number = Number(request.query.get('partNumber'));
    if (!Number.isInteger(number) || number < 1 || number > 10_000)
      throw invalid('Part number must be an integer between 1 and 10000.', 'InvalidArgument');
    const copied = header(request.req, 'x-amz-copy-source') !== undefined;
    const body = copied ? await copyPart(request, upload.checksum) : await receive(request.req, request.bucket.dir);
    const before = upload.parts.get(number);
    const part: Part = { ...body, number, modified: new Date() };
    upload.parts.set(number, part);
    if (before !== undefined) await rm(before.file, { force: true });
    if (copied) {
      const value = { LastModified: part.modified.toISOString(), ETag: `"${part.md5}"` };
      return reply(request, 200, {}, { root: 'CopyPartResult', value });
    }
    reply(request, 200, {
      etag: `"${part.md5}"`,
      ...(part.checksum === null ? {} : { [`x-amz-checksum-${part.checksum.name}`]: part.checksum.value }),
    });
  }

  async complete(request: BucketRequest): Promise<void> {
    const upload = this.#get(request);
    const document = parseXml((await readBody(request.req)).toString('utf8'));
    const parts = chosenParts(upload, children(children(document, 'CompleteMultipartUpload')[0], 'Part'));
    const conditions = writeConditions(request.req);
    request.bucket.check(upload.key, conditions);
    const file = join(request.bucket.dir, randomUUID());
    const whole = await store(Readable.from(concatenated(parts)), file, upload.checksum);
    const md5s = Buffer.concat(parts.map((part) => Buffer.from(part.md5, 'hex')));
    const object = request.bucket.commit(
      {
        key: upload.key,
        file,
        size: whole.size,
        etag: `${createHash('md5').update(md5s).digest('hex')}-${parts.length}`,
        headers: upload.headers,
        checksum: upload.composite
          ? compositeChecksum(upload.checksum, parts)
          : { name: upload.checksum, value: whole.checksum, type: 'FULL_OBJECT' },
        parts: parts.map((part) => part.size),
      },
      conditions,
    );
    await this.#forget(upload);
    changed(request, 'ObjectCreated:CompleteMultipartUpload', object);
    const value = {
      Location: `http://${header(request.req, 'host') ?? ''}/${upload.bucket}/${encodeURIComponent(upload.key)}`,
      Bucket: upload.bucket,
      Key: upload.key,
      ETag: `"${object.etag}"`,
      ...(object.checksum === null
        ? {}
        : { [`Checksum${object.checksum.name.toUpperCase()}`]: object.checksum.value, ChecksumType: object.checksum.type }),
    };
    const { etag: _, ...headers } = { ...versionHeaders(object), ...checksumHeaders(object) };
    reply(request, 200, headers, { root: 'CompleteMultipartUploadResult', value });
  }

  async abort(request: BucketRequest): Promise<void> {
    await this.#forget(this.#get(request));
    reply(request, 204);
  }

  listParts(request: BucketRequest): void {
    const upload = this.#get(request);
    const most = Math.min(Number(request.query.get('max-parts') ?? 1000), 1000);
    const after = Number(request.query.get('part-number-marker') ?? 0);
    const later = [...upload.parts.values()].filter((part) => part.number > after).sort((a, b) => a.number - b.number);
    const page = later.slice(0, most);
    const value = {
      Bucket: upload.bucket,
      Key: upload.key,
      UploadId: upload.id,
      PartNumberMarker: after,
      NextPartNumberMarker: page.at(-1)?.number ?? after,
      MaxParts: most,
      IsTruncated: later.length > page.length,
      StorageClass: 'STANDARD',
      Part: page.map((part) => ({
        PartNumber: part.number,
        LastModified: part.modified.toISOString(),
        ETag: `"${part.md5}"`,
        Size: part.size,
      })),
    };
    reply(request, 200, {}, { root: 'ListPartsResult', value });
  }

  list(request: BucketRequest): void {
    const prefix = request.query.get('prefix') ?? '';
    const uploads = [...this.#uploads.values()].filter(
      (one) => one.bucket === request.bucketName && one.key.startsWith(prefix),
    );
    const value = {
      Bucket: request.bucketName,
      MaxUploads: 1000,
      IsTruncated: false,
      Upload: uploads.map((one) => ({
        Key: one.key,
        UploadId: one.id,
        Initiated: one.started.toISOString(),
        StorageClass: 'STANDARD',
      })),
    };
    reply(request, 200, {}, { root: 'ListMultipartUploadsResult', value });
  }

  #get(request: BucketRequest): Upload {
    const id = request.query.get('uploadId') ?? '';
    const upload = this.#uploads.get(id);
    if (upload === undefined || upload.bucket !== request.bucketName || upload.key !== request.key) throw noSuchUpload(id);
    return upload;
  }

  async #forget(upload: Upload): Promise<void> {
    this.#uploads.delete(upload.id);
    await Promise.all([...upload.parts.values()].map((part) => rm(part.file, { force: true })));
  }
}

async function copyPart(request: BucketRequest, name: ChecksumName): Promise<Received> {
  const source = copySource(request);
  const range = parseRange(header(request.req, 'x-amz-copy-source-range'), source.size);
  const file = join(request.bucket.dir, randomUUID());
  const from = openObject(source.file, range);
  const stored = await store(from, file, name);
  return { file, size: stored.size, md5: stored.md5, checksum: { name, value: stored.checksum } };
}

/** The parts a completion names, in its order. Throws InvalidPart, InvalidPartOrder, EntityTooSmall. */
function chosenParts(upload: Upload, named: readonly Record<string, unknown>[]): Part[] {
  if (named.length === 0) throw invalid('A completion must name at least one part.', 'MalformedXML');
  const parts = named.map((one) => {
    const part = upload.parts.get(Number(one.PartNumber));
    if (
      part === undefined ||
      String(one.ETag ?? '')
        .replaceAll('"', '')
        .replaceAll('&quot;', '') !== part.md5
    )
      throw invalid(`Part ${String(one.PartNumber)} was not uploaded, or its ETag differs.`, 'InvalidPart');
    return part;
  });
  for (const [index, part] of parts.entries()) {
    const next = parts[index + 1];
    if (next === undefined) break;
    if (next.number <= part.number) throw invalid('The list of parts was not in ascending order.', 'InvalidPartOrder');
    if (part.size < MIN_PART) throw invalid(`Part ${part.number} is smaller than ${MIN_PART} bytes.`, 'EntityTooSmall');
  }
  return parts;
}

async function* concatenated(parts: readonly Part[]): AsyncGenerator<Buffer> {
  for (const part of parts) yield* createReadStream(part.file) as AsyncIterable<Buffer>;
}

/** Checksum of the parts' checksums; null when a part was sent with another algorithm. */
function compositeChecksum(name: ChecksumName, parts: readonly Part[]) {
  if (parts.some((part) => part.checksum?.name !== name)) return null;
  const sum = checksum(name);
  for (const part of parts) sum.update(Buffer.from(part.checksum?.value ?? '', 'base64'));
  return { name, value: `${sum.digest().toString('base64')}-${parts.length}`, type: 'COMPOSITE' as const };
}
