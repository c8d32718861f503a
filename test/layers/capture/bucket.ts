import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { decodeSegment } from '../../../layers/record/codec.ts';
import { segmentDigest } from '../../../layers/record/key.ts';
import type { AuditRecord, Segment } from '../../../layers/record/types.ts';

/** How the bucket answers the next PUT: as it should, with a status, by storing without answering, or not at all. */
export type Mood = 'ok' | 'store-and-hang-up' | 'hang' | number;

export interface Bucket {
  readonly url: string;
  readonly name: string;
  readonly objects: Map<string, Buffer>;
  /** PUTs seen, including refused ones. */
  readonly attempts: string[];
  mood: (key: string) => Mood;
  /** Milliseconds until it answers. */
  delayMs: number;
  /** Stored segments, decoded against their keys, in the order in which they were stored. */
  segments(): readonly Segment[];
  /** All records in order of instance and number. */
  records(): readonly AuditRecord[];
  of<K extends AuditRecord['kind']>(kind: K): Extract<AuditRecord, { kind: K }>[];
  close(): Promise<void>;
}

/** The part of S3 that the shipper uses: conditional PUT, path style. */
export async function startBucket(port = 0): Promise<Bucket> {
  const objects = new Map<string, Buffer>();
  const attempts: string[] = [];
  const server = createServer((request, answer) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', async () => {
      if (bucket.delayMs > 0) await new Promise((resolve) => setTimeout(resolve, bucket.delayMs));
      const key = decodeURIComponent((request.url ?? '').replace(/\?.*/s, '')).replace(/^\/[^/]+\//, '');
      attempts.push(key);
      const mood = bucket.mood(key);
      if (mood === 'hang') return;
      const status = mood === 'ok' || mood === 'store-and-hang-up' ? 200 : mood;
      const taken = status === 200 && objects.has(key) && request.headers['if-none-match'] === '*';
      if (status === 200 && !taken) objects.set(key, Buffer.concat(chunks));
      if (mood === 'store-and-hang-up') return void request.socket.destroy();
      answer.writeHead(taken ? 412 : status, { ETag: '"x"' });
      answer.end(taken ? '<Error><Code>PreconditionFailed</Code></Error>' : '');
    });
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const bucket: Bucket = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    name: 'evidence',
    objects,
    attempts,
    mood: () => 'ok',
    delayMs: 0,
    segments: () => [...objects].map(([key, bytes]) => decodeSegment(bytes, key)),
    records: () =>
      bucket
        .segments()
        .toSorted((a, b) => (a.header.instanceId === b.header.instanceId ? a.header.first - b.header.first : 0))
        .flatMap((segment) => segment.records),
    of: <K extends AuditRecord['kind']>(kind: K) =>
      bucket.records().filter((r): r is Extract<AuditRecord, { kind: K }> => r.kind === kind),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return bucket;
}

/** Problems of the hash chain: every segment of an instance must name the one stored before it, and continue its numbers. */
export function chainProblems(bucket: Bucket): readonly string[] {
  const last = new Map<string, { digest: string; seq: number }>();
  const problems: string[] = [];
  for (const [key, bytes] of bucket.objects) {
    const { header } = decodeSegment(bytes, key);
    const before = last.get(header.instanceId);
    if (header.prev !== (before?.digest ?? null)) problems.push(`${key} does not name the segment before it`);
    if (header.first !== (before?.seq ?? -1) + 1) problems.push(`${key} does not continue after ${before?.seq}`);
    last.set(header.instanceId, { digest: segmentDigest(bytes), seq: header.last });
  }
  return problems;
}
