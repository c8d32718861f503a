/** What tombstones say of an instance, and whether that can be so. */
import { parseSegmentKey } from '../../layers/record/key.ts';
import type { FindingKind, Sureness } from '../store/finding.ts';
import type { Tombstone } from '../store/tombstone.ts';
import type { Instance, Seen } from './judge.ts';

interface Told {
  readonly kind: FindingKind;
  readonly sure: Sureness;
  readonly why: string;
  readonly segment?: string;
  readonly from?: number;
  readonly to?: number;
}

export interface Graves {
  /** Segments that are not there any more, with their digests: what follows must still name these. */
  readonly segments: readonly Seen[];
  readonly keys: ReadonlySet<string>;
  readonly findings: readonly Told[];
}

/** Clocks of who forgot and of S3 may differ by so many ms. */
const SKEW = 5 * 60_000;

/** The first tombstone of a segment counts: a run that was interrupted may have left two. */
export function forgottenAmong({
  segments,
  noted,
  forgotten = [],
}: Pick<Instance, 'segments' | 'noted' | 'forgotten'>): Graves {
  const there = new Map(segments.map((one) => [one.key, one]));
  const first = new Map<string, Tombstone>();
  for (const one of [...forgotten].sort((a, b) => a.at - b.at)) if (!first.has(one.segment)) first.set(one.segment, one);
  const gone: Tombstone[] = [];
  const findings: Told[] = [];
  for (const one of first.values()) {
    const { segment, digest } = one;
    const about = { segment, ...rangeOf(segment) };
    const stitched = noted?.digests.get(segment);
    if (stitched !== undefined && stitched !== digest) {
      const why = 'the tombstone names other bytes than were stitched';
      findings.push({ kind: 'forged', sure: 'certain', why, ...about });
    }
    const left = there.get(segment);
    if (left === undefined) gone.push(one);
    else if (left.stored !== undefined && left.stored > one.at / 1000 + SKEW) {
      const why = `stored at ${time(left.stored)}, after the segment of this name was ${saying(one)}`;
      findings.push({ kind: 'forged', sure: 'certain', why, ...about });
    } else {
      const why = `${saying(one)}, and is still there: run \`alastor forget\` once more`;
      findings.push({ kind: 'forgotten', sure: 'told', why, ...about });
    }
  }
  return {
    keys: new Set(gone.map(({ segment }) => segment)),
    segments: gone.map(({ segment: key, digest, stored }) => ({
      ...{ key, digest, stored, rewritten: [], begun: [], ended: [], requests: [], shutdown: false, taken: [] },
    })),
    findings: [...findings, ...together(gone)],
  };
}

/** One finding for segments that lie beside each other and went together. */
function together(gone: readonly Tombstone[]): readonly Told[] {
  const found: { run: string; from: number; to: number; count: number; one: Tombstone }[] = [];
  for (const one of [...gone].sort((a, b) => (a.segment < b.segment ? -1 : 1))) {
    const { from, to } = rangeOf(one.segment);
    const last = found.at(-1);
    if (last !== undefined && last.run === one.run && last.to + 1 === from) Object.assign(last, { to, count: last.count + 1 });
    else found.push({ run: one.run, from, to, count: 1, one });
  }
  return found.map(({ from, to, count, one }) => ({
    ...{ kind: 'forgotten', sure: 'told', from, to, why: `${count === 1 ? '' : `${count} segments, `}${saying(one)}` },
    ...(count === 1 ? { segment: one.segment } : {}),
  }));
}

const rangeOf = (segment: string) => {
  const { first: from = 0, last: to = 0 } = parseSegmentKey(segment) ?? {};
  return { from, to };
};
const saying = ({ at, by, why }: Tombstone) => `forgotten on ${time(at / 1000)} by ${by}: ${why}`;
const time = (ms: number) => new Date(ms).toISOString();
