import type { Headers } from '../network/exchanges.ts';
import type { Budget } from './budget.ts';
import { HEAD_MOST, noFields } from './fields.ts';
import { type Framing, headEnd, type MessageHead, parseHead, parseTrailers } from './http1-head.ts';
import { Incremental, Malformed } from './incremental.ts';

/** A chunk's size and its extensions, which nobody uses. */
const CHUNK_LINE_MOST = 1024;
const CHUNK_LINE = /^([0-9a-f]{1,12})[ \t]*(?:;[^\r]*)?\r?\n$/i;

/** What comes next. `body`: so many bytes as are left; `chunk`: the same within one chunk. */
type State = 'start' | 'head' | 'body' | 'chunk-line' | 'chunk' | 'chunk-end' | 'trailers' | 'until-close';

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

/** Reads the messages of one direction of an HTTP/1 connection. */
export class MessageParser extends Incremental {
  readonly #listener: MessageListener;
  #state: State = 'start';
  #left = 0;

  constructor(listener: MessageListener, budget: Budget, paused: boolean) {
    super(budget, paused);
    this.#listener = listener;
  }

  /** Nothing more will come: a body that ends so has ended. */
  end(): void {
    if (this.#state === 'until-close' && !this.over) this.guarded(() => this.#finish(noFields()));
  }

  protected override failed(problem: string): void {
    this.#listener.failed(problem);
  }

  /** Framing survives it only inside of a body that says how long it is. */
  protected override hole(count: number): number {
    const inside = this.#state === 'body' || this.#state === 'chunk';
    const known = inside ? Math.min(count, this.#left) : this.#state === 'until-close' ? count : 0;
    if (known > 0) this.#listener.leftOut(known);
    if (inside) this.#counted(known);
    return known;
  }

  protected override step(bytes: Buffer, at: number): number {
    switch (this.#state) {
      case 'start':
        // Empty lines before a message mean nothing (RFC 9112 2.2).
        if (bytes[at] === 13 || bytes[at] === 10) return 1;
        this.#state = 'head';
        this.#listener.started();
        return 0;
      case 'head':
        return this.collect(bytes, at, HEAD_MOST, headEnd, (whole) => this.#begin(whole));
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
        return this.collect(bytes, at, CHUNK_LINE_MOST, lineEnd, (whole) => this.#chunk(whole));
      case 'chunk-end':
        return this.collect(bytes, at, 2, lineEnd, (whole) => {
          if (!/^\r?\n$/.test(whole.toString('latin1'))) throw new Malformed('a chunk that is longer than it says');
          this.#state = 'chunk-line';
        });
      case 'trailers':
        return this.collect(bytes, at, HEAD_MOST, trailersEnd, (whole) => this.#finish(parseTrailers(whole)));
    }
  }

  #begin(whole: Buffer): void {
    const framing = this.#listener.head(parseHead(whole));
    // Whoever was told may have seen that this is the end of HTTP.
    if (this.over) return;
    if (framing === 'chunked') this.#state = 'chunk-line';
    else if (framing === 'until-close') this.#state = 'until-close';
    else if (framing === 0) this.#finish(noFields());
    else {
      this.#state = 'body';
      this.#left = framing;
    }
  }

  #counted(count: number): void {
    this.#left -= count;
    if (this.#left > 0) return;
    if (this.#state === 'chunk') this.#state = 'chunk-end';
    else this.#finish(noFields());
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
