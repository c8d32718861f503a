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

  add(chunk: Uint8Array): void {
    this.#hash.update(chunk);
    this.#beginning.add(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes <= PAYLOAD_MOST) this.#kept.push(chunk);
    else this.#kept.length = 0;
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
    const digest: BodyDigest = {
      bytes: this.#bytes,
      ...(this.#complete ? { sha256: this.#hash.digest('hex') } : {}),
      ...(text === undefined ? {} : { text }),
    };
    if (this.#complete && this.#bytes <= PAYLOAD_MOST) bodies.set(digest, this.#kept);
    return digest;
  }
}
