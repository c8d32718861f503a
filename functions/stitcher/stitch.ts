import { decodeSegment } from '../../layers/record/codec.ts';
import { SegmentError } from '../../layers/record/errors.ts';
import { parseSegmentKey, segmentDigest } from '../../layers/record/key.ts';
import { buildShards } from '../graph/build.ts';
import { NoSuchObject } from '../store/errors.ts';
import type { Objects } from '../store/objects.ts';
import type { GraphWriter } from '../store/write.ts';
import { type Losses, lossesOf } from './losses.ts';

export interface Stitched {
  readonly done: 'stitched';
  readonly records: number;
  readonly requests: number;
  readonly bytes: number;
  /** ms since S3 stored it. */
  readonly lag: number;
  /** It was in the tables before. */
  readonly known: boolean;
  /** Whose sums count it. */
  readonly day: string;
  /** Parts that were too large for a table item. */
  readonly spills: number;
  readonly linksCut: number;
  readonly losses: Losses;
}

export type Outcome =
  | Stitched
  | { readonly done: 'set-aside'; readonly code: string; readonly reason: string }
  | { readonly done: 'ignored'; readonly reason: string };

/**
 * One segment into the store. A segment that can never be read is set aside, so that it blocks no other; whatever may
 * succeed later is thrown, for the queue to try again.
 * What it counts is in the sums once the writer has settled.
 * @param key object key, as an instance was allowed to write it: its function and instance are taken from there
 * @param again whether an earlier attempt may have ended in the middle
 * @param restitching somebody asked for it again, perhaps long after it came in
 */
export async function stitch(
  key: string,
  objects: Objects,
  writer: GraphWriter,
  again = false,
  restitching = false,
): Promise<Outcome> {
  if (!key.startsWith('segments/')) return { done: 'ignored', reason: 'not under segments/' };
  let received = Date.now() * 1000;
  try {
    if (parseSegmentKey(key) === undefined) throw new SegmentError('header', key, undefined, 'not the key of a segment');
    const object = await objects.get(key);
    received = object.received;
    // Checks that function, instance and range in the header are those of the key.
    const segment = decodeSegment(object.bytes, key);
    const built = buildShards(segment, key);
    const { known, day, spills } = await writer.put(built, segmentDigest(object.bytes), received, again, restitching);
    return {
      ...{ done: 'stitched', records: segment.records.length, requests: built.requests.length, bytes: object.bytes.length },
      ...{ lag: Math.max(0, Date.now() - received / 1000), known, day, spills },
      ...{ linksCut: built.segment.linksCut, losses: lossesOf(segment) },
    };
  } catch (error) {
    // Deleted by its life-cycle rule before it was read, or named by a test event: there is nothing to wait for.
    if (error instanceof NoSuchObject) return { done: 'ignored', reason: error.message };
    if (!(error instanceof SegmentError)) throw error;
    const { code, message: reason, line } = error;
    await writer.putPoison({ segment: key, code, reason, ...(line === undefined ? {} : { line }) }, received);
    return { done: 'set-aside', code, reason };
  }
}
