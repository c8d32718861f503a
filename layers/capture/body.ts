import { createHash } from 'node:crypto';
import type { BodyDigest } from '../record/types.ts';
import { BodyBeginning } from './excerpt.ts';

/** Sums up a body while it passes. */
export class BodyMeter {
  readonly #hash = createHash('sha256');
  readonly #beginning = new BodyBeginning();
  #bytes = 0;
  #complete = false;

  add(chunk: Uint8Array): void {
    this.#hash.update(chunk);
    this.#beginning.add(chunk);
    this.#bytes += chunk.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The body has been read to its end. */
  end(): void {
    this.#complete = true;
  }

  /** With the beginning of its text, which the redactor shortens or removes. May be called once. */
  digest(): BodyDigest {
    const text = this.#beginning.text();
    return {
      bytes: this.#bytes,
      ...(this.#complete ? { sha256: this.#hash.digest('hex') } : {}),
      ...(text === undefined ? {} : { text }),
    };
  }
}
