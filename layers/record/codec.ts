import { isAscii } from 'node:buffer';
import { constants, zstdCompressSync } from 'node:zlib';
import { BOUNDS } from './bounds.ts';
import { SegmentError } from './errors.ts';
import { readFrame } from './frame.ts';
import { isSegmentKey, parseSegmentKey } from './key.ts';
import { headerProblem, recordProblem } from './kinds.ts';
import { deeperThan } from './shape.ts';
import type { AuditRecord, Segment, SegmentHeader } from './types.ts';
import { FORMAT_VERSION } from './version.ts';

/** What the writer decides; range and count follow from the records. */
export type SegmentHeaderFields = Pick<SegmentHeader, 'fn' | 'version' | 'instanceId' | 'prev' | 'caps'>;

/** Below so many bytes, what a request usually leaves, some hundredths less cost some µs; above it five times the CPU. */
const SMALL = 64 * 1024;
const SMALL_LEVEL = 5;

/**
 * A segment as stored: zstd of NDJSON, header line first. Records must be dense by `seq` and not empty.
 * @throws SegmentError when the records would not be accepted by {@link decodeSegment}
 */
export function encodeSegment(fields: SegmentHeaderFields, records: readonly AuditRecord[]): Buffer {
  const first = records[0]?.seq ?? 0;
  records.forEach((record, i) => {
    const problem = recordProblem(record);
    if (problem !== undefined) throw new SegmentError('malformed', '(being written)', i + 2, problem.what);
    if (record.seq !== first + i) {
      throw new SegmentError('seq', '(being written)', i + 2, `record ${record.seq} stands where ${first + i} belongs`);
    }
  });
  const lines = records.map((record) => `${encodeRecord(record)}\n`).join('');
  return encodeLines(fields, first, records.length, [Buffer.from(lines)]);
}

/** Gives memory back at once: the collector hardly notices large buffers, and lets them pile up. */
function release({ buffer, byteLength }: Buffer): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0);
}

/** One record as a line, without line feed. */
export function encodeRecord(record: AuditRecord): string {
  return JSON.stringify(record);
}

/**
 * The same from `count` lines made earlier by {@link encodeRecord}, each with its line feed, numbered from `first`: the recorder
 * serialises each record once, when it is observed, and must not pay for it again. The lines are used up: their memory is given back.
 * @throws SegmentError `oversized` when a bound is exceeded or there is no record
 */
export function encodeLines(fields: SegmentHeaderFields, first: number, count: number, lines: readonly Buffer[]): Buffer {
  const header: SegmentHeader = { v: FORMAT_VERSION, ...fields, first, last: first + count - 1, count };
  if (count === 0) throw new SegmentError('malformed', '(being written)', undefined, 'no records');
  const problem = headerProblem(header);
  if (problem !== undefined) throw new SegmentError('header', '(being written)', 1, problem);
  const body = Buffer.concat([Buffer.from(`${JSON.stringify(header)}\n`), ...lines]);
  const size = body.length;
  const level = size < SMALL ? SMALL_LEVEL : constants.ZSTD_CLEVEL_DEFAULT;
  const params = { [constants.ZSTD_c_checksumFlag]: 1, [constants.ZSTD_c_compressionLevel]: level };
  // The size is told so that a small segment takes no tables for a large one.
  const bytes = zstdCompressSync(body, { params, pledgedSrcSize: size });
  for (const used of [body, ...lines]) release(used);
  if (size > BOUNDS.decompressed || bytes.length > BOUNDS.compressed || count > BOUNDS.records) {
    throw new SegmentError('oversized', '(being written)', undefined, `${count} records, ${size} bytes`);
  }
  return bytes;
}

/**
 * Reads a stored segment. The bytes are hostile input: nothing is believed before it is checked.
 * @param expectedKey the object key it was found under; the header must agree with it
 * @throws SegmentError naming segment and line
 */
