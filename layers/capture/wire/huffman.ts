import { Malformed } from './incremental.ts';

/**
 * Lengths in bits of the codes of HPACK's Huffman code, by symbol, as RFC 7541 appendix B lists them; the last is EOS. The
 * codes follow from them: they are handed out in the order of length, then symbol.
 */
// biome-ignore format: a table, read by its columns
const LENGTHS = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
  6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
  15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
  20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
  22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
  26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
  20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
  30,
];
const EOS = 256;
const LONGEST = 30;

/** Symbols in the order of their codes. */
const SYMBOLS = LENGTHS.map((_, symbol) => symbol).sort((a, b) => (LENGTHS[a] ?? 0) - (LENGTHS[b] ?? 0) || a - b);
/** By length: the first code, and where its symbol stands in SYMBOLS. */
const FIRST = new Int32Array(LONGEST + 1);
const AT = new Int32Array(LONGEST + 2);
for (let length = 1, code = 0; length <= LONGEST; length++) {
  const count = LENGTHS.filter((one) => one === length).length;
  FIRST[length] = code;
  AT[length + 1] = (AT[length] ?? 0) + count;
  code = (code + count) << 1;
}

/** @throws Malformed when it is not padded as RFC 7541 5.2 wants it */
export function huffmanDecode(bytes: Buffer): string {
  // No code is shorter than five bits.
  const out = Buffer.allocUnsafe(Math.ceil((bytes.length * 8) / 5));
  let filled = 0;
  let code = 0;
  let length = 0;
  for (const byte of bytes) {
    for (let bit = 7; bit >= 0; bit--) {
      code = (code << 1) | ((byte >> bit) & 1);
      length++;
      const index = code - (FIRST[length] ?? 0) + (AT[length] ?? 0);
      if (index >= (AT[length + 1] ?? 0)) continue;
      const symbol = SYMBOLS[index] ?? EOS;
      if (symbol === EOS) throw new Malformed('HPACK: the end of a string inside of it');
      out[filled++] = symbol;
      code = 0;
      length = 0;
    }
  }
  // What is left over is the beginning of EOS, all ones.
  if (length > 7 || code !== (1 << length) - 1) throw new Malformed('HPACK: padding that is none');
  return out.toString('latin1', 0, filled);
}
