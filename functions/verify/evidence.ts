import type { InstanceId } from '../../layers/record/types.ts';
import type { Tombstone } from '../store/tombstone.ts';

/** One version of an object, as a listing has it. */
export interface StoredVersion {
  readonly key: string;
  /** S3's id of the version; absent in a directory, where there is one of each. */
  readonly version?: string;
  /** When S3 took it, ms since 1970, in whole seconds; absent in a directory, whose times say nothing. */
  readonly stored?: number;
  readonly bytes: number;
}

/** All that is stored under one key: versions from the oldest on, and whether a delete marker stands before them. */
export interface StoredObject {
  readonly key: string;
  readonly versions: readonly StoredVersion[];
  /** When it was deleted, ms since 1970. The versions are still there. */
  readonly hidden?: number;
}

/** The objects of one instance in the order of their keys. Keys may be anything that the function's role can write. */
export interface InstanceObjects {
  readonly fn: string;
  readonly instanceId: InstanceId;
  readonly objects: readonly StoredObject[];
}

/** Part of the evidence: all, one function's, or one instance's. */
export interface Part {
  readonly fn?: string;
  readonly instanceId?: InstanceId;
}

/** Where evidence is read from. */
export interface EvidenceSource {
  /** @throws Error when it cannot be listed */
  instances(part: Part): AsyncIterable<InstanceObjects | Strange>;
  /** @throws Error when it cannot be read; undefined when it is gone by now */
  read(version: StoredVersion): Promise<Uint8Array | undefined>;
  /** What was deleted on purpose; `strange` is what lies there and is no tombstone. @throws Error when it cannot be read */
  tombstones(part: Part): AsyncIterable<readonly Tombstone[] | Strange>;
}

/** A key that no instance's recorder makes, or one of no tombstone. */
export interface Strange {
  readonly strange: string;
}

/** What was noted of an instance when its segments were stitched: a second witness, which no function can write to. */
export interface Noted {
  /** SHA-256 (hex) of each segment by its key. */
  readonly digests: ReadonlyMap<string, string>;
  /** Requests that it served. */
  readonly requests: readonly string[];
}
