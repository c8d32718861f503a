/**
 * Counts of everything, kept up by the stitcher so that no question has to read all segments. One row of each segment in the
 * lists has its counts; whoever replaces that row learns what it said before, and adds the difference to the sums of the day.
 * So a segment that comes again adds nothing, and one that is stitched anew after an upgrade corrects what it had added.
 */
import type { SegmentEntry } from '../graph/shard.ts';
import type { Item } from './table.ts';

export const COUNTS = ['segments', 'records', 'requests', 'gaps', 'unobserved', 'linksCut', 'instances'] as const;
export type Counts = { readonly [K in (typeof COUNTS)[number]]: number };

export function countsOf(segment: SegmentEntry): Counts {
  const { first, last, requests, gaps, unobserved, linksCut } = segment;
  // Every instance begins with record 0.
  return { segments: 1, records: last - first + 1, requests, gaps, unobserved, linksCut, instances: first === 0 ? 1 : 0 };
}

export const NOTHING = Object.fromEntries(COUNTS.map((name) => [name, 0])) as Counts;

export const writeCounts = (counts: Counts): Item => ({ n: { S: COUNTS.map((name) => counts[name]).join(' ') } });

/** Undefined when the row has none: it is not the one of its segment that counts. */
export function readCounts(item: Item | undefined): Counts | undefined {
  const numbers = item?.n?.S?.split(' ').map(Number);
  if (numbers === undefined) return undefined;
  return Object.fromEntries(COUNTS.map((name, i) => [name, numbers[i] ?? 0])) as Counts;
}

export function plus(a: Counts, b: Counts, sign: 1 | -1 = 1): Counts {
  return Object.fromEntries(COUNTS.map((name) => [name, a[name] + sign * b[name]])) as Counts;
}

export const isNothing = (counts: Counts) => COUNTS.every((name) => counts[name] === 0);

/**
 * Where the sums are to which a segment adds: those of a day. `hour` as its list has it. One item takes about 1,000 additions a
 * second, each for a whole batch of segments.
 */
export const sumsPlace = (hour: string) => hour.slice(0, 10);
