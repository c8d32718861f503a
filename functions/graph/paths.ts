import { clean, type LinkKey, linkKey } from './ids.ts';

/**
 * What a path means for provenance: a file of its own, a part of a read-only tree (one object for each), or nothing.
 * `name`: the path as ids have it. `key`: what it is found under in all instances.
 */
export type PathClass =
  | {
      readonly as: 'file';
      readonly path: string;
      readonly writable: boolean;
      readonly name: string;
      readonly key: LinkKey;
    }
  | { readonly as: 'tree'; readonly root: string }
  | { readonly as: 'nothing' };

/** Read-only on Lambda, the same in every instance of a function version. Longest first where one contains another. */
const TREES = [
  '/var/task',
  '/var/lang',
  '/var/runtime',
  '/opt',
  '/usr',
  '/lib64',
  '/lib32',
  '/lib',
  '/bin',
  '/sbin',
  '/etc',
  '/sys',
  '/proc',
  '/run',
  '/var/run',
  '/dev',
].map((root) => ({ as: 'tree', root }) as const);

/** Kept between the requests of an instance: the container-reuse channel. /mnt: EFS and other mounts. */
const WRITABLE = ['/tmp', '/dev/shm', '/var/tmp', '/mnt'] as const;

/** Reading these is worth knowing whoever does it. */
const SECRETS = /^\/etc\/(?:passwd|shadow|gshadow)-?$|^\/proc\/(?:self|thread-self|\d+)\/(?:task\/\d+\/)?(?:environ|mem|maps)$/;
/** No information passes between processes through these. */
const SINKS = /^\/dev\/(?:null|zero|full|random|urandom|tty|ptmx|pts(?:\/.*)?|std(?:in|out|err)|fd(?:\/.*)?)$/;

/** What a path means read and written. */
interface Known {
  readonly read: PathClass;
  readonly written: PathClass;
}
/** Functions touch the same files at every start. Emptied when full: paths are up to 8 KB, and whose they are is not known. */
const known = new Map<string, Known>();
const MOST_KNOWN = 2000;
const LONGEST_KNOWN = 256;

/** @param writing a write into a read-only tree should be impossible, so it is kept as a file that stands out */
export function classify(path: string, writing: boolean): PathClass {
  let seen = known.get(path);
  if (seen === undefined) {
    seen = { read: look(path, false), written: look(path, true) };
    if (known.size >= MOST_KNOWN) known.clear();
    if (path.length <= LONGEST_KNOWN) known.set(path, seen);
  }
  return writing ? seen.written : seen.read;
}

function look(path: string, writing: boolean): PathClass {
  const normal = normalise(path);
  if (normal === undefined || SINKS.test(normal) || within(normal, '/tmp/.alastor')) return { as: 'nothing' };
  if (WRITABLE.some((root) => within(normal, root))) return file(normal, true);
  if (writing || SECRETS.test(normal)) return file(normal, false);
  return TREES.find(({ root }) => within(normal, root)) ?? file(normal, false);
}

function file(path: string, writable: boolean): PathClass {
  return { as: 'file', path, writable, name: clean(path), key: linkKey('path', path) };
}

function within(path: string, root: string): boolean {
  return path === root || path.startsWith(`${root}/`);
}

/** `//` and `/./` removed, `..` resolved; undefined for what is no path (`pipe:[1]`, an empty name) and for directories `/`. */
function normalise(path: string): string | undefined {
  if (!path.startsWith('/')) return /^(?:[a-z_]+:|\s*$)/.test(path) ? undefined : path;
  const parts: string[] = [];
  for (const piece of path.split('/')) {
    if (piece === '' || piece === '.') continue;
    if (piece === '..') parts.pop();
    else parts.push(piece);
  }
  return parts.length === 0 ? undefined : `/${parts.join('/')}`;
}
