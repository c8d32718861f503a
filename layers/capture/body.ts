import { createHash } from 'node:crypto';
import type { BodyDigest } from '../record/types.ts';

/** Sums up a body while it passes. */
export class BodyMeter {
  readonly #hash = createHash('sha256');
  #bytes = 0;
  #complete = false;

  add(chunk: Uint8Array): void {
    this.#hash.update(chunk);
    this.#bytes += chunk.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The body has been read to its end. */
  end(): void {
    this.#complete = true;
  }

  /** May be called once. */
  digest(): BodyDigest {
    return this.#complete ? { bytes: this.#bytes, sha256: this.#hash.digest('hex') } : { bytes: this.#bytes };
  }
}
