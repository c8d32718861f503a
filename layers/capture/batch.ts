import type { FileCloseObservation, FileOpenObservation, InstanceId, Observation, ProcessId } from '../record/types.ts';
import { count } from './file-line.ts';

/** Consecutive records of one instance, serialised (a line each, with its line feed), on their way into a segment. */
export interface Batch {
  readonly instanceId: InstanceId;
  readonly first: number;
  readonly records: number;
  readonly body: Buffer;
}

type Opening = Observation & FileOpenObservation;
type Closing = Observation & FileCloseObservation;

/** An open whose record is still here, so that the close can be told in it. */
interface Opened {
  readonly line: number;
  readonly path: string;
  readonly place: unknown;
  readonly t: number;
}

/** The batch that is being filled. */
export class OpenBatch {
  #lines: string[] = [];
  readonly #opened = new Map<ProcessId, Map<number, Opened>>();
  /** UTF-16 units: what memory holds, and near enough to the bytes that are stored. */
  bytes = 0;
  /** When its first record came, ms. */
  since = 0;

  get records(): number {
    return this.#lines.length;
  }

  add(line: string): void {
    if (this.#lines.length === 0) this.since = Date.now();
    this.#lines.push(line);
    this.bytes += line.length + 1;
  }

  /** The line added last is that of an open. `place`: request and phase; the same place is the same value. */
  opened({ proc, fd, path, t }: Opening, place: unknown): void {
    if (proc === undefined) return;
    let files = this.#opened.get(proc);
    if (files === undefined) {
      files = new Map();
      this.#opened.set(proc, files);
    }
    files.set(fd, { line: this.#lines.length - 1, path, place, t });
  }

  /** Tells a close in the record of its open. False when it needs one of its own: the open has left, or happened elsewhere. */
  join({ proc, fd, path, t, read, written }: Closing, place: unknown): boolean {
    const files = proc === undefined ? undefined : this.#opened.get(proc);
    const opened = files?.get(fd);
    if (files === undefined || opened === undefined) return false;
    files.delete(fd);
    const line = this.#lines[opened.line];
    if (line === undefined || opened.path !== path || opened.place !== place) return false;
    const openFor = t - opened.t;
    if (!count(openFor) || !count(read) || !count(written)) return false;
    const more = `,"openFor":${openFor},"read":${read},"written":${written}}`;
    this.#lines[opened.line] = line.slice(0, -1) + more;
    this.bytes += more.length - 1;
    return true;
  }

  /** Everything in it, as bytes: strings would stay where the collector has to look at them. */
  take(): Buffer {
    const body = Buffer.from(`${this.#lines.join('\n')}\n`);
    this.#lines = [];
    this.#opened.clear();
    this.bytes = 0;
    return body;
  }
}
