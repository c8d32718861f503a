import type { EdgeKind } from './edges.ts';
import { nameOf, unquote } from './strace-lines.ts';

/** A change of the file system, or of the working folder. */
export interface FileChange {
  readonly kind: EdgeKind | 'chdir';
  readonly path: string;
  readonly to?: string;
}
interface Call {
  readonly args: readonly string[];
  /** A name below the folder of a descriptor; below the working folder. */
  readonly at: (dir: string, path: string) => string;
  readonly here: (path: string) => string;
}
type Reduce = (call: Call) => readonly FileChange[];

const named =
  (kind: FileChange['kind']): Reduce =>
  ({ args: [a = ''], here }) => [{ kind, path: here(a) }];
const below =
  (kind: FileChange['kind']): Reduce =>
  ({ args: [a = '', b = ''], at }) => [{ kind, path: unquote(b) === '' ? nameOf(a) : at(a, b) }];
const open =
  (kind: FileChange['kind']): Reduce =>
  ({ args: [a = ''] }) => [{ kind, path: nameOf(a) }];
const two =
  (kind: FileChange['kind']): Reduce =>
  ({ args: [a = '', b = ''], here }) => [{ kind, path: here(a), to: here(b) }];
const twoBelow =
  (kind: FileChange['kind']): Reduce =>
  ({ args: [a = '', b = '', c = '', d = ''], at }) => [{ kind, path: unquote(b) === '' ? nameOf(a) : at(a, b), to: at(c, d) }];

/** System calls that change names, modes and sizes, as edges. */
export const FILE_CALLS: Readonly<Record<string, Reduce>> = {
  chdir: named('chdir'),
  fchdir: open('chdir'),
  rename: two('rename'),
  renameat: twoBelow('rename'),
  renameat2: twoBelow('rename'),
  link: two('link'),
  linkat: twoBelow('link'),
  symlink: ({ args: [, b = ''], here }) => [{ kind: 'symlink', path: here(b) }],
  symlinkat: ({ args: [, b = '', c = ''], at }) => [{ kind: 'symlink', path: at(b, c) }],
  unlink: named('unlink'),
  unlinkat: ({ args: [a = '', b = '', c = ''], at }) => [
    { kind: c.includes('AT_REMOVEDIR') ? 'rmdir' : 'unlink', path: at(a, b) },
  ],
  rmdir: named('rmdir'),
  mkdir: named('mkdir'),
  mkdirat: below('mkdir'),
  chmod: named('chmod'),
  fchmod: open('chmod'),
  fchmodat: below('chmod'),
  fchmodat2: below('chmod'),
  chown: named('chown'),
  lchown: named('chown'),
  fchown: open('chown'),
  fchownat: below('chown'),
  truncate: named('truncate'),
  ftruncate: open('truncate'),
};
