/** Decoding and building alone, in one core's time: the best of many rounds, which is what the code takes when nothing disturbs it. */
import { buildShards } from '../../../functions/graph/build.ts';
import { decodeSegment, encodeSegment } from '../../../layers/record/codec.ts';
import { segmentKey } from '../../../layers/record/key.ts';
import type { Segment } from '../../../layers/record/types.ts';
import type { RecordedSegment } from './record.ts';

export interface Rate {
  readonly recordsPerSegment: number;
  /** Records per second. */
  readonly decode: number;
  readonly build: number;
  readonly decodeAndBuild: number;
}

type Stored = Pick<RecordedSegment, 'key' | 'bytes'>;

/** All that an instance recorded in one segment, as `size` and `interval` ship it when there is much. */
export function merged(recorded: readonly Stored[]): readonly Stored[] {
  const instances = new Map<string, Segment[]>();
  for (const { key, bytes } of recorded) {
    const segment = decodeSegment(bytes, key);
    const { instanceId } = segment.header;
    instances.set(instanceId, [...(instances.get(instanceId) ?? []), segment]);
  }
  return [...instances].map(([instanceId, segments]) => {
    const ordered = segments.sort((a, b) => a.header.first - b.header.first);
    const records = ordered.flatMap((one) => one.records).map((record, seq) => ({ ...record, seq }));
    const { fn = '', version = '', caps } = ordered[0]?.header ?? {};
    if (caps === undefined) throw new Error(`nothing was recorded of ${instanceId}`);
    const key = segmentKey({ fn, instanceId, first: 0, last: records.length - 1 });
    return { key, bytes: encodeSegment({ fn, version, instanceId, prev: null, caps }, records) };
  });
}

/** Segments timed together: about a millisecond, less than the system lets a process run before another one's turn. */
const TOGETHER = 250;

/**
 * One segment after the other, as the stitcher takes them, a few at a time; of each few the best of all rounds. Building is what
 * both take less what decoding alone takes.
 */
export function rateOf(stored: readonly Stored[], rounds = 60): Rate {
  const few = together(stored).map((own) => ({ own, decode: Number.POSITIVE_INFINITY, both: Number.POSITIVE_INFINITY }));
  let records = 0;
  for (let round = 0; round < rounds; round++) {
    records = 0;
    for (const one of few) {
      const began = cpu();
      for (const { bytes, key } of one.own) records += decodeSegment(bytes, key).records.length;
      const between = cpu();
      for (const { bytes, key } of one.own) buildShards(decodeSegment(bytes, key), key);
      one.decode = Math.min(one.decode, between - began);
      one.both = Math.min(one.both, cpu() - between);
    }
  }
  const rate = (us: (one: (typeof few)[number]) => number) =>
    Math.round((records / few.reduce((sum, one) => sum + us(one), 0)) * 1e6);
  return {
    recordsPerSegment: records / stored.length,
    decode: rate((one) => one.decode),
    build: rate((one) => one.both - one.decode),
    decodeAndBuild: rate((one) => one.both),
  };
}

/** CPU of this process so far, µs: what others on the machine do does not count, though it slows memory and caches. */
function cpu(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

function together(stored: readonly Stored[]): readonly (readonly Stored[])[] {
  const groups: Stored[][] = [[]];
  let records = 0;
  for (const one of stored) {
    groups.at(-1)?.push(one);
    records += decodeSegment(one.bytes, one.key).records.length;
    if (records < TOGETHER) continue;
    records = 0;
    groups.push([]);
  }
  return groups.filter((group) => group.length > 0);
}
