/**
 * The ring file, byte by byte: what `layers/shim/ring.c` writes and {@link Ring} reads. All numbers little endian.
 *
 * An event takes whole cells and may wrap around. Its head: stamp u64 (its absolute position + key + 1, stored last),
 * length u32, checksum u32, type u8, strings u8, u16 free, n u32, pid u32, u32 free, start u64, t u64 (µs), four u64 numbers;
 * then the strings, each with a u16 length.
 */
export const RING_MAGIC = 0x31676e6952414c41n;
export const RING_VERSION = 2;

export const HEAD_AT = 64;
/** Tail and, behind it, the heartbeat: CLOCK_MONOTONIC in µs. */
export const TAIL_AT = 128;
export const DROPPED_AT = 192;
/** u32: a writer has rung the bell; none rings again until this is 0. */
export const RUNG_AT = 200;
export const RING_HEAD_BYTES = 204;

export const DATA_AT = 4096;
export const CELL = 64;
export const EVENT_HEAD = 80;
export const EVENT_MAX = 8192;
/** Instead of `n`: written by another process in this one's name. */
export const UNNUMBERED = 0xffffffff;

/** A number of 8 bytes; above 2^53 it is cut to that. `at` counts words of `words`. */
export function u64(words: Int32Array, at: number): number {
  return Math.min(((words[at + 1] ?? 0) >>> 0) * 0x100000000 + ((words[at] ?? 0) >>> 0), Number.MAX_SAFE_INTEGER);
}

function mixed(sum: number, word: number): number {
  const mix = sum ^ word;
  return Math.imul((mix << 5) | (mix >>> 27), 0x9e3779b1);
}

/** Over the event from its type on, in 32-bit words by four sums that take turns; `at` counts words of `words`. */
export function checksum(words: Int32Array, at: number, length: number, position: number): number {
  const seed = (0x9e3779b9 ^ length ^ (position % 0x100000000)) | 0;
  const end = at + ((length + 3) >> 2);
  let [a, b, c, d] = [seed, seed, seed, seed];
  let i = at + 4;
  for (; i + 4 <= end; i += 4) {
    a = mixed(a, words[i] as number);
    b = mixed(b, words[i + 1] as number);
    c = mixed(c, words[i + 2] as number);
    d = mixed(d, words[i + 3] as number);
  }
  if (i < end) a = mixed(a, words[i] as number);
  if (i + 1 < end) b = mixed(b, words[i + 1] as number);
  if (i + 2 < end) c = mixed(c, words[i + 2] as number);
  return mixed(mixed(mixed(a, b), c), d) >>> 0;
}
