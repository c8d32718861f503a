import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  ChecksumAlgorithm,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
  ListPartsCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Running, running } from './running.ts';

const Bucket = 'test-bucket';
let stack: Running;
let s3: S3Client;

beforeAll(async () => {
  stack = await running(() => undefined);
  s3 = new S3Client(stack.client);
  await s3.send(new CreateBucketCommand({ Bucket }));
});
afterAll(async () => {
  s3.destroy();
  await stack.stop();
});

const statusOf = (cause: unknown) => (cause as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
const failure = async (sent: Promise<unknown>) => {
  try {
    await sent;
  } catch (cause) {
    return { name: (cause as Error).name, status: statusOf(cause) };
  }
  throw new Error('it did not fail');
};

async function content(Key: string, extra: object = {}): Promise<Buffer> {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key, ...extra }));
  return Buffer.from((await Body?.transformToByteArray()) ?? []);
}

describe('objects', () => {
  it('gives back bytes, metadata, content type and ETag', async () => {
    const body = randomBytes(3000);
    const put = await s3.send(
      new PutObjectCommand({ Bucket, Key: 'a/b c+ü.bin', Body: body, ContentType: 'image/x', Metadata: { colour: 'red' } }),
    );
    const got = await s3.send(new GetObjectCommand({ Bucket, Key: 'a/b c+ü.bin' }));
    expect(Buffer.from((await got.Body?.transformToByteArray()) ?? [])).toEqual(body);
    expect(got).toMatchObject({ ContentType: 'image/x', Metadata: { colour: 'red' }, ETag: put.ETag, ContentLength: 3000 });
    expect(put.ETag).toBe(`"${createHash('md5').update(body).digest('hex')}"`);
    expect(put.$metadata.requestId).toMatch(/^[0-9A-Z]{16}$/);
    expect(put.$metadata.extendedRequestId).toBeTruthy();
  });

  it.each(Object.values(ChecksumAlgorithm).filter((one) => /^(CRC|SHA1$|SHA256$)/.test(one)))(
    'verifies %s of the SDK',
    async (algorithm) => {
      const body = randomBytes(100_001);
      const Key = `sum-${algorithm}`;
      // The SDK computes CRC64NVME only with an add-on; the value is known then.
      if (algorithm === 'CRC64NVME') {
        const nine = await s3.send(new PutObjectCommand({ Bucket, Key, Body: '123456789', ChecksumCRC64NVME: 'rosUhgp5mIg=' }));
        expect(nine.ChecksumCRC64NVME).toBe('rosUhgp5mIg=');
        return;
      }
      await s3.send(new PutObjectCommand({ Bucket, Key, Body: body, ChecksumAlgorithm: algorithm }));
      expect(await content(Key, { ChecksumMode: 'ENABLED' })).toEqual(body);
    },
  );

  it('refuses a wrong checksum and leaves nothing behind', async () => {
    const wrong = new PutObjectCommand({ Bucket, Key: 'bad', Body: 'abc', ChecksumCRC32: 'AAAAAA==' });
    expect(await failure(s3.send(wrong))).toEqual({ name: 'BadDigest', status: 400 });
    expect(await failure(s3.send(new HeadObjectCommand({ Bucket, Key: 'bad' })))).toMatchObject({ status: 404 });
  });

  it('takes streamed uploads of unknown checksum, chunked with a trailer', async () => {
    const body = randomBytes(400_000);
    const Body = Readable.from([body.subarray(0, 70_001), body.subarray(70_001)]);
    await s3.send(new PutObjectCommand({ Bucket, Key: 'streamed', Body, ContentLength: body.length }));
    expect(await content('streamed')).toEqual(body);
  });

  it('answers ranges', async () => {
    await s3.send(new PutObjectCommand({ Bucket, Key: 'range', Body: '0123456789' }));
    expect((await content('range', { Range: 'bytes=2-4' })).toString()).toBe('234');
    expect((await content('range', { Range: 'bytes=-3' })).toString()).toBe('789');
    expect((await content('range', { Range: 'bytes=8-' })).toString()).toBe('89');
    expect(await failure(content('range', { Range: 'bytes=10-' }))).toEqual({ name: 'InvalidRange', status: 416 });
  });

  it('answers conditional reads', async () => {
    const { ETag = '' } = await s3.send(new PutObjectCommand({ Bucket, Key: 'cond', Body: 'x' }));
    expect(await failure(content('cond', { IfNoneMatch: ETag }))).toMatchObject({ status: 304 });
    expect(await failure(content('cond', { IfMatch: '"other"' }))).toMatchObject({ status: 412 });
    expect((await content('cond', { IfMatch: ETag })).toString()).toBe('x');
  });

  it('lets exactly one of several racing conditional puts win', async () => {
    const puts = Array.from({ length: 20 }, (_, at) =>
      s3.send(new PutObjectCommand({ Bucket, Key: 'race', Body: `writer ${at}`, IfNoneMatch: '*' })).then(
        () => at,
        (cause: unknown) => (statusOf(cause) === 412 ? null : Promise.reject(cause as Error)),
      ),
    );
    const winners = (await Promise.all(puts)).filter((one) => one !== null);
    expect(winners).toHaveLength(1);
    expect((await content('race')).toString()).toBe(`writer ${winners[0]}`);
  });

  it('writes with If-Match only over the version that is there', async () => {
    const { ETag = '' } = await s3.send(new PutObjectCommand({ Bucket, Key: 'match', Body: '1' }));
    await s3.send(new PutObjectCommand({ Bucket, Key: 'match', Body: '2', IfMatch: ETag }));
    expect(await failure(s3.send(new PutObjectCommand({ Bucket, Key: 'match', Body: '3', IfMatch: ETag })))).toMatchObject({
      status: 412,
    });
  });

  it('reads an object to its end although it is replaced meanwhile', async () => {
    const first = randomBytes(8 * 1024 * 1024);
    await s3.send(new PutObjectCommand({ Bucket, Key: 'replaced', Body: first }));
    const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key: 'replaced' }));
    await s3.send(new PutObjectCommand({ Bucket, Key: 'replaced', Body: 'second' }));
    expect(first.equals((await Body?.transformToByteArray()) ?? Buffer.alloc(0))).toBe(true);
    expect((await content('replaced')).toString()).toBe('second');
  });

  it('copies', async () => {
    await s3.send(new PutObjectCommand({ Bucket, Key: 'from ü', Body: 'copied', Metadata: { a: 'b' } }));
    await s3.send(new CopyObjectCommand({ Bucket, Key: 'to', CopySource: encodeURI(`${Bucket}/from ü`) }));
    expect((await content('to')).toString()).toBe('copied');
    expect((await s3.send(new HeadObjectCommand({ Bucket, Key: 'to' }))).Metadata).toEqual({ a: 'b' });
  });

  it('says what is missing with the error codes of S3', async () => {
    expect(await failure(content('nothing'))).toEqual({ name: 'NoSuchKey', status: 404 });
    expect(await failure(s3.send(new GetObjectCommand({ Bucket: 'no-such-bucket', Key: 'x' })))).toEqual({
      name: 'NoSuchBucket',
      status: 404,
    });
    expect(await failure(s3.send(new HeadBucketCommand({ Bucket: 'no-such-bucket' })))).toMatchObject({ status: 404 });
  });

  it('understands virtual-host addresses', async () => {
    await s3.send(new PutObjectCommand({ Bucket, Key: 'vhost', Body: 'v' }));
    const { port } = new URL(stack.engine.endpoint);
    const { request } = await import('node:http');
    const authorization =
      'AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0';
    const headers = { authorization, host: `${Bucket}.s3.us-east-1.amazonaws.com` };
    const text = await new Promise<string>((resolve, reject) => {
      request({ port, host: '127.0.0.1', path: '/vhost', headers }, (answer) => {
        answer.setEncoding('utf8').on('data', resolve);
      })
        .once('error', reject)
        .end();
    });
    expect(text).toBe('v');
  });
});

