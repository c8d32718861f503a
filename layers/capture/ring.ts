import { closeSync, readSync, writeSync } from 'node:fs';
import type { GapObservation, Observation, ProcessId } from '../record/types.ts';
import { Census } from './ring-census.ts';
import { decode, decodeOpenClose } from './ring-decode.ts';
import { EventReader, type RingEvent, readU64 } from './ring-event.ts';
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
  RUNG_AT,
  TAIL_AT,
  UNNUMBERED,
} from './ring-layout.ts';
import { TapParts } from './tap/parts.ts';
import { readTapMessage } from './tap/reading.ts';
import { decodeWire, WIRE_BYTES, WIRE_CLOSE, type WireEvent } from './wire/event.ts';

/** Read at a time. Bounds memory, not what a drain yields. */
const CHUNK = 1 << 18;
/** What a brief read takes at most: some 8000 events, which take some 10 ms. */
const BRIEFLY = 1 << 20;
/** How often the shims are told that the recorder lives when there is nothing else to tell them, in ms. */
const BEAT_MS = 500;
/** A reserved but unfinished event blocks the ring no longer than this (ms) and this many drains: its writer has died. */
const UNFINISHED_MS = 500;
const UNFINISHED_DRAINS = 5;
/** Of `enum event_type` in layers/shim/ring.h. A tap's event is a part of what it has to say, which need not be an observation yet. */
const FILE_OPEN = 4;
const FILE_CLOSE = 5;
const TAP = 13;
const NOT_RUNG = Buffer.alloc(4);

/**
 * The reading end of the ring that every shimmed process writes to. Node cannot map files, so it is read through the page
 * cache that the mappings share. Nothing in the file is trusted: all processes of the instance can write to it.
 */
