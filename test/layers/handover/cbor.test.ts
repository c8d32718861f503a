import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseCbor } from '../../../layers/capture/handover/cbor.ts';
import { cbor } from './support.ts';

const hex = (text: string) => parseCbor(Buffer.from(text, 'hex'));

describe('CBOR', () => {
  // RFC 8949, appendix A.
  it.each<[string, unknown]>([
    ['00', 0],
    ['17', 23],
    ['1818', 24],
    ['1903e8', 1000],
    ['1a000f4240', 1_000_000],
    ['1b000000e8d4a51000', 1_000_000_000_000],
    ['20', -1],
    ['3903e7', -1000],
    ['f93c00', 1],
    ['f97bff', 65_504],
    ['f90001', 2 ** -24],
    ['f9c400', -4],
    ['f97c00', Number.POSITIVE_INFINITY],
    ['fa47c35000', 100_000],
    ['fb3ff199999999999a', 1.1],
    ['f4', false],
    ['f5', true],
    ['f6', null],
    ['c11a514b67b0', 1_363_896_240],
    ['4401020304', 'AQIDBA=='],
    ['6449455446', 'IETF'],
    ['62c3bc', 'ü'],
    ['80', []],
    ['8301820203820405', [1, [2, 3], [4, 5]]],
    ['a26161016162820203', { a: 1, b: [2, 3] }],
    ['5f42010243030405ff', 'AQIDBAU='],
    ['7f657374726561646d696e67ff', 'streaming'],
    ['9f018202039f0405ffff', [1, [2, 3], [4, 5]]],
    ['bf61610161629f0203ffff', { a: 1, b: [2, 3] }],
  ])('reads %s', (bytes, value) => {
    expect(hex(bytes)).toEqual(value);
  });

  it('reads what was written', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
        // JSON has no negative zero.
        const written: unknown = JSON.parse(JSON.stringify(value));
        expect(parseCbor(cbor(written))).toEqual(written);
      }),
    );
  });

  it.each([
    ['nothing', ''],
    ['what goes on after its end', '0000'],
    ['a text that is cut short', '6449'],
    ['an array said to be longer than all there is', '9bffffffffffffffff'],
    ['a map said to be longer than all there is', 'ba7fffffff'],
    ['a break where a value must be', 'ff'],
    ['a reserved length', '1c'],
    ['a text made of numbers', '7f01ff'],
    ['an array that does not end', '9f01'],
  ])('refuses %s', (_what, bytes) => {
    expect(hex(bytes)).toBeUndefined();
  });

  it('never throws, and refuses what is nested too deep', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void parseCbor(Buffer.from(bytes))));
    expect(parseCbor(Buffer.alloc(100_000, 0x81))).toBeUndefined();
    expect(parseCbor(Buffer.alloc(1 << 20, 0x9f))).toBeUndefined();
    const many = Buffer.alloc(200_005, 0xf6);
    many.writeUInt8(0x9a, 0);
    many.writeUInt32BE(200_000, 1);
    expect(parseCbor(many)).toBeUndefined();
  });
});
