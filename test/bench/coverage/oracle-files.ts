import { lstatSync } from 'node:fs';

/** Which names exist, followed through the trace: strace does not say whether an open created its file. */
export class Names {
  readonly #known = new Map<string, boolean>();
  readonly #startedMs: number;

  constructor(startedMs: number) {
    this.#startedMs = startedMs;
  }

  exists(path: string): boolean {
    const known = this.#known.get(path);
    if (known !== undefined) return known;
    // Never mentioned before: what is there now and is older than the run was there at its beginning.
    try {
      const info = lstatSync(path);
      return info.isCharacterDevice() || !info.isFile() || info.birthtimeMs < this.#startedMs;
    } catch {
      return false;
    }
  }

  set(path: string, exists: boolean): void {
    this.#known.set(path, exists);
  }

  renamed(from: string, to: string): void {
    for (const [path, exists] of [...this.#known]) {
      if (!path.startsWith(`${from}/`)) continue;
      this.#known.set(to + path.slice(from.length), exists);
      this.#known.set(path, false);
    }
    this.#known.set(from, false);
    this.#known.set(to, true);
  }
}
