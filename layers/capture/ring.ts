import { closeSync, readSync, writeSync } from 'node:fs';
import type { GapObservation, Observation, ProcessId } from '../record/types.ts';
import { Census } from './ring-census.ts';
import { decode } from './ring-decode.ts';
import { type RingEvent, readU64, takeApart } from './ring-event.ts';
import { makeRing, type RingFile } from './ring-file.ts';
import {
  CELL,
  checksum,
  DATA_AT,
  DROPPED_AT,
  EVENT_HEAD,
  EVENT_MAX,
  HEAD_AT,
  RING_HEAD_BYTES,
  TAIL_AT,
  UNNUMBERED,
} from './ring-layout.ts';
import { TapParts } from './tap/parts.ts';
import { readTapMessage } from './tap/reading.ts';

/** Read at a time. Bounds memory, not what a drain yields. */
const CHUNK = 1 << 20;
/** A reserved but unfinished event blocks the ring no longer than this (ms) and this many drains: its writer has died. */
const UNFINISHED_MS = 500;
const UNFINISHED_DRAINS = 5;
/** `EV_TAP` of layers/shim/ring.h: a part of what a tap has to say, which need not be an observation yet. */
const TAP = 13;

/**
 * The reading end of the ring that every shimmed process writes to. Node cannot map files, so it is read through the page
 * cache that the mappings share. Nothing in the file is trusted: all processes of the instance can write to it.
 */
export class Ring {
  readonly path: string;
  readonly #fd: number;
  readonly #capacity: number;
  readonly #key: bigint;
  readonly #head = Buffer.alloc(RING_HEAD_BYTES);
  readonly #publish = Buffer.alloc(16);
  readonly #bytes: Buffer;
  readonly #words: Int32Array;
  readonly #census = new Census();
  readonly #taps = new TapParts();
  #tail = 0;
  #dropped = 0;
  #stuck: { at: number; since: number; drains: number } | undefined;

  /** Makes the file and reads it, see {@link makeRing}. */
  static create(path: string, bytes?: number): Ring {
    return new Ring(makeRing(path, bytes));
  }

  constructor({ path, fd, capacity, key }: RingFile) {
    this.path = path;
    this.#fd = fd;
    this.#capacity = capacity;
    this.#key = key;
    const memory = new ArrayBuffer(Math.min(CHUNK, capacity));
    this.#bytes = Buffer.from(memory);
    this.#words = new Int32Array(memory);
  }

