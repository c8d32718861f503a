import { GetObjectCommand, ListObjectVersionsCommand, type S3Client } from '@aws-sdk/client-s3';
import { BOUNDS } from '../../layers/record/bounds.ts';
import { forgottenPrefix, segmentPrefix } from '../store/schema.ts';
import { LARGEST, readTombstones, type Tombstone } from '../store/tombstone.ts';
import { byInstance, MOST_OBJECTS } from './by-instance.ts';
import type { EvidenceSource, InstanceObjects, Part, StoredObject, StoredVersion, Strange } from './evidence.ts';

/** Tombstones that are read at once. */
const PARALLEL = 16;

/** The evidence bucket itself, in all its versions. Needs s3:ListBucketVersions, s3:GetObjectVersion and kms:Decrypt. */
export class S3Evidence implements EvidenceSource {
  readonly #client: S3Client;
  readonly #bucket: string;

  constructor(client: S3Client, bucket: string) {
    this.#client = client;
    this.#bucket = bucket;
  }

  instances(part: Part): AsyncIterable<InstanceObjects | Strange> {
    return byInstance(this.#objects(prefixOf(part)), part);
  }

  async *tombstones({ fn }: Part): AsyncGenerator<readonly Tombstone[] | Strange> {
    let some: StoredObject[] = [];
    for await (const object of this.#objects(`${forgottenPrefix}${fn === undefined ? '' : `${fn}/`}`)) {
      some.push(object);
      if (some.length < PARALLEL) continue;
      yield* await this.#tombstonesIn(some);
      some = [];
    }
    yield* await this.#tombstonesIn(some);
  }

  async #tombstonesIn(objects: readonly StoredObject[]): Promise<readonly (readonly Tombstone[] | Strange)[]> {
    const found = objects.map(async ({ key, versions }) => {
      // Nobody can overwrite one; should it have happened, the first is what was written.
      const bytes = versions[0] && (await this.#read(versions[0], LARGEST));
      return bytes === undefined ? [] : (readTombstones(key, Buffer.from(bytes).toString()) ?? { strange: key });
    });
    return await Promise.all(found);
  }

  async read(version: StoredVersion): Promise<Uint8Array | undefined> {
    return await this.#read(version, BOUNDS.compressed);
  }

  async #read({ key, version }: StoredVersion, most: number): Promise<Uint8Array | undefined> {
    try {
      const found = await this.#client.send(
        // One byte more than it may have is enough to see that it has too many.
        new GetObjectCommand({
          ...{ Bucket: this.#bucket, Key: key, Range: `bytes=0-${most}` },
          ...(version === undefined ? {} : { VersionId: version }),
        }),
      );
      return (await found.Body?.transformToByteArray()) ?? new Uint8Array();
    } catch (error) {
      const { name } = error as Error;
      if (name === 'InvalidRange') return new Uint8Array();
      if (name === 'NoSuchKey' || name === 'NoSuchVersion' || name === 'NotFound') return undefined;
      throw new Error(`reading s3://${this.#bucket}/${key} failed: ${name}: ${(error as Error).message}`, { cause: error });
    }
  }

  /** Key by key, versions and delete markers put together. */
  async *#objects(prefix: string): AsyncGenerator<StoredObject> {
    let next: { readonly KeyMarker?: string | undefined; readonly VersionIdMarker?: string | undefined } = {};
    let open: { key: string; versions: StoredVersion[]; hidden?: number } | undefined;
    for (;;) {
      const page = await this.#client
        .send(new ListObjectVersionsCommand({ Bucket: this.#bucket, Prefix: prefix, ...next }))
        .catch((error: Error) => {
          throw new Error(`listing s3://${this.#bucket}/${prefix} failed: ${error.name}: ${error.message}`, { cause: error });
        });
      const entries = [
        ...(page.Versions ?? []).map((one) => ({ ...one, marker: false })),
        ...(page.DeleteMarkers ?? []).map((one) => ({ ...one, Size: 0, marker: true })),
      ].sort((a, b) => Buffer.compare(Buffer.from(a.Key ?? ''), Buffer.from(b.Key ?? '')));
      for (const { Key: key = '', VersionId, LastModified, Size = 0, IsLatest, marker } of entries) {
        if (open?.key !== key) {
          if (open !== undefined) yield oldestFirst(open);
          open = { key, versions: [] };
        }
        if (open.versions.length >= MOST_OBJECTS)
          throw new Error(`s3://${this.#bucket}/${key} has more than ${MOST_OBJECTS} versions`);
        const stored = LastModified?.getTime() ?? 0;
        if (!marker)
          open.versions.push({ key, stored, bytes: Size, ...(VersionId === undefined ? {} : { version: VersionId }) });
        else if (IsLatest) open.hidden = stored;
      }
      if (page.IsTruncated !== true) break;
      next = { KeyMarker: page.NextKeyMarker, VersionIdMarker: page.NextVersionIdMarker };
    }
    if (open !== undefined) yield oldestFirst(open);
  }
}

const prefixOf = ({ fn, instanceId }: Part) =>
  `${segmentPrefix}${fn === undefined ? '' : `${fn}/${instanceId === undefined ? '' : `${instanceId}/`}`}`;

/** Versions are listed newest first; of the same second, in an order that says so, which a stable sort keeps. */
const oldestFirst = (object: StoredObject): StoredObject => ({
  ...object,
  versions: object.versions.toReversed().sort((a, b) => (a.stored ?? 0) - (b.stored ?? 0)),
});
