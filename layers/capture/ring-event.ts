import type { ProcessId } from '../record/types.ts';
import { EVENT_HEAD, u64 } from './ring-layout.ts';

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

/** Processes whose ids are remembered. */
const REMEMBERED = 4096;

/**
 * Takes events apart in a buffer that is filled again and again. What only some kinds of events need, their strings, is a
 * call of its own: most events are about files, and a Buffer per string would cost more than all the rest of them.
 */
export class EventReader {
  readonly #bytes: Buffer;
  readonly #words: Int32Array;
  readonly #procs = new Map<number, { readonly start: number; readonly proc: ProcessId }>();

  /** @param words the same memory as `bytes` */
  constructor(bytes: Buffer, words: Int32Array) {
    this.#bytes = bytes;
    this.#words = words;
  }

  type(at: number): number {
    return this.#bytes[at + 16] ?? 0;
  }

  /** The running number. */
  n(at: number): number {
    return (this.#words[at / 4 + 5] ?? 0) >>> 0;
  }

  time(at: number): number {
    return u64(this.#words, at / 4 + 10);
  }

  /** One of the four, from 0. */
  number(at: number, index: 0 | 1 | 2 | 3): number {
    return u64(this.#words, at / 4 + 12 + 2 * index);
  }

  proc(at: number): ProcessId {
    const pid = (this.#words[at / 4 + 6] ?? 0) >>> 0;
    const start = u64(this.#words, at / 4 + 8);
    let known = this.#procs.get(pid);
    if (known?.start !== start) {
      known = { start, proc: `${pid}@${start}` };
      if (this.#procs.size >= REMEMBERED) this.#procs.clear();
      this.#procs.set(pid, known);
    }
    return known.proc;
  }

  /** The only string of the event; undefined when there is another number of them, or it does not fill the event exactly. */
  onlyText(at: number, length: number): string | undefined {
    const from = at + EVENT_HEAD + 2;
    const bytes = this.#bytes;
    const size = (bytes[from - 2] ?? 0) + (bytes[from - 1] ?? 0) * 256;
    if (bytes[at + 17] !== 1 || from + size !== at + length) return undefined;
    return bytes.toString('utf8', from, from + size);
  }

  /** `undefined` when the strings do not fill the event exactly: it is damaged. The checksum has been verified before. */
  whole(at: number, length: number): RingEvent | undefined {
    const bytes = this.#bytes;
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
    return {
      type: this.type(at),
      n: this.n(at),
      pid: bytes.readUInt32LE(at + 24),
      proc: this.proc(at),
      t: this.time(at),
      numbers: [this.number(at, 0), this.number(at, 1), this.number(at, 2), this.number(at, 3)],
      strings,
    };
  }
}
