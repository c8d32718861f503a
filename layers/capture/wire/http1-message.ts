import type { Headers } from '../network/exchanges.ts';
import { type Framing, HEAD_MOST, headEnd, Malformed, type MessageHead, parseHead, parseTrailers } from './http1-head.ts';

/** What may wait while a parser is paused. */
const QUEUE_BYTES = 64 * 1024;
const QUEUE_MOST = 256;
/** A chunk's size and its extensions, which nobody uses. */
const CHUNK_LINE_MOST = 1024;
const CHUNK_LINE = /^([0-9a-f]{1,12})[ \t]*(?:;[^\r]*)?\r?\n$/i;

/** What comes next. `body`: so many bytes as are left; `chunk`: the same within one chunk. */
type State = 'start' | 'head' | 'body' | 'chunk-line' | 'chunk' | 'chunk-end' | 'trailers' | 'until-close' | 'rest' | 'failed';

export interface MessageListener {
  /** The first byte of a message. */
  started(): void;
  /** @throws Malformed when the message is not one of this direction */
  head(head: MessageHead): Framing;
  data(bytes: Buffer): void;
  leftOut(count: number): void;
  ended(trailers: Headers): void;
  /** Nothing after this can be understood. */
  failed(problem: string): void;
}

/** Reads the messages of one direction of an HTTP/1 connection as they pass. Never throws; holds 128 KiB at most. */
export class MessageParser {
  /** Bytes that were understood. */
  read = 0;
  readonly #listener: MessageListener;
  #state: State = 'start';
  #left = 0;
  /** The beginning of what is read as a whole: a head, a chunk's line, trailers. */
  #begun = Buffer.alloc(0);
  #filled = 0;
  #paused: boolean;
  #busy = false;
  #queue: (Buffer | number)[] = [];
  #queued = 0;

  constructor(listener: MessageListener, paused: boolean) {
    this.#listener = listener;
    this.#paused = paused;
  }

  feed(bytes: Buffer): void {
    if (bytes.length > 0) this.#take(bytes);
  }

  /** So many bytes passed unseen. */
  leftOut(count: number): void {
    if (count > 0) this.#take(count);
  }

  /** What comes waits, because it cannot be understood yet. */
  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    if (!this.#busy) this.#run();
  }

  /** What comes is not HTTP any more. */
  stop(): void {
    this.#state = 'rest';
    this.#queue = [];
  }

  /** Nothing more will come: a body that ends so has ended. */
  end(): void {
    if (this.#state === 'until-close') this.#guarded(() => this.#finish(Object.create(null)));
  }

  #take(item: Buffer | number): void {
    if (this.#state === 'rest' || this.#state === 'failed') return;
    if (!this.#paused && !this.#busy && this.#queue.length === 0) this.#process(item);
    else {
      this.#wait(item);
      if (!this.#busy) this.#run();
    }
  }

  #wait(item: Buffer | number, first = false): void {
    // Copied: the ring's reader uses its buffer again.
    const kept = typeof item === 'number' ? item : Buffer.from(item);
    if (first) this.#queue.unshift(kept);
    else this.#queue.push(kept);
    this.#queued += typeof item === 'number' ? 0 : item.length;
    if (this.#queued > QUEUE_BYTES || this.#queue.length > QUEUE_MOST)
      this.#guarded(() => {
        throw new Malformed('more than can wait for the other side');
      });
  }

  #run(): void {
    while (!this.#paused) {
      const item = this.#queue.shift();
      if (item === undefined) return;
      if (typeof item !== 'number') this.#queued -= item.length;
      this.#process(item);
    }
  }

