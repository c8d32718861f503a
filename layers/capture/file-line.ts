import { BOUNDS } from '../record/bounds.ts';
import type { Observation } from '../record/types.ts';

/** A record's place, with the text that stands for it in a line; none when it cannot be written as it is. */
export interface Place<R, P> {
  readonly req: R;
  readonly phase: P;
  readonly text: string | undefined;
}

type OfFiles = Extract<Observation, { kind: 'file-open' | 'file-close' | 'file-change' }>;

export function isOfFiles(o: Observation): o is OfFiles {
  return o.kind === 'file-open' || o.kind === 'file-close' || o.kind === 'file-change';
}

/** Paths remembered, and the longest of them in UTF-16 units: together at most some MB. */
const REMEMBERED = 1024;
const REMEMBERED_LENGTH = 512;
const PROCESS = /^\d{1,10}@\d{1,20}$/;

/**
 * Makes lines of records about files, which a busy function makes by the ten thousand, without the passes that other records
 * go through: they have few fields, and a path occurs several times. What is not plain is left to those passes.
 */
export class FileLines {
  readonly #clean: (path: string) => string;
  readonly #texts = new Map<string, string>();
  #proc: string | undefined;

  /** @param clean takes secrets out of a path */
  constructor(clean: (path: string) => string) {
    this.#clean = clean;
  }

  /** The same text as the other way makes; undefined when that has to be gone. */
  line(seq: number, place: string, o: OfFiles): string | undefined {
    const { t, proc } = o;
    if (!count(t) || proc === undefined || !this.#isProcess(proc)) return undefined;
    const path = this.#text(o.path);
    if (path === undefined) return undefined;
    const head = `{"seq":${seq},${place},"t":${t},"proc":"${proc}","kind":"${o.kind}"`;
    if (o.kind === 'file-open') {
      const { fd, mode, created, truncated } = o;
      if (!descriptor(fd) || o.openFor !== undefined) return undefined;
      return `${head},"path":${path},"mode":"${mode}","created":${created},"truncated":${truncated},"fd":${fd}}`;
    }
    if (o.kind === 'file-close') {
      const { fd, read, written } = o;
      if (!descriptor(fd) || !count(read) || !count(written)) return undefined;
      return `${head},"path":${path},"fd":${fd},"read":${read},"written":${written}}`;
    }
    const to = o.to === undefined ? '' : this.#text(o.to);
    if (to === undefined || (o.mode !== undefined && !count(o.mode))) return undefined;
    const mode = o.mode === undefined ? '' : `,"mode":${o.mode}`;
    return `${head},"op":"${o.op}","path":${path}${to === '' ? '' : `,"to":${to}`}${mode}}`;
  }

  #isProcess(proc: string): boolean {
    if (proc === this.#proc) return true;
    if (!PROCESS.test(proc)) return false;
    this.#proc = proc;
    return true;
  }

  /** In quotes, as JSON. */
  #text(path: string): string | undefined {
    const known = this.#texts.get(path);
    if (known !== undefined) return known;
    const clean = this.#clean(path);
    if (clean.length > BOUNDS.text || !clean.isWellFormed()) return undefined;
    const text = JSON.stringify(clean);
    if (path.length <= REMEMBERED_LENGTH && text.length <= REMEMBERED_LENGTH) {
      if (this.#texts.size >= REMEMBERED) this.#texts.clear();
      this.#texts.set(path, text);
    }
    return text;
  }
}

/** Whether a record can hold it as a number of things, or as a time. */
export function count(n: number): boolean {
  return Number.isSafeInteger(n) && n >= 0 && !Object.is(n, -0);
}

function descriptor(fd: number): boolean {
  return Number.isInteger(fd) && fd >= -1 && fd <= 0x7fff_ffff && !Object.is(fd, -0);
}
