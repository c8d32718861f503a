import { describe, expect, it } from 'vitest';
import { type Instance, judge, type Seen } from '../../../functions/verify/judge.ts';
import { segmentKey } from '../../../layers/record/key.ts';
import type { InstanceId } from '../../../layers/record/types.ts';

const DAY = 86_400_000;
const instanceId = '01a20281-bbde-7125-8a48-84125512b711' as InstanceId;
/** ms since 1970, as the id has it. */
const began = 0x01a20281bbde;
const key = (n: number, records = 10) => segmentKey({ fn: 'fn', instanceId, first: n * 10, last: n * 10 + records - 1 });

/** The nth segment: ten records, one request, stored a minute after the one before; `prev` as it should be. */
function segment(n: number, more: Partial<Seen> & { readonly prev?: string | null } = {}): Seen {
  const { prev = n === 0 ? null : `digest ${n - 1}`, ...rest } = more;
  const request = `request ${n}`;
  return {
    ...{
      key: key(n),
      digest: `digest ${n}`,
      begun: [request],
      ended: [request],
      requests: [request],
      shutdown: false,
      taken: [],
    },
    ...{ stored: began + n * 60_000, newest: (began + n * 60_000 - 1000) * 1000, rewritten: [] },
    header: { prev } as NonNullable<Seen['header']>,
    ...rest,
  };
}

const found = (segments: readonly Seen[], more: Partial<Instance> = {}) =>
  judge({ fn: 'fn', instanceId, segments, noted: undefined, now: began + 3_600_000, ...more }).map(
    ({ kind, sure, segment: of, requests }) => [kind, sure, of, requests] as const,
  );
const brief = (segments: readonly Seen[], more: Partial<Instance> = {}) =>
  found(segments, more).map(([kind, sure, of]) => [kind, sure, of]);

const whole = [segment(0), segment(1), segment(2, { shutdown: true })];
const noted = {
  digests: new Map(whole.map(({ key: of, digest }) => [of, digest])),
  requests: ['request 0', 'request 1', 'request 2'],
};

