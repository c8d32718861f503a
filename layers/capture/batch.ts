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

/** So many records stay as strings, into which a close can be joined; kept longer they would only weigh on the collector. */
const WINDOW = 48;
const BODY_BYTES = 64 * 1024;
/** Bytes of UTF-8 per UTF-16 unit, at most. */
const UTF8_MOST = 3;

/** The batch that is being filled. */
export class OpenBatch {
  #lines: string[] = [];
  /** Lines before those, as bytes. */
  #body = Buffer.alloc(0);
  #filled = 0;
  #written = 0;
  readonly #opened = new Map<ProcessId, Map<number, Opened>>();
  /** UTF-16 units: near enough to the bytes that are stored. */
  bytes = 0;
  /** When its first record came, ms. */
  since = 0;

  get records(): number {
    return this.#written + this.#lines.length;
  }

  add(line: string): void {
    if (this.records === 0) this.since = Date.now();
    if (this.#lines.length >= 2 * WINDOW) this.#write(WINDOW);
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
    files.set(fd, { line: this.records - 1, path, place, t });
  }

  /** Tells a close in the record of its open. False when it needs one of its own: the open has left, or happened elsewhere. */
  join({ proc, fd, path, t, read, written }: Closing, place: unknown): boolean {
    const files = proc === undefined ? undefined : this.#opened.get(proc);
    const opened = files?.get(fd);
    if (files === undefined || opened === undefined) return false;
    files.delete(fd);
    const at = opened.line - this.#written;
    const line = this.#lines[at];
    if (line === undefined || opened.path !== path || opened.place !== place) return false;
    const openFor = t - opened.t;
    if (!count(openFor) || !count(read) || !count(written)) return false;
    const more = `,"openFor":${openFor},"read":${read},"written":${written}}`;
    this.#lines[at] = line.slice(0, -1) + more;
    this.bytes += more.length - 1;
    return true;
  }

  /** Everything in it. A large one has memory of its own, which can be given back. */
  take(): Buffer {
    let body: Buffer;
    if (this.#written === 0) {
      this.#lines.push('');
      body = Buffer.from(this.#lines.join('\n'));
    } else {
      this.#write(this.#lines.length);
      body = Buffer.from(this.#body.buffer.transfer(this.#filled));
    }
    this.#lines = [];
    this.#body = Buffer.alloc(0);
    this.#filled = this.#written = this.bytes = 0;
    this.#opened.clear();
    return body;
  }

  #write(lines: number): void {
    const text = `${this.#lines.splice(0, lines).join('\n')}\n`;
    const most = this.#filled + text.length * UTF8_MOST;
    if (most > this.#body.length) {
      this.#body = Buffer.from(this.#body.buffer.transfer(Math.max(most, 2 * this.#body.length, BODY_BYTES)));
    }
    this.#filled += this.#body.write(text, this.#filled);
    this.#written += lines;
  }
}