export class Ring {
  readonly path: string;
  /** Reads what the shim tees of connections; what comes of it takes its place in `out`. The event is not to be kept. */
  wire: ((event: WireEvent, out: { push(observation: Observation): void }) => void) | undefined;
  readonly #fd: number;
  readonly #capacity: number;
  readonly #keyLow: number;
  readonly #keyHigh: number;
  readonly #head = Buffer.alloc(RING_HEAD_BYTES);
  readonly #publish = Buffer.alloc(16);
  readonly #bytes: Buffer;
  readonly #words: Int32Array;
  readonly #events: EventReader;
  readonly #census = new Census();
  readonly #taps = new TapParts();
  #tail = 0;
  #published = -1;
  #beaten = 0;
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
    this.#keyLow = Number(key & 0xffffffffn);
    this.#keyHigh = Number(key >> 32n);
    const memory = new ArrayBuffer(Math.min(CHUNK, capacity));
    this.#bytes = Buffer.from(memory);
    this.#words = new Int32Array(memory);
    this.#events = new EventReader(this.#bytes, this.#words);
  }

  /** Tells the shims that the recorder lives; without it for 10 s they stop steering connections. A drain does this too. */
  beat(): void {
    this.#published = this.#tail;
    this.#beaten = performance.now();
    this.#publish.writeBigUInt64LE(BigInt(this.#tail), 0);
    this.#publish.writeBigUInt64LE(process.hrtime.bigint() / 1000n, 8);
    writeSync(this.#fd, this.#publish, 0, 16, TAIL_AT);
  }

  /** Everything reported since the last call. */
  drain(): Observation[] {
    const out: Observation[] = [];
    this.read((observation) => out.push(observation));
    return out;
  }

  /**
   * Hands over what was reported since the last call, in the one order of all processes, with a gap wherever something is missing.
   * Takes what was there when it was called; what is reported meanwhile is left for the next call, so it always ends.
   * @param briefly takes a bounded part of it, so that it ends soon
   */
  read(take: (observation: Observation) => void, briefly = false): void {
    const now = performance.now();
    readSync(this.#fd, this.#head, 0, RING_HEAD_BYTES, 0);
    const head = readU64(this.#head, HEAD_AT);
    // Before anything is read: what comes from here on may ring again.
    if (this.#head.readUInt32LE(RUNG_AT) !== 0) writeSync(this.#fd, NOT_RUNG, 0, 4, RUNG_AT);
    this.#countDropped(take);
    if (head < this.#tail || head - this.#tail > this.#capacity || head % CELL !== 0) {
      this.#resetHead(take, head);
    } else {
      const end = briefly ? Math.min(head, this.#tail + BRIEFLY) : head;
      while (this.#tail < end && this.#takeChunk(head, take, now)) this.#freeBefore(head);
    }
    for (const { proc, ...gap } of this.#census.overdue(now)) take(this.#gap(gap, proc));
    if (this.#tail !== this.#published || now - this.#beaten > BEAT_MS) this.beat();
  }

  /** Writers need the room while this reads on, if there is much. */
  #freeBefore(head: number): void {
    if (head - this.#published > this.#capacity / 2) this.beat();
  }

  /** The file stays; processes that have it mapped drop what no longer fits. */
  close(): void {
    closeSync(this.#fd);
  }

  #gap(gap: GapObservation, proc?: ProcessId): Observation {
    return { t: Date.now() * 1000, ...(proc === undefined ? {} : { proc }), ...gap };
  }

  #countDropped(take: (observation: Observation) => void): void {
    const dropped = readU64(this.#head, DROPPED_AT);
    if (dropped > this.#dropped) take(this.#gap({ kind: 'gap', why: 'ring-full', lost: dropped - this.#dropped }));
    this.#dropped = dropped;
  }

  /** A head that no writer can have left there. Writers drop everything until it is put right. */
  #resetHead(take: (observation: Observation) => void, head: number): void {
    take(this.#gap({ kind: 'gap', why: 'ring-damaged', lost: 0, detail: `head ${head}, tail ${this.#tail}` }));
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
  #takeChunk(head: number, take: (observation: Observation) => void, now: number): boolean {
    const start = this.#tail;
    const length = Math.min(head - start, this.#bytes.length);
    this.#read(start, length);
    let at = 0;
    // Whatever becomes of an event, it is consumed: one that cannot be taken must not come again and again.
    try {
      while (at < length) {
        const event = at;
        const size = this.#stampedLength(event, start + event, length);
        if (size === 'beyond') break;
        if (size === 'unfinished') {
          if (!this.#giveUpOn(start + event, now)) return false;
          at = this.#findNext(event, start, length, take);
          continue;
        }
        at += Math.ceil(size / CELL) * CELL;
        this.#stuck = undefined;
        this.#takeEvent(event, size, take, now);
      }
      return at > 0;
    } finally {
      this.#tail = Math.min(start + at, head);
    }
  }

  #takeEvent(at: number, size: number, take: (observation: Observation) => void, now: number): void {
    const n = this.#events.n(at);
    const proc = this.#events.proc(at);
    const said = this.#understand(at, size, take);
    const gap = n === UNNUMBERED ? undefined : this.#census.count(proc, n, now);
    if (said === undefined)
      take(this.#gap({ kind: 'gap', why: 'ring-damaged', lost: 1, detail: 'an event that means nothing' }));
    else if (said !== 'more') {
      if (said.kind === 'process-exit' && said.child === undefined) this.#census.ended(proc);
      take(said);
    }
    if (gap) take(this.#gap(gap, proc));
  }

  /** `more`: well said, but no observation by itself. */
  #understand(at: number, size: number, take: (observation: Observation) => void): Observation | 'more' | undefined {
    const type = this.#events.type(at);
    if (type === FILE_OPEN || type === FILE_CLOSE) return decodeOpenClose(this.#events, at, size);
    const event = this.#events.whole(at, size);
    if (event === undefined) return undefined;
    if (type === TAP) return this.#tapped(event);
    if (type < WIRE_BYTES || type > WIRE_CLOSE) return decode(event, this.#census.origin);
    const wire = decodeWire(event);
    if (wire !== undefined) this.wire?.(wire, { push: take });
    return wire && 'more';
  }

  #tapped(event: RingEvent): Observation | 'more' | undefined {
    const message = this.#taps.take(event);
    // The number of a message starts anew with every program image; its time does not.
    return message === undefined ? 'more' : readTapMessage(message, event.proc, `${event.proc}-${event.t}-${event.numbers[0]}`);
  }

  /** Bytes of the event at `at`, if a whole one is there. `beyond`: its end is in the next chunk. */
  #stampedLength(at: number, position: number, available: number): number | 'unfinished' | 'beyond' {
    if (!this.#isStamped(at, position)) return 'unfinished';
    const size = (this.#words[at / 4 + 2] ?? 0) >>> 0;
    if (size < EVENT_HEAD || size > EVENT_MAX) return 'unfinished';
    if (at + size > available) return available < this.#bytes.length ? 'unfinished' : 'beyond';
    if (checksum(this.#words, at / 4, size, position) !== (this.#words[at / 4 + 3] ?? 0) >>> 0) return 'unfinished';
    return size;
  }

  /** Whether key + position + 1, in 64 bits, stands there: written last, so the event is whole. */
  #isStamped(at: number, position: number): boolean {
    const low = this.#keyLow + (position % 0x100000000) + 1;
    if ((this.#words[at / 4] ?? 0) !== (low | 0)) return false;
    const high = this.#keyHigh + Math.floor(position / 0x100000000) + Math.floor(low / 0x100000000);
    return this.#words[at / 4 + 1] === (high | 0);
  }

  #giveUpOn(position: number, now: number): boolean {
    if (this.#stuck?.at !== position) this.#stuck = { at: position, since: now, drains: 0 };
    return ++this.#stuck.drains >= UNFINISHED_DRAINS && now - this.#stuck.since >= UNFINISHED_MS;
  }

  /** Skips to the next whole event, or to the end of what was read. */
  #findNext(from: number, start: number, length: number, take: (observation: Observation) => void): number {
    let at = from + CELL;
    while (at < length && typeof this.#stampedLength(at, start + at, length) !== 'number') at += CELL;
    const detail = `${at - from} bytes at ${start + from}`;
    if (this.#isStamped(from, start + from)) take(this.#gap({ kind: 'gap', why: 'ring-damaged', lost: 1, detail }));
    else take(this.#gap({ kind: 'gap', why: 'shim-lost', lost: 1, detail: `never finished: ${detail}` }));
    this.#census.lostOne();
    this.#stuck = undefined;
    return at;
  }
}
