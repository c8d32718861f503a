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

export function rateOf(stored: readonly Stored[], rounds = 60): Rate {
  let [decode, build, records] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 0];
  const cpu = () => process.cpuUsage().user + process.cpuUsage().system;
  for (let round = 0; round < rounds; round++) {
    const began = cpu();
    const decoded = stored.map(({ bytes, key }) => decodeSegment(bytes, key));
    const between = cpu();
    for (const [i, segment] of decoded.entries()) buildShards(segment, stored[i]?.key ?? '');
    const ended = cpu();
    records = decoded.reduce((sum, one) => sum + one.records.length, 0);
    decode = Math.min(decode, between - began);
    build = Math.min(build, ended - between);
  }
  const rate = (us: number) => Math.round((records / us) * 1e6);
  return {
    recordsPerSegment: records / stored.length,
    ...{ decode: rate(decode), build: rate(build), decodeAndBuild: rate(decode + build) },
  };
}
