/** Bytes of a body that are kept, in memory, until it is decided whether any of it is recorded. */
export const LOOKED_AT = 8192;
/** Characters of a body that may be recorded. */
const EXCERPT_MOST = 2048;

/**
 * Whether any of a body may be recorded at all. Set once, when the recorder starts; as long as it is false nothing of a body is
 * even kept. One place for the whole process, because bodies are met in many.
 */
export const beginnings = { wanted: false };

/** The first bytes of a body, collected as it passes, if they are wanted. */
export class BodyBeginning {
  readonly #chunks: Buffer[] = [];
  #filled = 0;
  #whole = true;

  add(chunk: Uint8Array): void {
    if (!beginnings.wanted) return;
    const part = Buffer.from(chunk.subarray(0, LOOKED_AT - this.#filled));
    if (part.length < chunk.length) this.#whole = false;
    if (part.length === 0) return;
    this.#chunks.push(part);
    this.#filled += part.length;
  }

  /** Its text; undefined when it is not text (compressed, binary, another encoding) or empty. */
  text(): string | undefined {
    if (this.#filled === 0) return undefined;
    // `stream`: a character that is cut in two at the end is left out.
    const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    try {
      const text = decoder.decode(Buffer.concat(this.#chunks), { stream: !this.#whole });
      // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
      return /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/.test(text) ? undefined : text;
    } catch {
      return undefined;
    }
  }
}

/** Cuts redacted text to what may be recorded. `whole`: the body ended before the text did. */
export function excerpt(redacted: string, whole: boolean): string {
  // What was cut off in the middle was not recognisable as a secret: the end goes too.
  const sure = whole ? redacted : redacted.slice(0, Math.max(0, redacted.length - EXCERPT_MOST));
  return sure.length <= EXCERPT_MOST ? sure : `${sure.slice(0, EXCERPT_MOST - 1).toWellFormed()}…`;
}
