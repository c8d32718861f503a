/**
 * Bundles that were made before. To make one takes half a second, an app with Alastor has five and more, and between two synths
 * most have not changed. Kept in build/functions, as the layer is kept in build/.
 */
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

const STORE = join(import.meta.dirname, '..', 'build', 'functions');
/** Bundles of earlier sources are removed when they are this old: by then nobody copies them any more. */
const OLD_MS = 3_600_000;

/**
 * Copies the bundle of `entry` to `out` if one is kept and none of the files that it was made from has changed since.
 * @param how with what else it was made: options, version of the bundler
 * @returns whether it did
 */
export function takeBundle(entry: string, how: string, out: string): boolean {
  const name = nameOf(entry, how);
  try {
    const inputs = JSON.parse(readFileSync(join(STORE, `${name}.json`), 'utf8')) as readonly string[];
    const kept = join(STORE, `${name}-${stateOf(inputs)}`);
    if (!existsSync(kept)) return false;
    cpSync(kept, out, { recursive: true });
    return true;
  } catch {
    // None is kept, or a file that it was made from is gone, or somebody removes it at this moment: it is made.
    rmSync(out, { recursive: true, force: true });
    mkdirSync(out, { recursive: true });
    return false;
  }
}

/**
 * Keeps the bundle of `entry` that was made into `out`.
 * @param inputs files that it was made from, absolute
 * @param began when that was begun, ms since 1970
 */
export function keepBundle(entry: string, how: string, out: string, inputs: readonly string[], began: number): void {
  const name = nameOf(entry, how);
  const making = join(STORE, `${name}.${process.pid}.new`);
  try {
    // Of a file that was written meanwhile nobody knows which state went in. Time stamps of files may lag by some ms.
    if (inputs.some((file) => statSync(file).ctimeMs >= began - 50)) return;
    const kept = `${name}-${stateOf(inputs)}`;
    cpSync(out, making, { recursive: true });
    if (!existsSync(join(STORE, kept))) renameSync(making, join(STORE, kept));
    writeFileSync(`${making}.json`, JSON.stringify(inputs));
    renameSync(`${making}.json`, join(STORE, `${name}.json`));
    for (const other of readdirSync(STORE)) {
      const path = join(STORE, other);
      if (other.startsWith(`${name}-`) && other !== kept && statSync(path).mtimeMs < Date.now() - OLD_MS)
        rmSync(path, { recursive: true, force: true });
    }
  } catch {
    // Installed where nobody may write, or another process was faster: then it is made again the next time.
  } finally {
    rmSync(making, { recursive: true, force: true });
  }
}

const nameOf = (entry: string, how: string) => `${basename(dirname(entry))}.${hashOf(`${entry}\n${how}`)}`;

/** Changes when a file is written, replaced or moved, also by what sets its times back: ctime cannot be set. */
function stateOf(inputs: readonly string[]): string {
  const lines = inputs.map((file) => {
    const { size, mtimeMs, ctimeMs, ino } = statSync(file);
    return `${file} ${size} ${mtimeMs} ${ctimeMs} ${ino}`;
  });
  return hashOf(lines.join('\n'));
}

const hashOf = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 16);
