import type { Headers } from '../network/exchanges.ts';
import { addField, FIELDS_MOST, noFields } from './fields.ts';
import { Malformed } from './incremental.ts';

/** How the end of a body is found (RFC 9112 6.3): its length in bytes, by its chunks, or by the end of the connection. */
export type Framing = number | 'chunked' | 'until-close';

export interface MessageHead {
  /** First line. */
  readonly line: string;
  readonly headers: Headers;
}

const REQUEST_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}) ([\x21-\x7e\x80-\xff]+) HTTP\/1\.([01])$/;
const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: .*)?$/;

/** Index behind the empty line that ends a head, or -1. A lone LF ends a line too, as most clients have it (RFC 9112 2.2). */
export function headEnd(bytes: Buffer, from: number): number {
  for (let lf = bytes.indexOf(10, from); lf !== -1; lf = bytes.indexOf(10, lf + 1)) {
    if (bytes[lf + 1] === 10) return lf + 2;
    if (bytes[lf + 1] === 13 && bytes[lf + 2] === 10) return lf + 3;
  }
  return -1;
}

/** @throws Malformed */
export function parseHead(bytes: Buffer): MessageHead {
  const [line = '', ...fields] = linesOf(bytes);
  return { line, headers: parseFields(fields) };
}

/** Header fields, or trailers. Repeated ones are joined as lists, RFC 9110 5.3. @throws Malformed */
export function parseTrailers(bytes: Buffer): Headers {
  return parseFields(linesOf(bytes));
}

function linesOf(bytes: Buffer): string[] {
  const lines = bytes.toString('latin1').split(/\r?\n/);
  // The empty line at the end, and what is behind its LF.
  while (lines.at(-1) === '') lines.pop();
  return lines;
}

function parseFields(lines: readonly string[]): Headers {
  if (lines.length > FIELDS_MOST) throw new Malformed('too many header fields');
  const headers = noFields();
  for (const line of lines) {
    // A folded line begins with a space, which no name does; one without a colon has no name either.
    const colon = Math.max(0, line.indexOf(':'));
    addField(headers, line.slice(0, colon), trimmed(line, colon + 1));
  }
  return headers;
}

/** Without the spaces around it; in time that grows with its length, unlike an expression for it. */
function trimmed(text: string, from = 0): string {
  let start = from;
  let end = text.length;
  while (start < end && isBlank(text.charCodeAt(start))) start++;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

const isBlank = (code: number): boolean => code === 32 || code === 9;
const listOf = (value: string): string[] => value.split(',').map((one) => trimmed(one));

/** @throws Malformed */
export function requestLine({ line }: MessageHead): { method: string; target: string; old: boolean } {
  const [, method, target, minor] = REQUEST_LINE.exec(line) ?? [];
  if (method === undefined || target === undefined) throw new Malformed('no request line of HTTP/1');
  return { method, target, old: minor === '0' };
}

/** @throws Malformed */
export function statusLine({ line }: MessageHead): { status: number; old: boolean } {
  const [, minor, status] = STATUS_LINE.exec(line) ?? [];
  if (status === undefined) throw new Malformed('no status line of HTTP/1');
  return { status: Number(status), old: minor === '0' };
}

/** @throws Malformed */
export function requestFraming(headers: Headers, old: boolean): Framing {
  const framing = framingOf(headers, old);
  if (framing === 'until-close') throw new Malformed('a request whose transfer coding does not end it');
  return framing ?? 0;
}

/** @throws Malformed */
export function responseFraming(headers: Headers, old: boolean, status: number, method: string): Framing {
  // Both are checked, whether or not there is a body.
  const framing = framingOf(headers, old);
  if (method === 'HEAD' || status < 200 || status === 204 || status === 304) return 0;
  return framing ?? 'until-close';
}

/** Two answers to the question where a body ends are an attack on whoever chooses the other (RFC 9112 11.2). */
function framingOf(headers: Headers, old: boolean): Framing | undefined {
  const codings = textOf(headers['transfer-encoding']);
  const length = textOf(headers['content-length']);
  if (codings !== undefined) {
    if (length !== undefined) throw new Malformed('both Transfer-Encoding and Content-Length');
    if (old) throw new Malformed('Transfer-Encoding in HTTP/1.0');
    const names = listOf(codings.toLowerCase());
    if (names.slice(0, -1).includes('chunked')) throw new Malformed('chunked is not the last transfer coding');
    return names.at(-1) === 'chunked' ? 'chunked' : 'until-close';
  }
  if (length === undefined) return undefined;
  // The same length several times over is allowed (RFC 9110 8.6).
  const [first = '', ...more] = listOf(length);
  if (!/^\d{1,15}$/.test(first) || more.some((other) => other !== first)) throw new Malformed('a Content-Length that is none');
  return Number(first);
}

const textOf = (value: string | string[] | undefined): string | undefined => (Array.isArray(value) ? value.join(', ') : value);
