import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type ForgottenSegment, MOST_IN_ONE, readTombstones, writeTombstones } from '../../../functions/store/tombstone.ts';
import { segmentKey } from '../../../layers/record/key.ts';
import type { InstanceId } from '../../../layers/record/types.ts';

const instanceId = '01a20281-bbde-7125-8a48-84125512b711' as InstanceId;
const of = { run: '20261122T115500Z-1f0c8a21', at: 1_795_000_000_000_000, by: 'arn:aws:iam::1:user/x', why: 'asked "to"\n' };
const segment = (n: number): ForgottenSegment => ({
  ...{ segment: segmentKey({ fn: 'fn', instanceId, first: n, last: n }), digest: 'a'.repeat(64), bytes: n, stored: 5 },
});

it('comes back as it was written, in as many objects as it takes, the same however often and in whatever order', () => {
  const all = Array.from({ length: MOST_IN_ONE + 1 }, (_, n) => segment(n));
  const parts = writeTombstones('fn', of, all);
  expect(parts).toHaveLength(2);
  expect(parts.flatMap(({ key, body }) => readTombstones(key, body))).toEqual(all.map((one) => ({ ...of, ...one })));
  expect(writeTombstones('fn', of, all.toReversed())).toEqual(parts);
});

it('is nothing when it is not what was written: another place, another function, any other text', () => {
  const [{ key = '', body = '' } = {}] = writeTombstones('fn', of, [segment(1)]);
  expect(readTombstones(key, body)).toHaveLength(1);
  expect(readTombstones(key.replace('/fn/', '/other/'), body)).toBe(undefined);
  expect(readTombstones(`${key}.x`, body)).toBe(undefined);
  for (const other of ['', 'null', '[]', '{}', body.replace('"version":1', '"version":2'), body.replace(/a{64}/, 'b')])
    expect(readTombstones(key, other)).toBe(undefined);
  const told = JSON.parse(body) as Record<string, unknown>;
  fc.assert(
    fc.property(fc.constantFrom(...Object.keys(told)), fc.jsonValue(), (name, value) => {
      const found = readTombstones(key, JSON.stringify({ ...told, [name]: value }));
      expect(found === undefined || found.every((one) => one.segment.startsWith('segments/fn/'))).toBe(true);
    }),
    { numRuns: 200 },
  );
});
