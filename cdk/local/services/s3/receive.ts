import { createHash, randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { type Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { CHECKSUM_NAMES, type ChecksumName, checksum, checksumName } from './checksums.ts';
import { ChunkedDecoder } from './chunked.ts';
import { invalid } from './errors.ts';

/** A body on disk, complete and checked, but not yet visible as an object. */
export interface Received {
  readonly file: string;
  readonly size: number;
  /** Hex. */
  readonly md5: string;
  readonly checksum: { readonly name: ChecksumName; readonly value: string } | null;
}

const header = (req: IncomingMessage, name: string): string | undefined => {
  const value = req.headers[name];
  return Array.isArray(value) ? value[0] : value;
};

/** True when the body is aws-chunked, whatever of the three ways the client chose to say it. */
function isChunked(req: IncomingMessage): boolean {
  return (
    (header(req, 'content-encoding') ?? '').includes('aws-chunked') ||
    (header(req, 'x-amz-content-sha256') ?? '').startsWith('STREAMING-') ||
    header(req, 'x-amz-decoded-content-length') !== undefined
  );
}

/** The checksum the client will give (header or trailer); CRC64NVME when it gives none, as S3 does since December 2024. */
function expectedChecksum(req: IncomingMessage): ChecksumName | null {
  const inHeader = CHECKSUM_NAMES.find((name) => header(req, `x-amz-checksum-${name}`) !== undefined);
  return inHeader ?? checksumName(header(req, 'x-amz-trailer')) ?? checksumName(header(req, 'x-amz-sdk-checksum-algorithm'));
}

/**
 * Streams the body of a PUT into a new file of `dir`, checking length, Content-MD5 and checksum.
 * Throws BadDigest, IncompleteBody or InvalidRequest, and leaves no file then.
 */
export async function receive(req: IncomingMessage, dir: string): Promise<Received> {
  const file = join(dir, randomUUID());
  const name = expectedChecksum(req) ?? 'crc64nvme';
  const chunked = isChunked(req) ? new ChunkedDecoder() : null;
  try {
    const stored = await store(chunked === null ? req : req.pipe(chunked), file, name, chunked === null ? undefined : req);
    const length = header(req, 'x-amz-decoded-content-length');
    if (length !== undefined && Number(length) !== stored.size)
      throw invalid(`x-amz-decoded-content-length says ${length}, ${stored.size} bytes came.`, 'IncompleteBody');
    const md5 = header(req, 'content-md5');
    if (md5 !== undefined && Buffer.from(md5, 'base64').toString('hex') !== stored.md5)
      throw invalid('The Content-MD5 you specified did not match what we received.', 'BadDigest');
    const sha256 = header(req, 'x-amz-content-sha256');
    if (sha256 !== undefined && /^[0-9a-f]{64}$/.test(sha256) && sha256 !== stored.sha256)
      throw invalid('The provided x-amz-content-sha256 header does not match what was computed.', 'XAmzContentSHA256Mismatch');
    const wanted = header(req, `x-amz-checksum-${name}`) ?? chunked?.trailers.get(`x-amz-checksum-${name}`);
    if (wanted !== undefined && wanted !== stored.checksum)
      throw invalid(`The ${name.toUpperCase()} you specified did not match the calculated checksum.`, 'BadDigest');
    return { file, size: stored.size, md5: stored.md5, checksum: { name, value: stored.checksum } };
  } catch (cause) {
    await rm(file, { force: true });
    throw cause;
  }
}

/** Copies a stream into `file` while hashing it. */
export async function store(
  source: Readable,
  file: string,
  name: ChecksumName,
  upstream?: Readable,
): Promise<{ size: number; md5: string; sha256: string; checksum: string }> {
  const md5 = createHash('md5');
  const sha256 = createHash('sha256');
  const sum = checksum(name);
  let size = 0;
  const disk = createWriteStream(file, { flags: 'wx' });
  // A client that goes away in the middle must end the decoder too, or the upload would wait for ever.
  const abandon = () => source.destroy(invalid('The client closed the connection.', 'RequestTimeout'));
  upstream?.once('aborted', abandon);
  const meter = new Writable({
    write(chunk: Buffer, _encoding, done) {
      size += chunk.length;
      md5.update(chunk);
      sha256.update(chunk);
      sum.update(chunk);
      disk.write(chunk, done);
    },
    final(done) {
      disk.end(done);
    },
  });
  try {
    await pipeline(source, meter);
  } catch (cause) {
    disk.destroy();
    throw cause;
  } finally {
    upstream?.off('aborted', abandon);
  }
  return { size, md5: md5.digest('hex'), sha256: sha256.digest('hex'), checksum: sum.digest().toString('base64') };
}
