import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { PutObjectCommand, S3Client, type S3ServiceException } from '@aws-sdk/client-s3';
import { type SegmentStore, StoreRefusal } from './shipper.ts';

/** Connections not used for longer are not trusted: the environment was probably frozen, and the other end has gone. */
const STALE_MS = 3000;
/** Answers that do not change by asking again at once. */
const REFUSALS = new Set([400, 401, 403, 404, 405]);

/**
 * Segments as S3 objects, written with `If-None-Match: *`: what is stored is never overwritten, not even by this function.
 * Region, credentials and endpoint come from the environment as for any AWS client.
 */
export function s3Store(bucket: string): SegmentStore {
  const agents = [new HttpAgent({ keepAlive: true }), new HttpsAgent({ keepAlive: true })] as const;
  const client = new S3Client({
    maxAttempts: 1,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // A custom endpoint (local engine, LocalStack) has no name per bucket.
    forcePathStyle: process.env.AWS_ENDPOINT_URL_S3 !== undefined || process.env.AWS_ENDPOINT_URL !== undefined,
    requestHandler: { httpAgent: agents[0], httpsAgent: agents[1] },
  });
  let used = 0;
  return {
    async putNew(key, bytes, signal) {
      if (Date.now() - used > STALE_MS) for (const agent of agents) agent.destroy();
      used = Date.now();
      const put = new PutObjectCommand({
        Bucket: bucket,
        Key: key,
        Body: bytes,
        IfNoneMatch: '*',
        ContentType: 'application/zstd',
      });
      try {
        await client.send(put, { abortSignal: signal });
        return 'stored';
      } catch (error) {
        const status = (error as Partial<S3ServiceException>).$metadata?.httpStatusCode;
        if (status === 412) return 'taken';
        if (status !== undefined && REFUSALS.has(status)) {
          throw new StoreRefusal(`bucket ${bucket} refused ${key}: ${status} ${(error as Error).name}`, { cause: error });
        }
        throw error;
      }
    },
  };
}
