import { createHash } from 'node:crypto';
import type { BodyDigest } from '../record/types.ts';
import { BodyBeginning } from './excerpt.ts';

/** Sums up a body while it passes. */
export class BodyMeter {
  readonly #hash = createHash('sha256');
  readonly #beginning = new BodyBeginning();
  #bytes = 0;
  #complete = false;
  #holed = false;
  #digest: BodyDigest | undefined;

  add(chunk: Uint8Array): void {
    this.#bytes += chunk.length;
    if (this.#holed) return;
    this.#hash.update(chunk);
    this.#beginning.add(chunk);
  }

  /** So many bytes passed unseen: there will be no digest. */
  leftOut(count: number): void {
    this.#holed = true;
    this.#bytes += count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The body has been read to its end. */
  end(): void {
    this.#complete = true;
  }

  /** All of it was seen. */
  get whole(): boolean {
    return this.#complete && !this.#holed;
  }

  /** With the beginning of its text, which the redactor shortens or removes. What it says first, it says again. */
  digest(): BodyDigest {
    this.#digest ??= this.#sum();
    return this.#digest;
  }

  #sum(): BodyDigest {
    const text = this.#beginning.text();
    return {
      bytes: this.#bytes,
      ...(this.whole ? { sha256: this.#hash.digest('hex') } : {}),
      ...(text === undefined ? {} : { text }),
    };
  }
}
