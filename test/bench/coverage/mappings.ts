import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Line, readLines } from './strace-lines.ts';

type Range = readonly [from: bigint, to: bigint];
const inside = (ip: bigint, range: Range | undefined) => range !== undefined && ip >= range[0] && ip < range[1];

/** Where the dynamic loader lies, counted from the instruction of the first call it makes (brk). The same for every program. */
export interface Loader {
  readonly before: bigint;
  readonly after: bigint;
}

/** Measured once, on a program that shows its own map. @throws Error when strace cannot be used here. */
export function findLoader(): Loader {
  const dir = mkdtempSync(join(tmpdir(), 'loader-'));
  try {
    const args = ['-ff', '-ttt', '-i', '-y', '-e', 'trace=brk', '-o', join(dir, 't'), '/bin/cat', '/proc/self/maps'];
    const maps = execFileSync('strace', args, { encoding: 'utf8' });
    const ip = readLines(join(dir, 't'))[0]?.ip ?? 0n;
    const [, from, to] = /^([0-9a-f]+)-([0-9a-f]+) r-xp .*\/ld[^/]*$/m.exec(maps) ?? [];
    if (from === undefined || to === undefined) throw new Error('no dynamic loader in the map of /bin/cat');
    return { before: ip - BigInt(`0x${from}`), after: BigInt(`0x${to}`) - ip };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Which of a process's calls are made by the dynamic loader, and which by the shim itself. */
export class Mappings {
  readonly #loader: Loader;
  readonly #shim: string;
  #fresh: boolean;
  #loaderAt: Range | undefined;
  #shimAt: Range | undefined;

  constructor(loader: Loader, shim: string, parent?: Mappings) {
    this.#loader = loader;
    this.#shim = shim;
    this.#fresh = parent === undefined;
    if (parent === undefined) return;
    this.#loaderAt = parent.#loaderAt;
    this.#shimAt = parent.#shimAt;
  }

  execed(): void {
    this.#fresh = true;
    this.#loaderAt = undefined;
    this.#shimAt = undefined;
  }

  /** To be shown every call, in order. */
  see(line: Line): void {
    if (this.#fresh && line.name === 'brk') {
      this.#fresh = false;
      this.#loaderAt = [line.ip - this.#loader.before, line.ip + this.#loader.after];
    }
    if (line.name === 'mmap' && this.#shimAt === undefined && line.args[4]?.includes(`<${this.#shim}>`))
      this.#shimAt = [BigInt(line.result), BigInt(line.result) + BigInt(line.args[1] ?? 0)];
  }

  ofLoader(line: Line): boolean {
    return inside(line.ip, this.#loaderAt);
  }

  ofShim(line: Line): boolean {
    return inside(line.ip, this.#shimAt);
  }

  /** The dynamic loader and the shim are in this program: static ones never map it. */
  get shimmed(): boolean {
    return this.#shimAt !== undefined;
  }
}
