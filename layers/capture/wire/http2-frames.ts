import type { Budget } from './budget.ts';
import { HEAD_MOST } from './fields.ts';
import { HpackDecoder } from './hpack.ts';
import { Incremental, Malformed } from './incremental.ts';

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const FRAME_HEAD = 9;

/** Types and flags of RFC 9113 6. */
const DATA = 0;
const HEADERS = 1;
const RST_STREAM = 3;
const PUSH_PROMISE = 5;
const GOAWAY = 7;
const CONTINUATION = 9;
const END_STREAM = 1;
const END_HEADERS = 4;
const PADDED = 8;
const PRIORITY = 32;
/** Those that are read as a whole; of the others nothing matters. */
const WHOLE = new Set([HEADERS, RST_STREAM, PUSH_PROMISE, GOAWAY, CONTINUATION]);

export interface FrameListener {
  /** A header block for this stream begins; true: it cannot be understood yet, and is asked again after `resume`. */
  wait(stream: number): boolean;
  headers(stream: number, fields: readonly (readonly [string, string])[], last: boolean): void;
  data(stream: number, bytes: Buffer): void;
  leftOut(stream: number, count: number): void;
  /** The sender says nothing more on this stream. */
  ended(stream: number): void;
  reset(stream: number, code: number): void;
  /** Streams above this one were not looked at. */
  goAway(last: number): void;
  failed(problem: string): void;
}

interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
}
type State = 'preface' | 'frame' | 'pad-length' | 'data' | 'skip' | 'whole';

/** Reads the frames of one direction of an HTTP/2 connection (RFC 9113). */
export class FrameReader extends Incremental {
  readonly #listener: FrameListener;
  readonly #hpack: HpackDecoder;
  readonly #budget: Budget;
  #state: State;
  #frame: Frame = { type: 0, flags: 0, stream: 0 };
  /** Bytes of the frame's payload that are to come, and of these the padding at its end. */
  #left = 0;
  #padding = 0;
  /** A header block that goes on in the next frame. `stream` 0: a promised one, which nobody asked for. */
  #block: { of: number; stream: number; last: boolean; parts: Buffer[]; length: number; held: number } | undefined;

  constructor(listener: FrameListener, budget: Budget, client: boolean) {
    super(budget, false);
    this.#listener = listener;
    this.#budget = budget;
    this.#hpack = new HpackDecoder(budget);
    this.#state = client ? 'preface' : 'frame';
  }

  override stop(): void {
    super.stop();
    this.#hpack.stop();
    this.#dropBlock();
  }

