/** Random damage to the lines of a segment: by a compromised recorder that knows the format, or by bits that fell over. */
import { zstdCompressSync } from 'node:zlib';

/** Numbers from 0 to 1; the same for the same seed. mulberry32. */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Fields whose text has a form. */
const FIXED = new Set(
  'phase proc parent req mode how type access sure status why what scheme op proto sha256 previous fnArn seenBy service operation'.split(
    ' ',
  ),
);

export class Mutator {
  readonly #random: () => number;
  /** Words of the victims, to claim. */
  readonly #words: readonly string[];

  /** Values that fields have in honest records, by the field's name: most changes must pass the checks to get anywhere. */
  readonly #values = new Map<string, unknown[]>();

  constructor(random: () => number, words: readonly string[], honest: readonly object[]) {
    this.#random = random;
    this.#words = words;
    for (const record of honest) this.#learn(record);
  }

  #learn(value: object): void {
    for (const [name, one] of Object.entries(value)) {
      if (typeof one === 'object' && one !== null) this.#learn(one);
      const known = this.#values.get(name) ?? [];
      if (known.length < 50) known.push(one);
      this.#values.set(name, known);
    }
  }

  below(n: number): number {
    return Math.floor(this.#random() * n);
  }

  pick<T>(from: readonly T[]): T {
    const one = from[this.below(from.length)];
    if (one === undefined) throw new RangeError('nothing to pick from');
    return one;
  }

  /** Records with some values exchanged for nasty ones, some records dropped, doubled or moved, numbered densely again. */
  records(records: readonly object[]): object[] {
    const all = records.map((record) => structuredClone(record) as Record<string, unknown>);
    for (let n = this.below(12); n >= 0; n--) {
      const i = this.below(all.length);
      const record = all[i];
      if (record === undefined) break;
      const what = this.below(10);
      if (what === 0 && all.length > 1) all.splice(i, 1);
      else if (what === 1) all.splice(this.below(all.length), 0, structuredClone(record));
      else if (what === 2) all.push(...all.splice(i, 1));
      else this.#change(record, 0);
    }
    return all.map((record, seq) => ({ ...record, seq }));
  }

  #change(value: Record<string, unknown> | unknown[], depth: number): void {
    const keys = Object.keys(value).filter((key) => key !== 'seq' && key !== 'kind');
    if (keys.length === 0) return;
    const key = this.pick(keys) as keyof typeof value;
    const old = value[key] as unknown;
    if (typeof old === 'object' && old !== null && depth < 4 && this.below(4) > 0) {
      if (Array.isArray(old) && this.below(3) === 0) {
        const copies = this.pick([0, 2, 40, 300]);
        (value as Record<string, unknown>)[key as string] = Array.from({ length: copies }, (_, i) =>
          structuredClone(old[i % old.length] ?? 'x'),
        );
      } else this.#change(old as Record<string, unknown>, depth + 1);
      return;
    }
    if (this.below(200) === 0) delete (value as Record<string, unknown>)[key as string];
    else (value as Record<string, unknown>)[key as string] = this.#instead(key as string, old);
  }

  #instead(name: string, old: unknown): unknown {
    if (this.below(200) === 0) return this.pick<unknown>([null, true, [], {}, 1.5, -1, '']);
    if (typeof old === 'number')
      return this.pick([
        0,
        1,
        old + 1,
        old + 3_600_000_000,
        Math.max(0, old - 3_600_000_000),
        ...(old > 1e9 ? [Number.MAX_SAFE_INTEGER, 1e15] : []),
      ]);
    if (typeof old === 'boolean') return !old;
    if (FIXED.has(name) || this.below(3) === 0) return structuredClone(this.pick(this.#values.get(name) ?? [old]));
    return this.pick([
      ...this.#words,
      ...['/tmp/x', '/', '..', '/proc/self/environ', '~init', '~~segment#', 'a#b', 'x'.repeat(1000), '\u{1f480}'.repeat(200)],
      ...[
        '\u001b[2J',
        '\u202e',
        '%',
        '%@odd',
        'join:lambda:',
        'host:',
        '7@1',
        '1@1',
        '127.0.0.1',
        '::1',
        'localhost',
        '__proto__',
      ],
      String(old).slice(0, this.below(20)),
      String(old) + String(this.below(1000)),
    ]);
  }

  /** A segment as it would be stored, perhaps with damage to its text or its bytes. */
  bytes(header: object, records: readonly object[]): Buffer {
    let text = [header, ...records].map((line) => `${JSON.stringify(line)}\n`).join('');
    if (this.below(40) === 0) {
      const at = this.below(text.length);
      text =
        text.slice(0, at) +
        this.pick(['\n', '}', '"', '[[[[[[[[[[', '\u0000', '\ud800', '1e999,']) +
        text.slice(at + this.below(3));
    }
    const bytes = zstdCompressSync(text);
    for (let n = this.below(40) === 0 ? 1 + this.below(4) : 0; n > 0; n--)
      bytes[this.below(bytes.length)]! ^= 1 << this.below(8);
    return this.below(40) === 0 ? bytes.subarray(0, this.below(bytes.length)) : bytes;
  }
}
