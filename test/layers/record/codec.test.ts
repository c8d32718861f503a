import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeSegment, encodeLines, encodeRecord, encodeSegment } from '../../../layers/record/codec.ts';
import { SegmentError } from '../../../layers/record/errors.ts';
import { newInstanceId } from '../../../layers/record/instance-id.ts';
import { INSTANCE_ID, parseSegmentKey, segmentDigest, segmentKey } from '../../../layers/record/key.ts';
import { KINDS } from '../../../layers/record/kinds.ts';
import { ALL_KINDS, fields, instanceId, observation, records } from './arbitrary.ts';

describe('a segment that was encoded', () => {
  it('decodes to the same header and records, whatever kinds it holds', () => {
    fc.assert(
      fc.property(fields, records, (header, list) => {
        const segment = decodeSegment(encodeSegment(header, list));
        expect(segment.records).toEqual(list);
        expect(segment.header).toEqual({
          v: 1,
          ...header,
          first: list[0]!.seq,
          last: list.at(-1)!.seq,
          count: list.length,
        });
      }),
      { numRuns: 200 },
    );
  });

  it.each(ALL_KINDS)('keeps every field of a %s record', (kind) => {
    fc.assert(
      fc.property(fields, observation(kind), (header, o) => {
        const record = { ...o, seq: 0, req: null, phase: 'init' as const };
        expect(decodeSegment(encodeSegment(header, [record])).records).toEqual([record]);
      }),
      { numRuns: 50 },
    );
  });

  it('knows every kind the types know', () => {
    expect([...KINDS].sort()).toEqual([...ALL_KINDS].sort());
  });

  it('is the same from records and from lines made of them', () => {
    fc.assert(
      fc.property(fields, records, (header, list) => {
        const lines = list.map((record) => Buffer.from(`${encodeRecord(record)}\n`));
        expect(encodeLines(header, list[0]!.seq, list.length, lines).equals(encodeSegment(header, list))).toBe(true);
      }),
      { numRuns: 20 },
    );
  });

  it('never reads as something else when one byte is flipped, and not at all when the end is missing', () => {
    fc.assert(
      fc.property(fields, records, fc.nat(), fc.integer({ min: 1, max: 255 }), (header, list, at, flip) => {
        const bytes = encodeSegment(header, list);
        const damaged = Buffer.from(bytes);
        damaged[at % damaged.length]! ^= flip;
        // Some bits of a zstd frame carry no content: then it must be the same content.
        const read = attempt(() => decodeSegment(damaged));
        if (read instanceof Error) expect(read).toBeInstanceOf(SegmentError);
        else expect(read).toEqual(decodeSegment(bytes));
        expect(() => decodeSegment(bytes.subarray(0, at % bytes.length))).toThrow(SegmentError);
      }),
      { numRuns: 200 },
    );
  });
});

describe('the hash chain', () => {
  it('names the bytes of the segment before', () => {
    const base = { fn: 'f', version: '1', instanceId: newInstanceId(), caps: sampleCaps };
    const one = encodeSegment({ ...base, prev: null }, [idle(0)]);
    const two = encodeSegment({ ...base, prev: segmentDigest(one) }, [idle(1)]);
    expect(decodeSegment(two).header.prev).toBe(segmentDigest(one));
    expect(segmentDigest(one)).toMatch(/^[0-9a-f]{64}$/);
  });
});

describe('a segment key', () => {
  it('parses back to what made it, and sorts by sequence number', () => {
    fc.assert(
      fc.property(instanceId, fc.nat(), fc.nat(1000), (instance, first, more) => {
        const key = { fn: 'purchase-fn_1', instanceId: instance, first, last: first + more };
        expect(parseSegmentKey(segmentKey(key))).toEqual(key);
        const next = { ...key, first: key.last + 1, last: key.last + 10 };
        expect(segmentKey(key) < segmentKey(next)).toBe(true);
      }),
    );
  });

  it.each([
    'segments/f/not-an-id/000000000000-000000000001.ndjson.zst',
    'segments/../01890a5d-ac96-774b-bcce-b302099a8057/000000000000-000000000001.ndjson.zst',
    'segments/f/01890a5d-ac96-774b-bcce-b302099a8057/000000000002-000000000001.ndjson.zst',
    'segments/f/01890a5d-ac96-774b-bcce-b302099a8057/0-1.ndjson.zst',
    'segments/f/g/01890a5d-ac96-774b-bcce-b302099a8057/000000000000-000000000001.ndjson.zst',
  ])('is not made of %s', (text) => {
    expect(parseSegmentKey(text)).toBeUndefined();
  });

  it('cannot be made of a function name with a path in it', () => {
    expect(() => segmentKey({ fn: 'a/b', instanceId: newInstanceId(), first: 0, last: 0 })).toThrow(/function name/);
  });
});

describe('an instance id', () => {
  it('is a UUIDv7 that carries its time and never repeats', () => {
    const ids = Array.from({ length: 200 }, () => newInstanceId(1_700_000_000_000));
    for (const id of ids) expect(id).toMatch(INSTANCE_ID);
    expect(new Set(ids).size).toBe(200);
    expect(ids[0]!.slice(0, 13)).toBe('018bcfe5-6800');
  });
});

function attempt<T>(work: () => T): T | Error {
  try {
    return work();
  } catch (error) {
    return error as Error;
  }
}

const sampleCaps = { shim: true, runtimeProxy: true, networkProxy: true, ptrace: false, seccomp: false, userNamespaces: false };
function idle(seq: number) {
  return { t: 1, kind: 'shutdown' as const, reason: 'spindown', seq, req: null, phase: 'shutdown' as const };
}