  #dropBlock(): void {
    this.#budget.give(this.#block?.held ?? 0);
    this.#block = undefined;
  }

  protected override failed(problem: string): void {
    this.#listener.failed(problem);
  }

  protected override hole(count: number): number {
    if (this.#state === 'skip') {
      const known = Math.min(count, this.#left);
      this.#skipped(known);
      return known;
    }
    if (this.#state !== 'data') return 0;
    const known = Math.min(count, this.#left);
    const data = Math.min(known, this.#left - this.#padding);
    if (data > 0) this.#listener.leftOut(this.#frame.stream, data);
    this.#counted(known);
    return known;
  }

  protected override step(bytes: Buffer, at: number): number {
    switch (this.#state) {
      case 'preface':
        return this.collect(bytes, at, PREFACE.length, whole(PREFACE.length), (preface) => {
          if (!preface.equals(PREFACE)) throw new Malformed('not HTTP/2');
          this.#state = 'frame';
        });
      case 'frame':
        return this.collect(bytes, at, FRAME_HEAD, whole(FRAME_HEAD), (head) => this.#begin(head));
      case 'pad-length':
        this.#padding = bytes[at] ?? 0;
        if (this.#padding > this.#left - 1) throw new Malformed('more padding than frame');
        this.#state = 'data';
        this.#counted(1);
        return 1;
      case 'data': {
        const data = bytes.subarray(at, at + this.#left - this.#padding);
        if (data.length > 0) this.#listener.data(this.#frame.stream, data);
        // Else it is the padding's turn.
        const used = data.length > 0 ? data.length : Math.min(bytes.length - at, this.#left);
        this.#counted(used);
        return used;
      }
      case 'skip': {
        const used = Math.min(bytes.length - at, this.#left);
        this.#skipped(used);
        return used;
      }
      case 'whole': {
        const { stream } = this.#frame;
        if (this.#frame.type === HEADERS && this.#listener.wait(stream)) {
          this.pause();
          return 0;
        }
        return this.collect(bytes, at, this.#left, whole(this.#left), (payload) => this.#take(payload));
      }
    }
  }

  #begin(head: Buffer): void {
    const type = head[3] ?? 0;
    const flags = head[4] ?? 0;
    this.#frame = { type, flags, stream: head.readUInt32BE(5) & 0x7fffffff };
    this.#left = head.readUIntBE(0, 3);
    this.#padding = 0;
    if (this.#block !== undefined && (type !== CONTINUATION || this.#frame.stream !== this.#block.of))
      throw new Malformed('a header block that does not go on');
    if (type === DATA) {
      this.#state = (flags & PADDED) !== 0 ? 'pad-length' : 'data';
      if (this.#left === 0) {
        if (this.#state === 'pad-length') throw new Malformed('a frame without its padding');
        this.#counted(0);
      }
    } else if (WHOLE.has(type)) {
      if (this.#left > HEAD_MOST) throw new Malformed('headers that are too long');
      this.#state = 'whole';
      if (this.#left === 0) this.#take(head.subarray(0, 0));
    } else {
      this.#state = 'skip';
      this.#skipped(0);
    }
  }

  #counted(count: number): void {
    this.#left -= count;
    if (this.#left > 0) return;
    this.#state = 'frame';
    if ((this.#frame.flags & END_STREAM) !== 0) this.#listener.ended(this.#frame.stream);
  }

  #skipped(count: number): void {
    this.#left -= count;
    if (this.#left === 0) this.#state = 'frame';
  }

  #take(payload: Buffer): void {
    const { type, flags, stream } = this.#frame;
    this.#state = 'frame';
    if (type === RST_STREAM) {
      if (payload.length !== 4) throw new Malformed('a frame of another length');
      this.#listener.reset(stream, payload.readUInt32BE(0));
    } else if (type === GOAWAY) {
      if (payload.length < 8) throw new Malformed('a frame of another length');
      this.#listener.goAway(payload.readUInt32BE(0) & 0x7fffffff);
    } else if (type === CONTINUATION) {
      if (this.#block === undefined) throw new Malformed('a header block without a beginning');
      this.#goOn(payload, flags);
    } else {
      const promise = type === PUSH_PROMISE;
      let at = (flags & PADDED) !== 0 ? 1 : 0;
      const end = payload.length - (at === 1 ? (payload[0] ?? 1) : 0);
      if (promise) at += 4;
      else if ((flags & PRIORITY) !== 0) at += 5;
      if (at > end) throw new Malformed('more padding than frame');
      const last = !promise && (flags & END_STREAM) !== 0;
      this.#block = { of: stream, stream: promise ? 0 : stream, last, parts: [], length: 0, held: 0 };
      this.#goOn(payload.subarray(at, end), flags);
    }
  }

  #goOn(fragment: Buffer, flags: number): void {
    const block = this.#block;
    if (block === undefined) return;
    block.length += fragment.length;
    if (block.length > HEAD_MOST || block.parts.length > 64) throw new Malformed('headers that are too long');
    if ((flags & END_HEADERS) === 0) {
      if (!this.#budget.take(fragment.length)) throw new Malformed('too much waits on all connections');
      block.held += fragment.length;
      // Copied: the ring's reader uses its buffer again.
      block.parts.push(Buffer.from(fragment));
      return;
    }
    this.#dropBlock();
    block.parts.push(fragment);
    // Also for streams that nobody follows: what comes later depends on it.
    const fields = this.#hpack.decode(block.parts.length === 1 ? fragment : Buffer.concat(block.parts));
    if (block.stream === 0) return;
    this.#listener.headers(block.stream, fields, block.last);
    if (block.last && !this.over) this.#listener.ended(block.stream);
  }
}

const whole =
  (length: number) =>
  (bytes: Buffer): number =>
    bytes.length >= length ? length : -1;
