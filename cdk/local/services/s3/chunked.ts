import { Transform, type TransformCallback } from 'node:stream';
import { invalid } from './errors.ts';

type State = 'size' | 'data' | 'data-end' | 'trailer' | 'done';
/** A size line holds a hexadecimal length and at most a signature. */
const MAX_LINE = 16 * 1024;

/**
 * Decodes `Content-Encoding: aws-chunked` (signed or not): `<hex>[;chunk-signature=…]\r\n<data>\r\n … 0\r\n<trailers>\r\n\r\n`.
 * Trailers are in `trailers` when the stream has ended. Signatures are not checked: there are no secrets here.
 */
export class ChunkedDecoder extends Transform {
  readonly trailers = new Map<string, string>();
  #state: State = 'size';
  #rest: Buffer = Buffer.alloc(0);
  #left = 0;

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    try {
      while (this.#step());
      done();
    } catch (cause) {
      done(cause as Error);
    }
  }

  override _flush(done: TransformCallback): void {
    // A final chunk without its empty line is what some clients send; a chunk cut short is not.
    const complete = this.#state === 'done' || (this.#state === 'trailer' && this.#rest.length === 0);
    done(complete ? null : invalid('The request body ended before its last chunk.', 'IncompleteBody'));
  }

  /** One step of the state machine; false when more input is needed. */
  #step(): boolean {
    if (this.#state === 'done') return false;
    if (this.#state === 'data') {
      if (this.#rest.length === 0) return false;
      const part = this.#rest.subarray(0, this.#left);
      this.#rest = this.#rest.subarray(part.length);
      this.#left -= part.length;
      this.push(part);
      if (this.#left === 0) this.#state = 'data-end';
      return true;
    }
    const line = this.#line();
    if (line === null) return false;
    if (this.#state === 'data-end') this.#state = 'size';
    else if (this.#state === 'size') this.#size(line);
    else this.#trailer(line);
    return true;
  }

  #size(line: string): void {
    const digits = line.split(';')[0]?.trim() ?? '';
    if (!/^[0-9a-fA-F]{1,12}$/.test(digits)) throw invalid(`Chunk size ${JSON.stringify(digits)} is not hexadecimal.`);
    this.#left = Number.parseInt(digits, 16);
    this.#state = this.#left === 0 ? 'trailer' : 'data';
  }

  #trailer(line: string): void {
    if (line === '') {
      this.#state = 'done';
      return;
    }
    const colon = line.indexOf(':');
    if (colon > 0) this.trailers.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
  }

  #line(): string | null {
    const end = this.#rest.indexOf('\r\n');
    if (end < 0) {
      if (this.#rest.length > MAX_LINE) throw invalid('A chunk header is too long.');
      return null;
    }
    const line = this.#rest.subarray(0, end).toString('latin1');
    this.#rest = this.#rest.subarray(end + 2);
    return line;
  }
}
