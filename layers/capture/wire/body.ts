import { createHash, type Hash } from 'node:crypto';
import type { BodyDigest } from '../../record/types.ts';
import { BodyBeginning } from '../excerpt.ts';
import type { Budget } from './budget.ts';

const SHA256_OF_NOTHING = createHash('sha256').digest('hex');

/** What a piece costs besides its bytes, about. */
const PIECE = 128;

/** Sums up a body as it passes, and keeps it while it is wanted and there is room. */
export class WatchedBody {
  readonly #beginning = new BodyBeginning();
  #hash: Hash | undefined;
  #bytes = 0;
  #seen = 0;
  #whole = false;
  #kept: Buffer[] | undefined;
  #cost = 0;
  #most = 0;
  #budget: Budget | undefined;

  /** What comes is looked at when it is there, unless it is longer than `most`: to be kept while `budget` has room. */
  keep(budget: Budget, most: number): void {
    if (this.#bytes > 0) return;
    this.#budget = budget;
    this.#most = most;
    this.#kept = [];
  }

  add(chunk: Buffer): void {
    // What is behind a hole is no beginning, and no digest is made of a body with one.
    if (this.#seen === this.#bytes) {
      this.#hash ??= createHash('sha256');
      this.#hash.update(chunk);
      this.#beginning.add(chunk);
      this.#seen += chunk.length;
    }
    this.#bytes += chunk.length;
    if (this.#kept === undefined) return;
    const cost = chunk.length + PIECE;
    if (this.#bytes > this.#most || this.#budget?.take(cost) !== true) {
      this.drop();
      return;
    }
    this.#kept.push(Buffer.from(chunk));
    this.#cost += cost;
  }

  leftOut(count: number): void {
    this.#bytes += count;
    this.drop();
  }

  /** It has come to its proper end. */
  end(): void {
    this.#whole = true;
  }

  /** What was kept of it, if that is all of it. */
  get body(): Buffer | undefined {
    return this.#whole && this.#kept !== undefined ? Buffer.concat(this.#kept) : undefined;
  }

  /** To be asked for once. */
  digest(): BodyDigest {
    const text = this.#beginning.text();
    const whole = this.#whole && this.#seen === this.#bytes;
    return {
      bytes: this.#bytes,
      ...(whole ? { sha256: this.#hash?.digest('hex') ?? SHA256_OF_NOTHING } : {}),
      ...(text === undefined ? {} : { text }),
    };
  }

  drop(): void {
    this.#budget?.give(this.#cost);
    this.#kept = undefined;
    this.#cost = 0;
  }
}