  /** Tells the shims that the recorder lives; without it for 10 s they stop steering connections. A drain does this too. */
  beat(): void {
    this.#publish.writeBigUInt64LE(BigInt(this.#tail), 0);
    this.#publish.writeBigUInt64LE(process.hrtime.bigint() / 1000n, 8);
    writeSync(this.#fd, this.#publish, 0, 16, TAIL_AT);
  }

  /**
   * Everything reported since the last call, in the one order of all processes, with a gap wherever something is missing.
   * Takes what was there when it was called; what is reported meanwhile is left for the next call, so it always ends.
   */
  drain(): Observation[] {
    const out: Observation[] = [];
    const now = performance.now();
    readSync(this.#fd, this.#head, 0, RING_HEAD_BYTES, 0);
    const head = readU64(this.#head, HEAD_AT);
    this.#countDropped(out);
    if (head < this.#tail || head - this.#tail > this.#capacity || head % CELL !== 0) {
      this.#resetHead(out, head);
    } else {
      while (this.#tail < head && this.#takeChunk(head, out, now));
    }
    for (const { proc, ...gap } of this.#census.overdue(now)) out.push(this.#gap(gap, proc));
    this.beat();
    return out;
  }

  /** The file stays; processes that have it mapped drop what no longer fits. */
  close(): void {
    closeSync(this.#fd);
  }

  #gap(gap: GapObservation, proc?: ProcessId): Observation {
    return { t: Date.now() * 1000, ...(proc === undefined ? {} : { proc }), ...gap };
  }

  #countDropped(out: Observation[]): void {
    const dropped = readU64(this.#head, DROPPED_AT);
    if (dropped > this.#dropped) out.push(this.#gap({ kind: 'gap', why: 'ring-full', lost: dropped - this.#dropped }));
    this.#dropped = dropped;
  }

  /** A head that no writer can have left there. Writers drop everything until it is put right. */
  #resetHead(out: Observation[], head: number): void {
    out.push(this.#gap({ kind: 'gap', why: 'ring-damaged', lost: 0, detail: `head ${head}, tail ${this.#tail}` }));
    const right = Buffer.alloc(8);
    right.writeBigUInt64LE(BigInt(this.#tail));
    writeSync(this.#fd, right, 0, 8, HEAD_AT);
  }

  #read(position: number, length: number): void {
    const at = position % this.#capacity;
    const first = Math.min(length, this.#capacity - at);
    readSync(this.#fd, this.#bytes, 0, first, DATA_AT + at);
    if (first < length) readSync(this.#fd, this.#bytes, first, length - first, DATA_AT);
  }

  /** Reads and consumes up to one chunk. False when there is nothing to be had now. */
  #takeChunk(head: number, out: Observation[], now: number): boolean {
    const start = this.#tail;
    const length = Math.min(head - start, this.#bytes.length);
    this.#read(start, length);
    let at = 0;
    while (at < length) {
      const size = this.#stampedLength(at, start + at, length);
      if (size === 'beyond') break;
      if (size === 'unfinished') {
        if (!this.#giveUpOn(start + at, now)) {
          this.#tail = start + at;
          return false;
        }
        at = this.#findNext(at, start, length, out);
        continue;
      }
      const event = takeApart(this.#bytes, at, size);
      const said = event && (event.type === TAP ? this.#tapped(event) : decode(event, this.#census.origin));
      if (said === 'more') this.#stuck = undefined;
      else if (said) out.push(said);
      else out.push(this.#gap({ kind: 'gap', why: 'ring-damaged', lost: 0, detail: 'an event that means nothing' }));
      const numbered = event !== undefined && event.n !== UNNUMBERED;
      const gap = numbered ? this.#census.count(event.proc, event.n, now) : undefined;
      if (gap) out.push(this.#gap(gap, event?.proc));
      if (said && said !== 'more' && said.kind === 'process-exit' && said.child === undefined && event)
        this.#census.ended(event.proc);
      at += Math.ceil(size / CELL) * CELL;
      this.#stuck = undefined;
    }
    this.#tail = Math.min(start + at, head);
    return at > 0;
  }

  #tapped(event: RingEvent): Observation | 'more' | undefined {
    const message = this.#taps.take(event);
    // The number of a message starts anew with every program image; its time does not.
    return message === undefined ? 'more' : readTapMessage(message, event.proc, `${event.proc}-${event.t}-${event.numbers[0]}`);
  }

  /** Bytes of the event at `at`, if a whole one is there. `beyond`: its end is in the next chunk. */
  #stampedLength(at: number, position: number, available: number): number | 'unfinished' | 'beyond' {
    const stamp = BigInt.asUintN(64, this.#key + BigInt(position) + 1n);
    if (this.#bytes.readBigUInt64LE(at) !== stamp) return 'unfinished';
    const size = this.#bytes.readUInt32LE(at + 8);
    if (size < EVENT_HEAD || size > EVENT_MAX) return 'unfinished';
    if (at + size > available) return available < this.#bytes.length ? 'unfinished' : 'beyond';
    if (checksum(this.#words, at / 4, size, position) !== this.#bytes.readUInt32LE(at + 12)) return 'unfinished';
    return size;
  }

  #giveUpOn(position: number, now: number): boolean {
    if (this.#stuck?.at !== position) this.#stuck = { at: position, since: now, drains: 0 };
    return ++this.#stuck.drains >= UNFINISHED_DRAINS && now - this.#stuck.since >= UNFINISHED_MS;
  }

  /** Skips to the next whole event, or to the end of what was read. */
  #findNext(from: number, start: number, length: number, out: Observation[]): number {
    let at = from + CELL;
    while (at < length && typeof this.#stampedLength(at, start + at, length) !== 'number') at += CELL;
    const finished = this.#bytes.readBigUInt64LE(from) === BigInt.asUintN(64, this.#key + BigInt(start + from) + 1n);
    const detail = `${at - from} bytes at ${start + from}`;
    if (finished) out.push(this.#gap({ kind: 'gap', why: 'ring-damaged', lost: 1, detail }));
    else out.push(this.#gap({ kind: 'gap', why: 'shim-lost', lost: 1, detail: `never finished: ${detail}` }));
    this.#census.lostOne();
    this.#stuck = undefined;
    return at;
  }
}