describe('multipart uploads', () => {
  const part = randomBytes(5 * 1024 * 1024);

  async function upload(Key: string, bodies: readonly Buffer[], extra: object = {}) {
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key, ...extra }));
    const Parts = [];
    for (const [index, Body] of bodies.entries()) {
      const { ETag } = await s3.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber: index + 1, Body, ...extra }));
      Parts.push({ PartNumber: index + 1, ETag });
    }
    return { UploadId, Parts };
  }

  it('joins the parts and refuses what is too small or unknown', async () => {
    const { UploadId, Parts } = await upload('multi', [part, Buffer.from('end')], { ChecksumAlgorithm: 'CRC32' });
    const listed = await s3.send(new ListPartsCommand({ Bucket, Key: 'multi', UploadId }));
    expect(listed.Parts?.map((one) => one.Size)).toEqual([part.length, 3]);
    const wrong = { Parts: [{ PartNumber: 1, ETag: '"0"' }] };
    expect(
      await failure(s3.send(new CompleteMultipartUploadCommand({ Bucket, Key: 'multi', UploadId, MultipartUpload: wrong }))),
    ).toMatchObject({ name: 'InvalidPart' });
    const done = await s3.send(
      new CompleteMultipartUploadCommand({ Bucket, Key: 'multi', UploadId, MultipartUpload: { Parts } }),
    );
    expect(done.ETag).toMatch(/^"[0-9a-f]{32}-2"$/);
    expect(Buffer.concat([part, Buffer.from('end')]).equals(await content('multi'))).toBe(true);

    const small = await upload('small', [Buffer.from('a'), Buffer.from('b')]);
    expect(
      await failure(
        s3.send(
          new CompleteMultipartUploadCommand({
            Bucket,
            Key: 'small',
            UploadId: small.UploadId,
            MultipartUpload: { Parts: small.Parts },
          }),
        ),
      ),
    ).toMatchObject({ name: 'EntityTooSmall' });
    await s3.send(new AbortMultipartUploadCommand({ Bucket, Key: 'small', UploadId: small.UploadId }));
    expect(await failure(s3.send(new ListPartsCommand({ Bucket, Key: 'small', UploadId: small.UploadId })))).toMatchObject({
      name: 'NoSuchUpload',
    });
  });

  it('completes conditionally', async () => {
    const first = await upload('multi-cond', [Buffer.from('1')]);
    const second = await upload('multi-cond', [Buffer.from('2')]);
    const finish = ({ UploadId, Parts }: typeof first) =>
      s3.send(
        new CompleteMultipartUploadCommand({
          Bucket,
          Key: 'multi-cond',
          UploadId,
          MultipartUpload: { Parts },
          IfNoneMatch: '*',
        }),
      );
    const outcomes = await Promise.allSettled([finish(first), finish(second)]);
    expect(outcomes.map((one) => one.status).sort()).toEqual(['fulfilled', 'rejected']);
  });
});

