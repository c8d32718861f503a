import type { Hash } from 'node:crypto';
import { BEGINNING, LOOKED_AT, SMALL_BODY, type TapBody } from '../message.ts';

/** What all exchanges under way together may hold; beyond it bodies are only summed up. */
const HELD_MOST = 16 << 20;
let held = 0;
/** The recorder may want the beginning of bodies too, whatever their size. */
const beginnings = process.env.ALASTOR_BODIES === 'redacted';

/** A body as it passes. It copies what it keeps: the chunks belong to the application, which may change them at any time. */
export class BodyTee {
  bytes = 0;
  complete = false;
  #hash: Hash | undefined;
  #kept: Buffer[] = [];
  #keptBytes = 0;
  /** Whether a larger body is of interest too. */
  readonly #wanted: () => boolean;

  constructor(wanted: () => boolean) {
    this.#wanted = wanted;
  }

  add(chunk: unknown, encoding?: unknown): void {
    const bytes = bytesOf(chunk, encoding);
    if (bytes === undefined || bytes.length === 0) return;
    this.bytes += bytes.length;
    if (this.#hash === undefined && this.bytes > SMALL_BODY) this.#startHash();
    this.#hash?.update(bytes);
    if (this.#keptBytes + bytes.length !== this.bytes) return;
    const keep = this.bytes <= SMALL_BODY || (this.bytes <= LOOKED_AT && this.#wanted());
    // Without room a small body cannot be summed up later: it is now.
    if (!keep || held + bytes.length > HELD_MOST) {
      if (this.#hash === undefined) this.#startHash().update(bytes);
      this.#cut(bytes);
      return;
    }
    this.#kept.push(typeof chunk === 'string' ? bytes : Buffer.from(bytes));
    this.#keptBytes += bytes.length;
    held += bytes.length;
  }

  /** Ends it. To be called once. */
  take(): { readonly told: TapBody; readonly kept: readonly Buffer[] } {
    const kept = this.#kept;
    const { bytes, complete } = this;
    const sha256 = complete ? this.#hash?.digest('hex') : undefined;
    const told: TapBody = { bytes, complete, kept: this.#keptBytes, ...(sha256 === undefined ? {} : { sha256 }) };
    this.#drop();
    return { told, kept };
  }

  #startHash(): Hash {
    const { createHash } = process.getBuiltinModule('node:crypto');
    this.#hash = createHash('sha256');
    for (const piece of this.#kept) this.#hash.update(piece);
    return this.#hash;
  }

  /** Keeps no more than the beginning, if that is wanted. */
  #cut(more: Buffer): void {
    const beginning = beginnings
      ? Buffer.concat([...this.#kept, more.subarray(0, BEGINNING)]).subarray(0, BEGINNING)
      : undefined;
    this.#drop();
    if (beginning === undefined || held + beginning.length > HELD_MOST) return;
    this.#kept.push(Buffer.from(beginning));
    this.#keptBytes = beginning.length;
    held += beginning.length;
  }

  #drop(): void {
    held -= this.#keptBytes;
    this.#kept = [];
    this.#keptBytes = 0;
  }
}

function bytesOf(chunk: unknown, encoding: unknown): Buffer | undefined {
  if (typeof chunk === 'string')
    return Buffer.from(chunk, typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8');
  if (Buffer.isBuffer(chunk)) return chunk;
  if (ArrayBuffer.isView(chunk)) return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  return chunk instanceof ArrayBuffer ? Buffer.from(chunk) : undefined;
}