  #process(item: Buffer | number): void {
    let rest: Buffer | undefined;
    this.#guarded(() => {
      if (typeof item === 'number') {
        this.#pass(item);
        return;
      }
      let at = 0;
      while (at < item.length && !this.#paused && this.#state !== 'rest') {
        const used = this.#step(item, at);
        at += used;
        this.read += used;
      }
      if (at < item.length && this.#paused) rest = item.subarray(at);
    });
    if (rest !== undefined && this.#state !== 'rest') this.#wait(rest, true);
  }

  #guarded(work: () => void): void {
    const outer = this.#busy;
    this.#busy = true;
    try {
      work();
    } catch (error) {
      if (!(error instanceof Malformed)) throw error;
      this.#state = 'failed';
      this.#queue = [];
      this.#begun = Buffer.alloc(0);
      this.#listener.failed(error.message);
    } finally {
      this.#busy = outer;
    }
  }

  /** A hole. Framing survives it only inside of a body that says how long it is. */
  #pass(count: number): void {
    const inside = this.#state === 'body' || this.#state === 'chunk';
    const known = inside ? Math.min(count, this.#left) : this.#state === 'until-close' ? count : 0;
    if (known > 0) {
      this.read += known;
      this.#listener.leftOut(known);
      if (inside) this.#counted(known);
    }
    if (known < count && this.#state !== 'rest') throw new Malformed('a part of it was not seen');
  }

  /** Takes from `bytes` what belongs together, and says how much that was. */
  #step(bytes: Buffer, at: number): number {
    switch (this.#state) {
      case 'start':
        // Empty lines before a message mean nothing (RFC 9112 2.2).
        if (bytes[at] === 13 || bytes[at] === 10) return 1;
        this.#state = 'head';
        this.#listener.started();
        return 0;
      case 'head':
        return this.#collect(bytes, at, HEAD_MOST, headEnd, (whole) => this.#begin(whole));
      case 'body':
      case 'chunk': {
        const some = bytes.subarray(at, at + this.#left);
        this.#listener.data(some);
        this.#counted(some.length);
        return some.length;
      }
      case 'until-close':
        this.#listener.data(bytes.subarray(at));
        return bytes.length - at;
      case 'chunk-line':
        return this.#collect(bytes, at, CHUNK_LINE_MOST, lineEnd, (whole) => this.#chunk(whole));
      case 'chunk-end':
        return this.#collect(bytes, at, 2, lineEnd, (whole) => {
          if (!/^\r?\n$/.test(whole.toString('latin1'))) throw new Malformed('a chunk that is longer than it says');
          this.#state = 'chunk-line';
        });
      case 'trailers':
        return this.#collect(bytes, at, HEAD_MOST, trailersEnd, (whole) => this.#finish(parseTrailers(whole)));
      default:
        return bytes.length - at;
    }
  }

  /** Waits for the end of something that is read as a whole; most often it is there at once. */
  #collect(
    bytes: Buffer,
    at: number,
    most: number,
    endOf: (bytes: Buffer, from: number) => number,
    then: (whole: Buffer) => void,
  ): number {
    const before = this.#filled;
    if (before === 0) {
      const here = bytes.subarray(at, at + most);
      const end = endOf(here, 0);
      if (end !== -1) {
        then(here.subarray(0, end));
        return end;
      }
    }
    const added = Math.min(bytes.length - at, most - before);
    this.#append(bytes.subarray(at, at + added));
    const all = this.#begun.subarray(0, this.#filled);
    const end = endOf(all, Math.max(0, before - 2));
    if (end === -1) {
      if (this.#filled >= most) throw new Malformed('a head or a line that is too long');
      return added;
    }
    this.#filled = 0;
    this.#begun = Buffer.alloc(0);
    then(all.subarray(0, end));
    return end - before;
  }

  #append(bytes: Buffer): void {
    const length = this.#filled + bytes.length;
    if (length > this.#begun.length) {
      const larger = Buffer.allocUnsafe(Math.max(length, 2 * this.#begun.length, 512));
      this.#begun.copy(larger, 0, 0, this.#filled);
      this.#begun = larger;
    }
    bytes.copy(this.#begun, this.#filled);
    this.#filled = length;
  }

  #begin(whole: Buffer): void {
    const framing = this.#listener.head(parseHead(whole));
    // Whoever was told may have seen that this is the end of HTTP.
    if (this.#state === 'rest') return;
    if (framing === 'chunked') this.#state = 'chunk-line';
    else if (framing === 'until-close') this.#state = 'until-close';
    else if (framing === 0) this.#finish(Object.create(null));
    else {
      this.#state = 'body';
      this.#left = framing;
    }
  }

  #counted(count: number): void {
    this.#left -= count;
    if (this.#left > 0) return;
    if (this.#state === 'chunk') this.#state = 'chunk-end';
    else this.#finish(Object.create(null));
  }

  #chunk(line: Buffer): void {
    const [, digits] = CHUNK_LINE.exec(line.toString('latin1')) ?? [];
    if (digits === undefined) throw new Malformed('a chunk without a proper size');
    this.#left = Number.parseInt(digits, 16);
    this.#state = this.#left === 0 ? 'trailers' : 'chunk';
  }

  #finish(trailers: Headers): void {
    this.#state = 'start';
    this.#listener.ended(trailers);
  }
}

const lineEnd = (bytes: Buffer, from: number): number => bytes.indexOf(10, from) + 1 || -1;

/** As a head without its first line: it may end at once. */
function trailersEnd(bytes: Buffer, from: number): number {
  if (bytes[0] === 10) return 1;
  if (bytes[0] === 13 && bytes[1] === 10) return 2;
  return headEnd(bytes, from);
}