describe('the record of an instance', () => {
  it('is whole in any order of listing, also long after', () => {
    expect(found(whole)).toEqual([]);
    expect(found(whole.toReversed(), { noted, now: began + 30 * DAY })).toEqual([]);
  });

  it('says whose requests a hole concerns: those open before it, those that never begin, those that were noted', () => {
    const open = segment(0, { ended: [] });
    const late = segment(2, {
      begun: [],
      ended: ['request 0', 'request x'],
      requests: ['request 0', 'request x'],
      shutdown: true,
    });
    expect(found([open, late])).toEqual([['missing', 'certain', undefined, ['request 0', 'request x']]]);
    const [missing, deleted] = found([segment(0), segment(2, { shutdown: true })], { noted });
    expect(missing).toEqual(['missing', 'certain', undefined, ['request 1']]);
    expect(deleted).toEqual(['deleted', 'certain', key(1), ['request 1']]);
  });

  it('has nothing behind the segment with which the recorder ended', () => {
    expect(brief([...whole, segment(3)])).toContainEqual(['forged', 'likely', key(3)]);
  });

  it('gives each number once: of two that claim the same, the one that was stitched or was there first is believed', () => {
    const twice = segment(1, { key: key(1, 5), digest: 'other', stored: began + 600_000 });
    expect(brief([segment(0), segment(1), twice, segment(2)])).toContainEqual(['forged', 'certain', key(1, 5)]);
    const before = { ...twice, stored: began + 1000 };
    expect(brief([segment(0), segment(1), before, segment(2)], { noted })).toContainEqual(['forged', 'certain', key(1, 5)]);
  });

  it('was stored in its order, and not before what it tells of', () => {
    expect(brief([segment(0, { stored: began + 90_000 }), segment(1)])).toEqual([['reordered', 'likely', key(1)]]);
    const newest = (began + 3_600_000) * 1000;
    expect(brief([segment(0), segment(1, { newest })])).toEqual([['forged', 'likely', key(1)]]);
  });

  it('names the segment before: whom to blame is told by what was noted', () => {
    const odd = [segment(0), segment(1, { prev: 'something else' }), segment(2, { shutdown: true })];
    expect(brief(odd)).toEqual([['altered', 'likely', key(0)]]);
    expect(brief(odd, { noted })).toEqual([['forged', 'certain', key(1)]]);
    expect(brief([segment(0, { digest: 'other' }), ...whole.slice(1)], { noted })).toEqual([['altered', 'certain', key(0)]]);
    expect(brief([segment(0), segment(1, { prev: null })])).toEqual([['forged', 'certain', key(1)]]);
    expect(brief([segment(0, { prev: 'digest x' })])).toEqual([['forged', 'certain', key(0)]]);
  });

  it('tells when the recorder found a key taken', () => {
    expect(brief([segment(0, { taken: [key(1)] })])).toEqual([['forged', 'certain', key(1)]]);
  });

  it('ends with the shutdown, or only possibly', () => {
    const open = [segment(0), segment(1, { ended: [] })];
    // It may still be running.
    expect(found(open, { now: began + 10 * 60_000 })).toEqual([]);
    expect(found(open)).toEqual([['truncated', 'possible', key(1), ['request 1']]]);
    // Between requests an instance may be silent for hours.
    expect(found([segment(0)])).toEqual([]);
    expect(found([segment(0)], { now: began + 2 * DAY })).toEqual([['truncated', 'possible', key(0), []]]);
    expect(brief(whole.slice(0, 2), { noted })).toEqual([['truncated', 'certain', key(2)]]);
    expect(brief([], { noted })).toHaveLength(3);
  });

  it('may have expired, at its beginning and as a whole', () => {
    const old = { now: began + 91 * DAY, kept: 90 * DAY };
    expect(brief(whole.slice(1), old)).toEqual([['missing', 'possible', undefined]]);
    expect(brief([segment(0, { hidden: began + 90 * DAY }), ...whole.slice(1)], old)).toEqual([]);
    expect(brief([segment(0, { hidden: began + 10 * DAY }), ...whole.slice(1)], old)).toEqual([['deleted', 'certain', key(0)]]);
    expect(brief([], { noted, ...old }).every(([, sure]) => sure === 'possible')).toBe(true);
  });

  it('may have been forgotten in parts: told, and held against the digest that the next segment names', () => {
    const tomb = (n: number, more: object = {}) => ({
      ...{ segment: key(n), digest: `digest ${n}`, bytes: 1, stored: began + n * 60_000 },
      ...{ run: 'r', at: (began + 600_000) * 1000, by: 'arn:somebody', why: 'asked to', ...more },
    });
    const [first, , last] = whole;
    expect(found([first!, last!], { forgotten: [tomb(1)], noted })).toEqual([['forgotten', 'told', key(1), []]]);
    // Two beside each other are one thing, the end of an instance no loss.
    expect(found([first!], { forgotten: [tomb(1), tomb(2)], noted })).toEqual([['forgotten', 'told', undefined, []]]);
    expect(brief([], { forgotten: [tomb(0), tomb(1), tomb(2)], noted })).toEqual([['forgotten', 'told', undefined]]);
    // A tombstone that somebody made up.
    const other = { digest: 'other' };
    expect(brief([first!, last!], { forgotten: [tomb(1, other)], noted })).toContainEqual(['forged', 'certain', key(1)]);
    expect(brief([first!, last!], { forgotten: [tomb(1, other)] })).toContainEqual(['altered', 'certain', key(2)]);
    // What is still there, and what was put there since.
    expect(brief(whole, { forgotten: [tomb(1)], noted })).toEqual([['forgotten', 'told', key(1)]]);
    const since = segment(1, { stored: began + 3_000_000 });
    expect(brief([first!, since, last!], { forgotten: [tomb(1)], noted })).toContainEqual(['forged', 'certain', key(1)]);
  });
});
