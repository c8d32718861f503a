import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Policy, readPolicy } from '../../iam/policy.ts';
import type { ChecksumName } from './checksums.ts';
import { accessDenied, invalid, noSuchBucket, preconditionFailed } from './errors.ts';
import type { NotificationConfig } from './notification-config.ts';

/** One version of an object. `file` null: a delete marker. */
export interface ObjectVersion {
  readonly key: string;
  readonly versionId: string;
  readonly file: string | null;
  readonly size: number;
  /** Without quotes. */
  readonly etag: string;
  readonly modified: Date;
  /** Headers given back on GET: content type, user metadata and so on; lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly checksum: { readonly name: ChecksumName; readonly value: string; readonly type: 'FULL_OBJECT' | 'COMPOSITE' } | null;
  /** Sizes of the parts of a multipart object. */
  readonly parts?: readonly number[];
}

/** Default retention of Object Lock. */
export interface ObjectLock {
  readonly mode: 'GOVERNANCE' | 'COMPLIANCE';
  readonly days: number;
}

/** Conditions of a conditional write. */
export interface WriteConditions {
  readonly ifNoneMatch?: string | undefined;
  readonly ifMatch?: string | undefined;
}

/** A bucket: versions in memory, bytes in files. Nothing in here awaits, so a conditional write is atomic. */
export class Bucket {
  readonly name: string;
  readonly created = new Date();
  readonly dir: string;
  versioning: 'Enabled' | 'Suspended' | null = null;
  notifications: NotificationConfig | null = null;
  /** KMS key that objects are encrypted with; null: S3's own. */
  keyArn: string | null = null;
  /** How long a version may not be removed. */
  lock: ObjectLock | null = null;
  #policy: Policy | null = null;
  /** As it was given. */
  policyDocument: unknown = null;
  /** Newest version last. */
  readonly #objects = new Map<string, ObjectVersion[]>();
  #sorted: string[] | null = null;

  constructor(name: string, dir: string) {
    this.name = name;
    this.dir = dir;
    mkdirSync(dir, { recursive: true });
  }

  get policy(): Policy | null {
    return this.#policy;
  }

  /** @throws PolicyError for what is not understood */
  setPolicy(document: unknown): void {
    this.#policy = readPolicy(document, `the policy of bucket ${this.name}`);
    this.policyDocument = document;
  }

  current(key: string): ObjectVersion | null {
    const version = this.#objects.get(key)?.at(-1);
    return version === undefined || version.file === null ? null : version;
  }

  /** The given version, or the newest (which may be a delete marker). */
  version(key: string, versionId: string | null): ObjectVersion | null {
    const versions = this.#objects.get(key) ?? [];
    return (versionId === null ? versions.at(-1) : versions.find((one) => one.versionId === versionId)) ?? null;
  }

  /** All versions of all keys, keys in order, newest version first. */
  versions(): ObjectVersion[] {
    return this.keys().flatMap((key) => (this.#objects.get(key) ?? []).toReversed());
  }

  /** Keys that have any version, in UTF-8 byte order as S3 lists them. */
  keys(): readonly string[] {
    this.#sorted ??= [...this.#objects.keys()].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    return this.#sorted;
  }

  get empty(): boolean {
    return this.#objects.size === 0;
  }

  /** Throws PreconditionFailed (412) or NoSuchKey (404, `If-Match` on nothing) unless a write to `key` is allowed. */
  check(key: string, conditions: WriteConditions): void {
    const current = this.current(key);
    if (conditions.ifNoneMatch !== undefined) {
      if (conditions.ifNoneMatch !== '*') throw invalid('If-None-Match of a write must be *.');
      if (current !== null) throw preconditionFailed('If-None-Match');
    }
    if (conditions.ifMatch === undefined) return;
    if (current === null) throw preconditionFailed('If-Match');
    if (conditions.ifMatch.replaceAll('"', '') !== current.etag && conditions.ifMatch !== '*')
      throw preconditionFailed('If-Match');
  }

  /** Makes a received body (or a delete marker) the newest version. */
  commit(version: Omit<ObjectVersion, 'versionId' | 'modified'>, conditions: WriteConditions = {}): ObjectVersion {
    this.check(version.key, conditions);
    const versionId = this.versioning === 'Enabled' ? randomUUID().replaceAll('-', '') : 'null';
    const added: ObjectVersion = { ...version, versionId, modified: new Date() };
    const versions = this.#objects.get(version.key);
    if (versions === undefined) {
      this.#objects.set(version.key, [added]);
      this.#sorted = null;
    } else {
      if (versionId === 'null') this.#drop(versions, 'null');
      versions.push(added);
    }
    return added;
  }

  /**
   * Removes one version for good; null when there is none of that id.
   * @param bypass goes past a lock of mode GOVERNANCE
   * @throws ServiceError AccessDenied while a lock holds it
   */
  remove(key: string, versionId: string, bypass = false): ObjectVersion | null {
    const versions = this.#objects.get(key);
    if (versions === undefined) return null;
    const version = versions.find((one) => one.versionId === versionId);
    if (version !== undefined && this.#locked(version, bypass)) {
      throw accessDenied(`the version ${versionId} of ${key} is protected by Object Lock`);
    }
    const removed = this.#drop(versions, versionId);
    if (versions.length === 0) {
      this.#objects.delete(key);
      this.#sorted = null;
    }
    return removed;
  }

  #locked({ file, modified }: ObjectVersion, bypass: boolean): boolean {
    // Markers are not locked; nothing else here lives for days.
    if (this.lock === null || file === null || (bypass && this.lock.mode === 'GOVERNANCE')) return false;
    return Date.now() < modified.getTime() + this.lock.days * 86_400_000;
  }

  #drop(versions: ObjectVersion[], versionId: string): ObjectVersion | null {
    const index = versions.findIndex((one) => one.versionId === versionId);
    const [removed] = index < 0 ? [] : versions.splice(index, 1);
    // Readers that have the file open keep reading it: the name goes, the bytes stay until they close it.
    if (removed?.file != null) void rm(removed.file, { force: true });
    return removed ?? null;
  }
}

/** All buckets of the account. */
export class BucketStore {
  readonly #dir: string;
  readonly #buckets = new Map<string, Bucket>();

  constructor(dir: string) {
    this.#dir = dir;
  }

  create(name: string): Bucket {
    const bucket = new Bucket(name, join(this.#dir, name));
    this.#buckets.set(name, bucket);
    return bucket;
  }

  find(name: string): Bucket | null {
    return this.#buckets.get(name) ?? null;
  }

  /** Throws NoSuchBucket. */
  get(name: string): Bucket {
    const bucket = this.#buckets.get(name);
    if (bucket === undefined) throw noSuchBucket(name);
    return bucket;
  }

  list(): Bucket[] {
    return [...this.#buckets.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  async delete(name: string): Promise<void> {
    this.#buckets.delete(name);
    await rm(join(this.#dir, name), { recursive: true, force: true });
  }
}