describe('listing', () => {
  it('pages through keys in byte order, with prefixes and delimiters', async () => {
    const keys = ['list/a', 'list/b/1', 'list/b/2', 'list/c d', 'list/é', 'list/z/1'];
    for (const Key of keys) await s3.send(new PutObjectCommand({ Bucket, Key, Body: '' }));
    const found: string[] = [];
    let ContinuationToken: string | undefined;
    do {
      const page: ListObjectsV2CommandOutput = await s3.send(
        new ListObjectsV2Command({ Bucket, Prefix: 'list/', MaxKeys: 2, ContinuationToken }),
      );
      found.push(...(page.Contents ?? []).map((one) => one.Key ?? ''));
      ContinuationToken = page.NextContinuationToken;
    } while (ContinuationToken !== undefined);
    expect(found).toEqual(['list/a', 'list/b/1', 'list/b/2', 'list/c d', 'list/z/1', 'list/é']);

    const grouped: string[] = [];
    do {
      const page: ListObjectsV2CommandOutput = await s3.send(
        new ListObjectsV2Command({ Bucket, Prefix: 'list/', Delimiter: '/', MaxKeys: 1, ContinuationToken }),
      );
      grouped.push(
        ...(page.Contents ?? []).map((one) => one.Key ?? ''),
        ...(page.CommonPrefixes ?? []).map((one) => one.Prefix ?? ''),
      );
      ContinuationToken = page.NextContinuationToken;
    } while (ContinuationToken !== undefined);
    expect(grouped).toEqual(['list/a', 'list/b/', 'list/c d', 'list/z/', 'list/é']);

    const old = await s3.send(new ListObjectsCommand({ Bucket, Prefix: 'list/', MaxKeys: 4 }));
    expect(old.IsTruncated).toBe(true);
    expect(old.Contents).toHaveLength(4);
    await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: keys.map((Key) => ({ Key })) } }));
    expect((await s3.send(new ListObjectsV2Command({ Bucket, Prefix: 'list/' }))).KeyCount).toBe(0);
  });
});

describe('buckets', () => {
  it('keeps versions when told so', async () => {
    await s3.send(new CreateBucketCommand({ Bucket: 'versioned' }));
    await s3.send(new PutBucketVersioningCommand({ Bucket: 'versioned', VersioningConfiguration: { Status: 'Enabled' } }));
    const first = await s3.send(new PutObjectCommand({ Bucket: 'versioned', Key: 'k', Body: '1' }));
    await s3.send(new PutObjectCommand({ Bucket: 'versioned', Key: 'k', Body: '2' }));
    const gone = await s3.send(new DeleteObjectCommand({ Bucket: 'versioned', Key: 'k' }));
    expect(gone.DeleteMarker).toBe(true);
    const old = await s3.send(new GetObjectCommand({ Bucket: 'versioned', Key: 'k', VersionId: first.VersionId }));
    expect(await old.Body?.transformToString()).toBe('1');
    expect(await failure(s3.send(new GetObjectCommand({ Bucket: 'versioned', Key: 'k' })))).toMatchObject({
      name: 'NoSuchKey',
    });
  });

  it('are only deleted when empty', async () => {
    await s3.send(new CreateBucketCommand({ Bucket: 'full' }));
    await s3.send(new PutObjectCommand({ Bucket: 'full', Key: 'k', Body: '1' }));
    expect(await failure(s3.send(new DeleteBucketCommand({ Bucket: 'full' })))).toEqual({
      name: 'BucketNotEmpty',
      status: 409,
    });
    await s3.send(new DeleteObjectCommand({ Bucket: 'full', Key: 'k' }));
    await s3.send(new DeleteBucketCommand({ Bucket: 'full' }));
  });
});
