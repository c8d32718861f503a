/**
 * Forgets segments. Whatever interrupts it, a run that is made again completes it: rows that say what was begun come before the
 * first deletion, and are marked as done after the last.
 *
 *   rows, open → tombstones → segments → (stitchers at work end) → spills → rows of the tables → rows, done
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { Doomed } from '../../functions/store/doomed.ts';
import type { Erased } from '../../functions/store/erasure.ts';
import { inParallel } from '../../functions/store/table.ts';
import { type Forgetting, type Tombstone, writeTombstones } from '../../functions/store/tombstone.ts';
import { tombstonesOf } from '../../functions/verify/verify.ts';
import { parseSegmentKey, segmentDigest } from '../../layers/record/key.ts';
import type { Progress } from '../progress.ts';
import type { Deployment } from './deployment.ts';
import { deleteVersions, versionsOf } from './objects.ts';
import type { Target } from './targets.ts';

/** A stitcher has 60 s for what it was given (cdk/stitcher.ts); by then it has written all that it read. */
const LONGEST_STITCH_MS = 70_000;
/** The queue's counts are approximate: none must be in work for so long, ms. */
const QUIET_MS = 3000;
const POLL_MS = 500;
/** Segments that are read at once. */
const WIDTH = 8;

export interface Done {
  readonly segments: number;
  readonly versions: number;
  readonly spills: number;
  readonly rows: Erased;
}

export interface Order {
  readonly deployment: Deployment;
  readonly targets: readonly Target[];
  /** What an earlier run began with. */
  readonly open: readonly Tombstone[];
  readonly reason: string;
  readonly bypass: boolean;
  readonly signal: AbortSignal;
  readonly progress: Progress;
}

export async function carryOut({ deployment, targets, open, reason, bypass, signal, progress }: Order): Promise<Done> {
  const { store } = deployment;
  const begun = new Set(open.map(({ segment }) => segment));
  const fresh = targets.filter(({ segment }) => !begun.has(segment));
  const forgetting: Forgetting = { run: runId(), at: Date.now() * 1000, by: await deployment.caller(), why: reason };
  const read = await progress.stage('reading what goes', (note) => digested(deployment, fresh, forgetting, signal, note));
  const all = [...open, ...read];
  const doomed = new Doomed(all);
  await progress.stage('writing tombstones', async () => {
    await store.forgotten.put(read, true);
    await bury(deployment, all, signal);
  });
  const versions = await progress.stage('deleting segments', async (note) => {
    const found = await versionsOf(deployment, doomed, 'segments', signal);
    const told = (done: number) => note(`${done} of ${found.length} versions`);
    await deleteVersions(deployment, found, { bypass, signal, note: told });
    return found.length;
  });
  await progress.stage('waiting for stitchers at work', (note) => quiet(deployment, signal, note));
  const spills = await progress.stage('deleting parts of the graph in the bucket', async (note) => {
    const found = await versionsOf(deployment, doomed, 'spills', signal);
    await deleteVersions(deployment, found, { bypass, signal, note: (done) => note(`${done} of ${found.length} versions`) });
    return found.length;
  });
  const rows = await progress.stage('deleting rows of the tables', (note) =>
    deployment.erasure.run(doomed, { apply: true, signal, note: (so) => note(`${so.read} rows read`) }),
  );
  await store.forgotten.put(all, false);
  return { segments: doomed.size, versions, spills, rows };
}

/** With the digests of what is there, which the segments behind them name. */
async function digested(
  { evidence }: Deployment,
  targets: readonly Target[],
  forgetting: Forgetting,
  signal: AbortSignal,
  note: (text: string) => void,
): Promise<readonly Tombstone[]> {
  let done = 0;
  const found = await inParallel(targets, WIDTH, async ({ segment, stored, object }): Promise<readonly Tombstone[]> => {
    signal.throwIfAborted();
    const [oldest] = object.versions;
    const bytes = oldest && (await evidence.read(oldest));
    note(`${++done} of ${targets.length}`);
    // Gone by now: expired, or forgotten by somebody else.
    return bytes === undefined
      ? []
      : [{ ...forgetting, segment, digest: segmentDigest(bytes), bytes: oldest?.bytes ?? 0, stored }];
  });
  return found.flat();
}

/** Writes tombstones of those that have none: a run that was interrupted may have written some. */
async function bury({ s3, bucket, evidence }: Deployment, all: readonly Tombstone[], signal: AbortSignal): Promise<void> {
  const byFunction = Map.groupBy(all, ({ segment }) => parseSegmentKey(segment)?.fn ?? '');
  for (const [fn, some] of byFunction) {
    const { forgotten } = await tombstonesOf(evidence, { fn });
    const there = new Set([...forgotten.values()].flat().map(({ segment }) => segment));
    const runs = Map.groupBy(
      some.filter(({ segment }) => !there.has(segment)),
      ({ run }) => run,
    );
    for (const missing of runs.values()) {
      for (const { key, body } of writeTombstones(fn, missing[0] as Tombstone, missing)) {
        signal.throwIfAborted();
        const put = new PutObjectCommand({
          Bucket: bucket,
          Key: key,
          Body: body,
          ContentType: 'application/json',
          IfNoneMatch: '*',
        });
        await s3.send(put).catch((error: Error) => {
          // Somebody else completes the same run.
          if (error.name !== 'PreconditionFailed') throw error;
        });
      }
    }
  }
}

/** Until no stitcher can still write what it read of a segment before it was deleted. */
async function quiet(deployment: Deployment, signal: AbortSignal, note: (text: string) => void): Promise<void> {
  const end = Date.now() + LONGEST_STITCH_MS;
  let since = Date.now();
  while (Date.now() < end && Date.now() - since < QUIET_MS) {
    const working = await deployment.inWork();
    if (working !== 0) since = Date.now();
    note(working === undefined ? 'whether there are any is not told' : `${working} messages in work`);
    await sleep(POLL_MS, undefined, { signal });
  }
}

function runId(): string {
  const time = new Date().toISOString().replace(/\.\d+|[-:]/g, '');
  return `${time}-${randomBytes(4).toString('hex')}`;
}
