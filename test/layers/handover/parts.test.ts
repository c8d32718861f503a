import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { contentParts } from '../../../layers/capture/handover/index.ts';

/** Bytes that look random and are the same in every run. */
function bytes(seed: string, size: number): Buffer {
  const blocks = Array.from({ length: Math.ceil(size / 64) }, (_, i) => createHash('sha512').update(`${seed} ${i}`).digest());
  return Buffer.concat(blocks).subarray(0, size);
}
const parts = (body: Buffer): string[] => contentParts(body, undefined) ?? [];
const shared = (a: Buffer, b: Buffer): number => parts(a).filter((part) => parts(b).includes(part)).length;

describe('parts of a body', () => {
  it('are 1 to 16 digests for bodies from 4 KB to 1 MB, and none for others', () => {
    for (const size of [4096, 10_000, 1 << 20]) {
      const found = parts(bytes('a', size));
      expect(found.length).toBeGreaterThan(0);
      expect(found.length).toBeLessThanOrEqual(16);
      for (const part of found) expect(part).toMatch(/^[0-9a-f]{16}$/);
    }
    expect(contentParts(bytes('a', 4095), undefined)).toBeUndefined();
    expect(contentParts(bytes('a', (1 << 20) + 1), undefined)).toBeUndefined();
    expect(contentParts(undefined, undefined)).toBeUndefined();
  });

  it('are those of the content, whatever it is encoded with; and none of what is broken', () => {
    const body = bytes('a', 9000);
    expect(contentParts(gzipSync(body), 'gzip')).toEqual(parts(body));
    expect(contentParts(body, 'gzip')).toBeUndefined();
  });

  it('are shared with a body that holds it, wherever it stands there', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 9000 }), fc.integer({ min: 0, max: 9000 }), (before, after) => {
        const body = bytes('b', 12_000);
        expect(shared(body, Buffer.concat([bytes('c', before), body, bytes('d', after)]))).toBeGreaterThanOrEqual(2);
      }),
      { numRuns: 50 },
    );
  });

  it('come in an order in which the first ones are the likeliest to be found in a body that holds it', () => {
    let found = 0;
    for (let i = 0; i < 50; i++) {
      const body = bytes(`e${i}`, 16_000);
      const holder = new Set(parts(Buffer.concat([bytes(`f${i}`, 24_000), body, bytes(`g${i}`, 24_000)])));
      if (
        parts(body)
          .slice(0, 3)
          .some((part) => holder.has(part))
      )
        found++;
    }
    // A quarter of the larger body: 1 - (3/4)^16 of them, 99 %.
    expect(found).toBeGreaterThanOrEqual(46);
  });

  it('are not shared by bodies that have nothing in common, nor made of padding', () => {
    for (let i = 0; i < 50; i++) expect(shared(bytes(`h${i}`, 20_000), bytes(`i${i}`, 20_000))).toBe(0);
    expect(contentParts(Buffer.alloc(100_000), undefined)).toBeUndefined();
    expect(contentParts(Buffer.alloc(100_000, 'abcd'), undefined)).toBeUndefined();
  });

  it('never throw', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 4000, maxLength: 6000 }),
        fc.constantFrom(undefined, 'gzip', 'br', 'deflate', 'x'),
        (body, encoding) => {
          contentParts(Buffer.from(body), encoding);
        },
      ),
      { numRuns: 30 },
    );
  });
});
