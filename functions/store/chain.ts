import type { SeenSegment } from './rows.ts';

export interface Missing {
  readonly kind: 'records' | 'chain';
  /** First seq that is not there, or of the segment that does not follow on the one before. */
  readonly from: number;
  readonly to: number;
}

/** Holes in the numbering and breaks of the hash chain between an instance's segments: what was lost, or taken away. */
export function missing(segments: readonly SeenSegment[]): readonly Missing[] {
  const found: Missing[] = [];
  let next = 0;
  let digest: string | null = null;
  for (const segment of [...segments].sort((a, b) => a.first - b.first)) {
    if (segment.first > next) found.push({ kind: 'records', from: next, to: segment.first - 1 });
    else if (!follows(segment.prev, digest)) found.push({ kind: 'chain', from: segment.first, to: segment.last });
    next = Math.max(next, segment.last + 1);
    digest = segment.digest;
  }
  return found;
}

/** What is kept of `prev` is the beginning of a digest. */
const follows = (prev: string | null, digest: string | null) =>
  prev === null || digest === null ? prev === digest : digest.startsWith(prev);
