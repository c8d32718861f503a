import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RingEvent } from '../../../layers/capture/ring-event.ts';
import { decodeWire } from '../../../layers/capture/wire/event.ts';

const number = fc.oneof(fc.nat(200), fc.maxSafeNat(), fc.constant(Number.MAX_SAFE_INTEGER));
const event: fc.Arbitrary<RingEvent> = fc.record({
  type: fc.integer({ min: 14, max: 16 }),
  n: fc.nat(),
  proc: fc.constant('7@100' as const),
  pid: fc.constant(7),
  t: number,
  numbers: fc.tuple(number, number, number, number),
  strings: fc.array(
    fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
    { maxLength: 3 },
  ),
});

describe('events of teed connections', () => {
  it('of any content are read without fail, and say nothing that does not add up', () => {
    fc.assert(
      fc.property(event, (e) => {
        const said = decodeWire(e);
        if (said?.kind === 'bytes') {
          expect(said.leftOut ? said.bytes.length <= said.total : said.bytes.length === said.total).toBe(true);
          expect(Number.isSafeInteger(said.offset + said.total)).toBe(true);
        }
        if (said?.kind === 'open') expect(said.peer.port).toBeLessThanOrEqual(65_535);
        expect(said === undefined || said.kind === (['bytes', 'open', 'close'] as const)[e.type - 14]).toBe(true);
      }),
    );
  });
});
