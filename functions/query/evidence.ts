import { z } from 'zod';
import { decodeSegment } from '../../layers/record/codec.ts';
import { SegmentError } from '../../layers/record/errors.ts';
import { parseSegmentKey, segmentDigest } from '../../layers/record/key.ts';
import type { Store } from '../store/connect.ts';
import { NoSuchObject } from '../store/errors.ts';
import type { StoredObject } from '../store/objects.ts';
import { read } from './parameters.ts';
import { Problem } from './problem.ts';
import type { Route } from './routes.ts';

export const evidenceQuery = z.object({
  segment: z.string().max(400),
  seq: z.coerce.number().int().min(0).max(999_999_999_999),
});

/**
 * One record as the instance wrote it. `verified`: the segment's bytes have the digest that was noted when it was stitched, so
 * it has not been altered since.
 */
export const evidence: Route = async ({ query, store }) => {
  const { segment: key, seq } = read(evidenceQuery, query);
  const place = parseSegmentKey(key);
  if (place === undefined) throw new Problem(400, 'Invalid parameter', 'segment: is not one that evidence names', 'segment');
  if (seq < place.first || seq > place.last) {
    throw new Problem(404, 'No such record', `the segment has records ${place.first} to ${place.last}`, 'seq');
  }
  const got = objectOf(key, store);
  // Of what was forgotten it is known why it is not there.
  got.catch(() => undefined);
  const noted = await store.lists.segment(place.instanceId, place.first);
  if (noted?.segment === key && noted.forgotten === true)
    throw new Problem(
      404,
      'Forgotten',
      'the segment was deleted on purpose; /v1/gaps?kind=forgotten says by whom and why',
      'segment',
    );
  const object = await got;
  const sha256 = segmentDigest(object.bytes);
  const stitched = noted?.segment === key ? noted.digest : undefined;
  try {
    const { header, records } = decodeSegment(object.bytes, key);
    const record = records.find((one) => one.seq === seq);
    if (record === undefined) throw new Problem(404, 'No such record', `the segment has no record ${seq}`, 'seq');
    return {
      ...{ segment: key, seq, sha256, ...(stitched === undefined ? {} : { stitched }), verified: stitched === sha256 },
      ...{ received: object.received, header, record },
      cut: stitched === undefined ? ['stitched: no digest of this segment was noted, so nothing can be verified'] : [],
    };
  } catch (error) {
    if (!(error instanceof SegmentError)) throw error;
    const altered =
      stitched === undefined || stitched === sha256 ? '' : '; its digest is not the one that was noted: it was altered';
    throw new Problem(409, 'Segment unreadable', `${error.message}${altered}`, 'segment');
  }
};

async function objectOf(key: string, { objects }: Store): Promise<StoredObject> {
  try {
    return await objects.get(key);
  } catch (error) {
    if (error instanceof SegmentError) throw new Problem(409, 'Segment unreadable', error.message, 'segment');
    if (!(error instanceof NoSuchObject)) throw error;
    throw new Problem(404, 'No such segment', 'it is not in the bucket: expired, or taken away', 'segment');
  }
}
