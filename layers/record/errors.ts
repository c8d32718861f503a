/**
 * What was wrong with a segment.
 * - `truncated`: the compressed stream or its last line ends too early
 * - `oversized`: one of {@link BOUNDS} is exceeded
 * - `too-deep`: nesting beyond the bound
 * - `encoding`: not zstd, or not UTF-8
 * - `malformed`: not JSON, or a field is missing, unknown or of the wrong shape
 * - `version`: of a later version of the format than this reads
 * - `unknown-kind`: a record kind this version does not know
 * - `seq`: numbers are not dense or do not fit the header
 * - `header`: the first line is not a segment header, or contradicts the segment's key
 */
export type SegmentErrorCode =
  | 'truncated'
  | 'oversized'
  | 'too-deep'
  | 'encoding'
  | 'malformed'
  | 'version'
  | 'unknown-kind'
  | 'seq'
  | 'header';

/** A segment that must not be believed. Names the segment and, where there is one, the line (from 1; line 1 is the header). */
export class SegmentError extends Error {
  override readonly name = 'SegmentError';
  readonly code: SegmentErrorCode;
  readonly segment: string;
  readonly line: number | undefined;

  constructor(code: SegmentErrorCode, segment: string, line: number | undefined, what: string, cause?: unknown) {
    super(
      `segment ${segment}${line === undefined ? '' : `, line ${line}`}: ${what} (${code})`,
      cause === undefined ? undefined : { cause },
    );
    this.code = code;
    this.segment = segment;
    this.line = line;
  }
}
