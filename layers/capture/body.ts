import { createHash } from 'node:crypto';
import type { BodyDigest } from '../record/types.ts';
import { BodyBeginning } from './excerpt.ts';
import { payloadDigest } from './handover/index.ts';

/** Larger answers are not compared with events: Step Functions hands on 256 KB. */
const PAYLOAD_MOST = 256 * 1024;

/** What digests were made of, as long as somebody holds them: what else can be told of a body is asked of few. */
const bodies = new WeakMap<BodyDigest, readonly Uint8Array[]>();

/** SHA-256 of a body's canonical JSON, see handover/payload.ts; undefined when it is none, was cut short or is too large. */
export function payloadOf(digest: BodyDigest): string | undefined {
  const kept = bodies.get(digest);
  return kept && payloadDigest(Buffer.concat(kept).toString('utf8'));
}

/** Sums up a body while it passes. */
export class BodyMeter {
  readonly #hash = createHash('sha256');
  readonly #beginning = new BodyBeginning();
  readonly #kept: Uint8Array[] = [];
  #bytes = 0;
  #complete = false;
  #holed = false;
  #digest: BodyDigest | undefined;

  add(chunk: Uint8Array): void {
    this.#bytes += chunk.length;
    if (this.#holed) return;
    this.#hash.update(chunk);
    this.#beginning.add(chunk);
    // Copied: whoever reads bytes out of the ring uses its buffer again.
    if (this.#bytes <= PAYLOAD_MOST) this.#kept.push(Buffer.from(chunk));
    else this.#kept.length = 0;
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
    const digest: BodyDigest = {
      bytes: this.#bytes,
      ...(this.whole ? { sha256: this.#hash.digest('hex') } : {}),
      ...(text === undefined ? {} : { text }),
    };
    if (this.whole && this.#bytes <= PAYLOAD_MOST) bodies.set(digest, this.#kept);
    return digest;
  }
}
