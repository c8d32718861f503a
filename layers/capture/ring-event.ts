import type { ProcessId } from '../record/types.ts';
import { EVENT_HEAD } from './ring-layout.ts';

/** An event as the shim wrote it, taken apart but not yet understood. Numbers above 2^53 are cut to that. */
export interface RingEvent {
  readonly type: number;
  /** Running number in its process image, from 0. */
  readonly n: number;
  readonly proc: ProcessId;
  readonly pid: number;
  readonly t: number;
  readonly numbers: readonly [number, number, number, number];
  /** Raw: file names need not be text. */
  readonly strings: readonly Buffer[];
}

export function readU64(bytes: Buffer, at: number): number {
  return Math.min(bytes.readUInt32LE(at + 4) * 0x100000000 + bytes.readUInt32LE(at), Number.MAX_SAFE_INTEGER);
}

/** `undefined` when the strings do not fill the event exactly: it is damaged. The checksum has been verified before. */
export function takeApart(bytes: Buffer, at: number, length: number): RingEvent | undefined {
  const strings: Buffer[] = [];
  const end = at + length;
  let from = at + EVENT_HEAD;
  for (let left = bytes.readUInt8(at + 17); left > 0; left--) {
    if (from + 2 > end) return undefined;
    const to = from + 2 + bytes.readUInt16LE(from);
    if (to > end) return undefined;
    strings.push(bytes.subarray(from + 2, to));
    from = to;
  }
  if (from !== end) return undefined;
  const pid = bytes.readUInt32LE(at + 24);
  return {
    type: bytes.readUInt8(at + 16),
    n: bytes.readUInt32LE(at + 20),
    pid,
    proc: `${pid}@${readU64(bytes, at + 32)}`,
    t: readU64(bytes, at + 40),
    numbers: [readU64(bytes, at + 48), readU64(bytes, at + 56), readU64(bytes, at + 64), readU64(bytes, at + 72)],
    strings,
  };
}
