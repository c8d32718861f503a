import type { GapObservation, Segment } from '../../layers/record/types.ts';

/** What a segment says of its own capture. */
export interface Losses {
  readonly Gaps: number;
  readonly LostEvents: number;
  readonly CaptureFailures: number;
  readonly DegradedInstances: number;
  readonly Unobserved: number;
}

/** Losses because a part broke; the others because something was more than there was room for. */
const FAILURES: ReadonlySet<GapObservation['why']> = new Set([
  'shim-lost',
  'ring-damaged',
  'ship-failed',
  'proxy-lost',
  'recorder-lost',
]);

export function lossesOf({ header, records }: Segment): Losses {
  let [Gaps, LostEvents, CaptureFailures, Unobserved] = [0, 0, 0, 0];
  for (const record of records) {
    if (record.kind === 'unobserved') Unobserved++;
    // A record that was only shortened is not missing.
    if (record.kind !== 'gap' || (record.why === 'oversize' && record.lost === 0)) continue;
    Gaps++;
    LostEvents += record.lost;
    if (FAILURES.has(record.why)) CaptureFailures++;
  }
  const { shim, runtimeProxy, runtimeTap = false } = header.caps;
  // Without a network proxy it may be meant so (ALASTOR_NETWORK); one that failed is among the gaps.
  const degraded = header.first === 0 && (!shim || !(runtimeProxy || runtimeTap));
  return { Gaps, LostEvents, CaptureFailures, DegradedInstances: degraded ? 1 : 0, Unobserved };
}
