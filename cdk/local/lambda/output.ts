/**
 * The log of an instance: a FIFO that its processes have as stdout and stderr, read line by line.
 *
 * A FIFO, since programs reopen /dev/stdout, which fails on the sockets that Node would pass to a child.
 */
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { Socket } from 'node:net';
import { StringDecoder } from 'node:string_decoder';

/** A line is cut when it gets longer than this, as Lambda does at 256 KB. */
const MAX_LINE = 262_144;

export class LineReader {
  readonly #fd: number;
  readonly #socket: Socket;
  readonly #decoder = new StringDecoder('utf8');
  readonly #chunk = Buffer.allocUnsafe(65_536);
  readonly #onLine: (line: string) => void;
  #rest = '';
  #closed = false;

  /** `fifo` must exist. */
  constructor(fifo: string, onLine: (line: string) => void) {
    this.#fd = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
    this.#onLine = onLine;
    this.#socket = new Socket({ fd: this.#fd, readable: true, writable: false });
    this.#socket.on('data', (data) => this.#take(data));
    this.#socket.on('error', () => this.close());
    this.#socket.on('close', () => this.#finish());
  }

  /** Takes in now what was written so far, so that it comes before what the caller logs next. */
  drain(): void {
    if (this.#closed) return;
    for (;;) {
      let size: number;
      try {
        size = readSync(this.#fd, this.#chunk);
      } catch {
        return; // EAGAIN: nothing there
      }
      if (size === 0) return;
      this.#take(this.#chunk.subarray(0, size));
    }
  }

  close(): void {
    if (this.#closed) return;
    this.drain();
    this.#finish();
    this.#socket.destroy();
  }

  #take(data: Buffer): void {
    this.#rest += this.#decoder.write(data);
    for (let end = this.#rest.indexOf('\n'); end >= 0; end = this.#rest.indexOf('\n')) {
      this.#onLine(this.#rest.slice(0, end));
      this.#rest = this.#rest.slice(end + 1);
    }
    if (this.#rest.length > MAX_LINE) {
      this.#onLine(this.#rest);
      this.#rest = '';
    }
  }

  #finish(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#rest !== '') this.#onLine(this.#rest);
    this.#rest = '';
  }
}

/** Opens the writing end for a child. A reader must be there already. */
export function withWriter<T>(fifos: readonly string[], use: (fds: readonly number[]) => T): T {
  const fds = fifos.map((fifo) => openSync(fifo, constants.O_WRONLY));
  try {
    return use(fds);
  } finally {
    for (const fd of fds) closeSync(fd);
  }
}
