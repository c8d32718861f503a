/**
 * What stays of segments that were deleted on purpose: which they were, the digest of what was there, by whom, when and why. One
 * object names up to {@link MOST_IN_ONE} segments of a function: `forgotten/<function>/<run>-<digest>.json`. Audited functions write
 * below `segments/` only, and Object Lock keeps a tombstone like any evidence.
 */
import { createHash } from 'node:crypto';
import { FUNCTION_NAME, parseSegmentKey } from '../../layers/record/key.ts';
import { forgottenPrefix } from './schema.ts';

export interface Forgetting {
  /** Sorts by time: `20261122T115500Z-1f0c8a21`. */
  readonly run: string;
  /** µs since 1970. */
  readonly at: number;
  /** ARN of who did it. */
  readonly by: string;
  readonly why: string;
}

export interface ForgottenSegment {
  /** Its key. */
  readonly segment: string;
  /** SHA-256 (hex) of its bytes as stored. */
  readonly digest: string;
  readonly bytes: number;
  /** When S3 had stored it, ms since 1970. */
  readonly stored: number;
}

/** One segment with who forgot it. */
export type Tombstone = Forgetting & ForgottenSegment;

export const MOST_IN_ONE = 1000;
/** Bytes of one object: a thousand keys of at most 400 bytes, and then some. */
export const LARGEST = 1024 * 1024;
export const RUN = /^\d{8}T\d{6}Z-[0-9a-f]{8}$/;
const KEY = /^forgotten\/([^/]+)\/\d{8}T\d{6}Z-[0-9a-f]{8}-[0-9a-f]{16}\.json$/;
const DIGEST = /^[0-9a-f]{64}$/;
const LONGEST_TEXT = 2000;

/** The objects of one run and function. Named by what is in them, so that a run that is taken up again writes the same. */
export function writeTombstones(fn: string, of: Forgetting, segments: readonly ForgottenSegment[]) {
  const sorted = [...segments].sort((a, b) => (a.segment < b.segment ? -1 : 1));
  const parts: { readonly key: string; readonly body: string }[] = [];
  for (let at = 0; at < sorted.length; at += MOST_IN_ONE) {
    const some = sorted
      .slice(at, at + MOST_IN_ONE)
      .map(({ segment, digest, bytes, stored }) => ({ segment, digest, bytes, stored }));
    const named = createHash('sha256')
      .update(some.map(({ segment }) => segment).join('\n'))
      .digest('hex')
      .slice(0, 16);
    const { run, at: when, by, why } = of;
    const body = `${JSON.stringify({ version: 1, run, at: when, by, why, segments: some })}\n`;
    parts.push({ key: `${forgottenPrefix}${fn}/${run}-${named}.json`, body });
  }
  return parts;
}

/** Undefined when it is none: whatever else lies there says nothing, and `alastor verify` shows it. */
export function readTombstones(key: string, body: string): readonly Tombstone[] | undefined {
  const [, fn = ''] = KEY.exec(key) ?? [];
  if (!FUNCTION_NAME.test(fn) || body.length > LARGEST) return undefined;
  const told = parsed(body);
  const { version, run, at, by, why, segments } = told ?? {};
  if (version !== 1 || !isText(run) || !RUN.test(run) || !isTime(at) || !isText(by) || !isText(why)) return undefined;
  if (!Array.isArray(segments) || segments.length > MOST_IN_ONE) return undefined;
  const found: Tombstone[] = [];
  for (const one of segments as readonly unknown[]) {
    const { segment, digest, bytes, stored } = (one ?? {}) as Readonly<Record<string, unknown>>;
    if (!isText(segment) || parseSegmentKey(segment)?.fn !== fn || !isText(digest) || !DIGEST.test(digest)) return undefined;
    if (!isTime(bytes) || !isTime(stored)) return undefined;
    found.push({ run, at, by, why, segment, digest, bytes, stored });
  }
  return found;
}

function parsed(body: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const told: unknown = JSON.parse(body);
    return typeof told === 'object' && told !== null ? (told as Readonly<Record<string, unknown>>) : undefined;
  } catch {
    return undefined;
  }
}

const isText = (value: unknown): value is string => typeof value === 'string' && value.length <= LONGEST_TEXT;
const isTime = (value: unknown): value is number => typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
