import { expect, it } from 'vitest';
import { buildShards } from '../../../functions/graph/build.ts';
import type { GapObservation, Segment } from '../../../layers/record/types.ts';

const INSTANCE = '0192f0c4-7b1a-7c3d-8e4f-1a2b3c4d5e6f';
const caps = { shim: true, runtimeProxy: true, networkProxy: true, ptrace: false, seccomp: false, userNamespaces: false };

function gapsOf(...gaps: readonly Omit<GapObservation, 'kind'>[]): number {
  const records = gaps.map((gap, seq) => ({ kind: 'gap' as const, t: 1, seq, req: null, phase: 'idle' as const, ...gap }));
  const range = { first: 0, last: records.length - 1, count: records.length };
  const segment: Segment = {
    header: { v: 1, fn: 'f', version: '1', instanceId: INSTANCE, prev: null, caps, ...range },
    records,
  };
  return buildShards(segment, 'segments/f/x').segment.gaps;
}

it('counts as gaps what is lost, or may be, and no record that was only shortened', () => {
  expect(gapsOf({ why: 'oversize', lost: 0, detail: 'process-exec record shortened' })).toBe(0);
  expect(gapsOf({ why: 'oversize', lost: 2 }, { why: 'recorder-lost', lost: 0 }, { why: 'ring-full', lost: 9 })).toBe(3);
});
