/** How much evidence a variant makes. */
import { readFileSync } from 'node:fs';
import { gzipSync, zstdDecompressSync } from 'node:zlib';
import { GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { decodeSegment } from '../../layers/record/codec.ts';

export interface Evidence {
  readonly raw: number;
  readonly compressed: number;
  /** Requests to functions that it tells of; 0 where only bytes are known. */
  readonly requests: number;
  readonly puts: number;
  /** Records and events that are known to be missing. */
  readonly lost: number;
}

export const NONE: Evidence = { raw: 0, compressed: 0, requests: 0, puts: 0, lost: 0 };

/** Evidence in a bucket of the engine. Each call tells what came since the one before. */
export class EvidenceBucket {
  readonly #s3: S3Client;
  readonly #bucket: string;
  readonly #seen = new Set<string>();

  constructor(endpoint: string, region: string, bucket: string) {
    const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
    this.#s3 = new S3Client({ endpoint, region, credentials, forcePathStyle: true });
    this.#bucket = bucket;
  }

  async since(): Promise<Evidence> {
    let { raw, compressed, requests, puts, lost } = NONE;
    for (const key of await this.#keys()) {
      if (this.#seen.has(key)) continue;
      this.#seen.add(key);
      const { Body } = await this.#s3.send(new GetObjectCommand({ Bucket: this.#bucket, Key: key }));
      const bytes = await Body!.transformToByteArray();
      raw += zstdDecompressSync(bytes).length;
      compressed += bytes.length;
      puts++;
      for (const record of decodeSegment(bytes, key).records) {
        if (record.kind === 'request-begin') requests++;
        if (record.kind === 'gap') lost += Math.max(1, record.lost);
      }
    }
    return { raw, compressed, requests, puts, lost };
  }

  async #keys(): Promise<string[]> {
    const keys: string[] = [];
    for (let token: string | undefined; ; ) {
      const page = await this.#s3.send(new ListObjectsV2Command({ Bucket: this.#bucket, ContinuationToken: token }));
      keys.push(...(page.Contents ?? []).map(({ Key = '' }) => Key));
      token = page.NextContinuationToken;
      if (token === undefined) return keys;
    }
  }
}

/** Evidence that stays in the instances as files; `roots`: pids of one process of each instance. */
export class EvidenceFiles {
  readonly #paths: readonly string[];
  readonly #read = new Map<string, number>();

  constructor(paths: readonly string[]) {
    this.#paths = paths;
  }

  since(roots: readonly number[]): Evidence {
    let { raw, compressed } = NONE;
    for (const pid of roots) {
      for (const path of this.#paths) {
        const file = `/proc/${pid}/root${path}`;
        const bytes = contents(file).subarray(this.#read.get(file) ?? 0);
        this.#read.set(file, (this.#read.get(file) ?? 0) + bytes.length);
        raw += bytes.length;
        // What a log shipper would do with them.
        compressed += bytes.length === 0 ? 0 : gzipSync(bytes).length;
      }
    }
    return { ...NONE, raw, compressed };
  }
}

function contents(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch {
    return Buffer.alloc(0);
  }
}
