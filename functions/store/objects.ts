import { GetObjectCommand, PutObjectCommand, S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { BOUNDS } from '../../layers/record/bounds.ts';
import { SegmentError } from '../../layers/record/errors.ts';
import { NoSuchObject, StoreError } from './errors.ts';
import { segmentPrefix } from './schema.ts';

export interface StoredObject {
  readonly bytes: Uint8Array;
  /** When S3 took it, µs since 1970: the one time in this system that no audited function can choose. */
  readonly received: number;
}

/** All that the store needs of S3. */
export interface Objects {
  get(key: string): Promise<StoredObject>;
  put(key: string, bytes: Uint8Array): Promise<void>;
}

/** An endpoint override (local engine, LocalStack) is addressed by path: it has no name per bucket. */
export function s3Client(env: NodeJS.ProcessEnv = process.env, options: S3ClientConfig = {}): S3Client {
  return new S3Client({ ...options, forcePathStyle: (env.AWS_ENDPOINT_URL_S3 ?? env.AWS_ENDPOINT_URL) !== undefined });
}

export class S3Objects implements Objects {
  readonly #client: S3Client;
  readonly #bucket: string;

  constructor(client: S3Client, bucket: string) {
    this.#client = client;
    this.#bucket = bucket;
  }

  /** @throws NoSuchObject, StoreError, and SegmentError `oversized`: a function may put up to 5 GB where its segments belong */
  async get(key: string): Promise<StoredObject> {
    try {
      const found = await this.#client.send(new GetObjectCommand({ Bucket: this.#bucket, Key: key }));
      const size = found.ContentLength ?? 0;
      if (key.startsWith(segmentPrefix) && size > BOUNDS.compressed) {
        (found.Body as { destroy?(): void } | undefined)?.destroy?.();
        throw new SegmentError('oversized', key, undefined, `${size} bytes stored`);
      }
      const bytes = (await found.Body?.transformToByteArray()) ?? new Uint8Array();
      return { bytes, received: (found.LastModified?.getTime() ?? 0) * 1000 };
    } catch (error) {
      if (error instanceof SegmentError) throw error;
      if (error instanceof Error && (error.name === 'NoSuchKey' || error.name === 'NotFound'))
        throw new NoSuchObject(key, error);
      throw new StoreError('unavailable', `reading s3://${this.#bucket}/${key} failed: ${String(error)}`, error);
    }
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    try {
      await this.#client.send(new PutObjectCommand({ Bucket: this.#bucket, Key: key, Body: bytes }));
    } catch (error) {
      throw new StoreError('unavailable', `writing s3://${this.#bucket}/${key} failed: ${String(error)}`, error);
    }
  }
}
