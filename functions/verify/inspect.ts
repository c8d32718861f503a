import { decodeSegment } from '../../layers/record/codec.ts';
import { SegmentError } from '../../layers/record/errors.ts';
import { parseSegmentKey, segmentDigest, segmentKey } from '../../layers/record/key.ts';
import type { AuditRecord, Segment, SegmentHeader } from '../../layers/record/types.ts';

/** What a segment says, as far as verification needs it; the records themselves are let go. */
export interface Inspected {
  /** SHA-256 (hex) of the bytes as stored. */
  readonly digest: string;
  /** What is wrong with it by itself. */
  readonly problem?: string;
  /** Key that its header names, when that is not the one it lies under. */
  readonly belongs?: string;
  /** Absent when it cannot be read. */
  readonly header?: SegmentHeader;
  readonly begun: readonly string[];
  readonly ended: readonly string[];
  /** All requests that have a record in it. */
  readonly requests: readonly string[];
  /** µs since 1970: claimed by the newest record. */
  readonly newest?: number;
  readonly shutdown: boolean;
  /** Keys that the recorder found taken by somebody else. */
  readonly taken: readonly string[];
}

const TAKEN = / was taken$/;

/** Reads one stored segment. What is not a segment is told in `problem`; nothing is thrown for bytes, whatever they are. */
export function inspect(key: string, bytes: Uint8Array): Inspected {
  const digest = segmentDigest(bytes);
  try {
    return { digest, ...told(decodeSegment(bytes, key)) };
  } catch (error) {
    if (!(error instanceof SegmentError)) throw error;
    const problem = error.message;
    if (error.code === 'header') {
      const whole = withoutKey(bytes);
      const belongs = whole === undefined ? undefined : keyOf(whole.header);
      if (whole !== undefined && belongs !== undefined) return { digest, problem, belongs, ...told(whole) };
    }
    return { digest, problem, begun: [], ended: [], requests: [], shutdown: false, taken: [] };
  }
}

function withoutKey(bytes: Uint8Array): Segment | undefined {
  try {
    return decodeSegment(bytes);
  } catch {
    return undefined;
  }
}

function keyOf({ fn, instanceId, first, last }: SegmentHeader): string | undefined {
  try {
    return segmentKey({ fn, instanceId, first, last });
  } catch {
    return undefined;
  }
}

function told({ header, records }: Segment): Omit<Inspected, 'digest'> {
  const of = (kind: AuditRecord['kind']) =>
    records.flatMap((record) => (record.kind === kind && record.req ? [record.req] : []));
  const taken = records.flatMap((record) =>
    record.kind === 'gap' && record.why === 'ship-failed' && record.detail !== undefined && TAKEN.test(record.detail)
      ? [record.detail.replace(TAKEN, '')]
      : [],
  );
  return {
    header,
    begun: of('request-begin'),
    ended: of('request-end'),
    requests: [...new Set(records.flatMap(({ req }) => (req === null ? [] : [req])))],
    newest: records.reduce((newest, { t }) => Math.max(newest, t), 0),
    shutdown: records.some(({ kind }) => kind === 'shutdown'),
    taken: taken.filter((key) => parseSegmentKey(key) !== undefined),
  };
}