export function decodeSegment(bytes: Uint8Array, expectedKey?: string): Segment {
  const name = expectedKey ?? '(unnamed)';
  const body = readFrame(bytes, name);
  const whole = textOf(body, name);
  // UTF-8 has more bytes than UTF-16 has units wherever it is not ASCII. In that, JSON can hide what is no printable character
  // only behind a backslash, but for DEL.
  const plain = whole.length === body.length && !whole.includes('\\') && !whole.includes('\u007f');
  const lines = splitLines(whole, name);
  const header = readHeader(lines[0] ?? '', plain, name, expectedKey);
  if (lines.length - 1 !== header.count) {
    const code = lines.length - 1 < header.count ? 'truncated' : 'seq';
    throw new SegmentError(code, name, lines.length, `${lines.length - 1} records, the header says ${header.count}`);
  }
  const records: AuditRecord[] = [];
  for (let i = 1; i < lines.length; i++) {
    const record = parseLine(lines[i] ?? '', name, i + 1);
    const problem = recordProblem(record, plain);
    if (problem !== undefined) {
      if (deeperThan(record, BOUNDS.depth)) throw new SegmentError('too-deep', name, i + 1, 'nested too deeply');
      throw new SegmentError(problem.unknown ? 'unknown-kind' : 'malformed', name, i + 1, problem.what);
    }
    const { seq } = record as AuditRecord;
    if (seq !== header.first + i - 1) {
      throw new SegmentError('seq', name, i + 1, `record ${seq} stands where ${header.first + i - 1} belongs`);
    }
    records.push(record as AuditRecord);
  }
  return { header, records };
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function textOf(body: Buffer, name: string): string {
  try {
    return isAscii(body) ? body.toString('latin1') : UTF8.decode(body);
  } catch (error) {
    throw new SegmentError('encoding', name, undefined, 'not UTF-8', error);
  }
}

function splitLines(whole: string, name: string): readonly string[] {
  if (!whole.endsWith('\n')) throw new SegmentError('truncated', name, undefined, 'last line has no end');
  const lines: string[] = [];
  for (let start = 0; start < whole.length; ) {
    const end = whole.indexOf('\n', start);
    const line = whole.slice(start, end);
    // Bytes are never fewer than UTF-16 units, and at most three times as many: count them only where it matters.
    if (line.length > BOUNDS.line || (line.length * 3 > BOUNDS.line && Buffer.byteLength(line) > BOUNDS.line)) {
      throw new SegmentError('oversized', name, lines.length + 1, `line longer than ${BOUNDS.line} bytes`);
    }
    if (lines.length > BOUNDS.records) {
      throw new SegmentError('oversized', name, lines.length + 1, `more than ${BOUNDS.records} records`);
    }
    lines.push(line);
    start = end + 1;
  }
  return lines;
}

function readHeader(line: string, plain: boolean, name: string, expectedKey: string | undefined): SegmentHeader {
  const header = parseLine(line, name, 1);
  const version = (header as { readonly v?: unknown } | null)?.v;
  if (Number.isSafeInteger(version) && Number(version) > FORMAT_VERSION) {
    const what = `format version ${version}, and this reads up to ${FORMAT_VERSION}: upgrade the stitcher, then restitch`;
    throw new SegmentError('version', name, 1, what);
  }
  const problem = headerProblem(header, plain);
  if (problem !== undefined) {
    if (deeperThan(header, BOUNDS.depth)) throw new SegmentError('too-deep', name, 1, 'nested too deeply');
    throw new SegmentError('header', name, 1, problem);
  }
  const read = header as SegmentHeader;
  // Otherwise one function could write evidence in another one's name: permissions go by key.
  if (expectedKey === undefined || isSegmentKey(expectedKey, read)) return read;
  const key = parseSegmentKey(expectedKey);
  if (key === undefined) throw new SegmentError('header', name, undefined, 'not the key of a segment');
  for (const field of ['fn', 'instanceId', 'first', 'last'] as const) {
    if (key[field] !== read[field]) {
      throw new SegmentError(
        'header',
        name,
        1,
        `${field} is ${JSON.stringify(read[field])}, the key says ${JSON.stringify(key[field])}`,
      );
    }
  }
  return read;
}

function parseLine(line: string, name: string, number: number): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    throw new SegmentError('malformed', name, number, 'not JSON', error);
  }
}
