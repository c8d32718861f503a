/** Objects of the evidence bucket in all their versions: found, looked at for locks, deleted for good. */
import {
  DeleteObjectsCommand,
  GetObjectLockConfigurationCommand,
  HeadObjectCommand,
  ListObjectVersionsCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import type { Doomed } from '../../functions/store/doomed.ts';
import { segmentPrefix, spillPrefix } from '../../functions/store/schema.ts';
import { inParallel } from '../../functions/store/table.ts';
import { parseSegmentKey } from '../../layers/record/key.ts';

/** One version of an object, or a delete marker. */
export interface Version {
  readonly key: string;
  readonly id: string;
  readonly bytes: number;
  /** ms since 1970. */
  readonly stored: number;
  readonly marker: boolean;
}

export interface Locks {
  /** Versions that are locked in mode governance, and until when the last of them is, ms since 1970. */
  readonly governance: number;
  readonly until: number;
}

/** Of one DeleteObjects. */
const MOST_A_CALL = 1000;
/** Instances listed, and versions looked at, at once. */
const WIDTH = 8;

/** All versions and markers of these segments, or of the parts of the graph that were too large for the tables. */
export async function versionsOf(
  { s3, bucket }: { readonly s3: S3Client; readonly bucket: string },
  doomed: Doomed,
  what: 'segments' | 'spills',
  signal: AbortSignal,
): Promise<readonly Version[]> {
  const found = await inParallel([...doomed.instances], WIDTH, async ([instance, fn]) => {
    const prefix = what === 'segments' ? `${segmentPrefix}${fn}/${instance}/` : `${spillPrefix}${instance}/`;
    const own: Version[] = [];
    let next: { readonly KeyMarker?: string | undefined; readonly VersionIdMarker?: string | undefined } = {};
    for (;;) {
      const page = await s3.send(new ListObjectVersionsCommand({ Bucket: bucket, Prefix: prefix, ...next }), {
        abortSignal: signal,
      });
      const entries = [
        ...(page.Versions ?? []).map((one) => ({ ...one, marker: false })),
        ...(page.DeleteMarkers ?? []).map((one) => ({ ...one, Size: 0, marker: true })),
      ];
      for (const { Key: key = '', VersionId: id = 'null', Size: bytes = 0, LastModified, marker } of entries) {
        // What was put there under the same name since it was forgotten is not what was meant.
        if (doomed.of(instance, rangeIn(key)) === undefined) continue;
        own.push({ key, id, bytes, stored: LastModified?.getTime() ?? 0, marker });
      }
      if (page.IsTruncated !== true) return own;
      next = { KeyMarker: page.NextKeyMarker, VersionIdMarker: page.NextVersionIdMarker };
    }
  });
  return found.flat();
}

/** `<first>-<last>` of a segment's key, or of the key of a spilled shard: `spill/<instance>/<partition>#<first>-<last>`. */
function rangeIn(key: string): string | undefined {
  const { first, last } = parseSegmentKey(key) ?? {};
  return first === undefined ? /#(\d+-\d+)$/.exec(key)?.[1] : `${first}-${last}`;
}

/**
 * Whether all of them can be deleted, before the first one is.
 * @throws Error naming the version that cannot be, and until when
 */
export async function checkLocks(
  { s3, bucket }: { readonly s3: S3Client; readonly bucket: string },
  versions: readonly Version[],
  signal: AbortSignal,
  note: (done: number) => void,
): Promise<Locks> {
  const usual = await defaultLock(s3, bucket);
  const now = Date.now();
  let [governance, latest, done] = [0, 0, 0];
  let compliance: { readonly key: string; readonly until: number } | undefined;
  await inParallel(
    versions.filter(({ marker }) => !marker),
    WIDTH,
    async ({ key, id, stored }) => {
      signal.throwIfAborted();
      const asked = new HeadObjectCommand({ Bucket: bucket, Key: key, VersionId: id });
      const {
        ObjectLockMode: mode,
        ObjectLockRetainUntilDate: end,
        ObjectLockLegalHoldStatus: hold,
      } = await s3.send(asked, { abortSignal: signal }).catch((error: Error) => {
        if (error.name === 'NotFound') return {} as Record<string, undefined>;
        throw new Error(`looking at s3://${bucket}/${key} failed: ${error.name}: s3:GetObjectVersion is needed`, {
          cause: error,
        });
      });
      note(++done);
      if (hold === 'ON')
        throw new Error(`${key} is under a legal hold: nobody deletes it until that is taken off (version ${id})`);
      const until = end?.getTime() ?? 0;
      if (mode === undefined && usual !== undefined && stored + usual.ms > now)
        throw new Error(`whether ${key} is locked is not told: s3:GetObjectRetention is needed (version ${id})`);
      if (mode === undefined || until <= now) return;
      if (mode === 'COMPLIANCE' && until > (compliance?.until ?? 0)) compliance = { key, until };
      if (mode === 'GOVERNANCE') governance++;
      latest = Math.max(latest, until);
    },
  );
  if (compliance !== undefined) {
    const { key, until } = compliance as { readonly key: string; readonly until: number };
    throw new Error(
      `nothing was deleted: the bucket keeps what is meant in mode compliance, which nobody can end before its time. All of it can go after ${new Date(until).toISOString()} (${key})`,
    );
  }
  return { governance, until: latest };
}

async function defaultLock(s3: S3Client, bucket: string): Promise<{ readonly ms: number } | undefined> {
  try {
    const { ObjectLockConfiguration } = await s3.send(new GetObjectLockConfigurationCommand({ Bucket: bucket }));
    const { Days, Years = 0 } = ObjectLockConfiguration?.Rule?.DefaultRetention ?? {};
    return { ms: (Days ?? Years * 365) * 86_400_000 };
  } catch (error) {
    if ((error as Error).name === 'ObjectLockConfigurationNotFoundError') return undefined;
    throw new Error(`reading the lock of s3://${bucket} failed: s3:GetBucketObjectLockConfiguration is needed`, {
      cause: error,
    });
  }
}

/** Deletes them for good. @throws Error naming the first that could not be, with the rest still to do */
export async function deleteVersions(
  { s3, bucket }: { readonly s3: S3Client; readonly bucket: string },
  versions: readonly Version[],
  { bypass, signal, note }: { readonly bypass: boolean; readonly signal: AbortSignal; note(done: number): void },
): Promise<void> {
  for (let at = 0; at < versions.length; at += MOST_A_CALL) {
    signal.throwIfAborted();
    const some = versions.slice(at, at + MOST_A_CALL);
    const { Errors = [] } = await s3.send(
      new DeleteObjectsCommand({
        ...{ Bucket: bucket, Delete: { Quiet: true, Objects: some.map(({ key, id }) => ({ Key: key, VersionId: id })) } },
        ...(bypass ? { BypassGovernanceRetention: true } : {}),
      }),
    );
    const [first] = Errors;
    if (first !== undefined)
      throw new Error(
        `${Errors.length} of ${some.length} versions could not be deleted; the first, ${first.Key}: ${first.Code}: ${first.Message}. Mend it and run the same again`,
      );
    note(at + some.length);
  }
}
