import { chmodSync, cpSync, existsSync, globSync, lstatSync, mkdirSync, statSync } from 'node:fs';
import { basename, dirname, join, posix, relative, sep } from 'node:path';
import { overlay } from '../lambda/layers.ts';

export interface Copy {
  /** Directory that sources are looked up in; nothing outside of it is copied. */
  readonly from: string;
  readonly sources: readonly string[];
  /** Absolute path within the image; with `/` at its end a directory. */
  readonly to: string;
  /** Root of the image. */
  readonly root: string;
  /** Octal. */
  readonly mode?: string | undefined;
}

/**
 * COPY: of a directory its content, of a file the file.
 * @throws Error naming the source that is not there
 */
export function copy({ from, sources, to, root, mode }: Copy): void {
  const found = sources.flatMap((source) => lookUp(from, source));
  const target = join(root, to);
  const isDirectory =
    to.endsWith('/') || found.length > 1 || statSync(target, { throwIfNoEntry: false })?.isDirectory() === true;
  for (const path of found) {
    if (statSync(path).isDirectory()) {
      mkdirSync(target, { recursive: true });
      overlay(path, target);
      continue;
    }
    const file = isDirectory ? join(target, basename(path)) : target;
    mkdirSync(dirname(file), { recursive: true });
    cpSync(path, file);
    if (mode !== undefined) chmodSync(file, Number.parseInt(mode, 8));
  }
}

function lookUp(from: string, source: string): string[] {
  // As in Docker, the root of a context is its own parent.
  const inside = posix.normalize(`/${source}`).slice(1);
  const found = /[*?[]/.test(inside)
    ? globSync(inside, { cwd: from }).map((name) => join(from, name))
    : [join(from, inside)].filter((path) => existsSync(path));
  if (found.length === 0) throw new Error(`there is no ${source}`);
  for (const path of found) {
    if (relative(from, path).split(sep)[0] === '..' || lstatSync(path).isSymbolicLink())
      throw new Error(`${source} is a link, which cannot be followed here`);
  }
  return found.sort();
}
