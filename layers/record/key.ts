import { createHash } from 'node:crypto';
import type { InstanceId } from './types.ts';

/** Where a segment is stored, taken apart. */
export interface SegmentKey {
  readonly fn: string;
  readonly instanceId: InstanceId;
  readonly first: number;
  readonly last: number;
}

/** Lambda function names, and the names other platforms give containers; never a path separator. */
export const FUNCTION_NAME = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,139}$/;
/** RFC 9562 UUID version 7, lower case. */
export const INSTANCE_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

const KEY = /^segments\/([^/]+)\/([^/]+)\/(\d{12})-(\d{12})\.ndjson\.zst$/;
const MAX_SEQ = 999_999_999_999;

/** `segments/<function>/<instance>/<first>-<last>.ndjson.zst`; numbers padded so that listing gives them in order. */
export function segmentKey(key: SegmentKey): string {
  if (!FUNCTION_NAME.test(key.fn))
    throw new RangeError(`function name cannot be part of a segment key: ${JSON.stringify(key.fn)}`);
  if (!INSTANCE_ID.test(key.instanceId)) throw new RangeError(`instance id is not a UUIDv7: ${JSON.stringify(key.instanceId)}`);
  if (!(key.first >= 0 && key.first <= key.last && key.last <= MAX_SEQ)) {
    throw new RangeError(`sequence range cannot be part of a segment key: ${key.first}-${key.last}`);
  }
  return keyText(key);
}

/** Whether a text is the key of a segment whose function, instance and order of numbers are known to be right. */
export function isSegmentKey(text: string, key: SegmentKey): boolean {
  return key.last <= MAX_SEQ && text === keyText(key);
}

function keyText({ fn, instanceId, first, last }: SegmentKey): string {
  return `segments/${fn}/${instanceId}/${pad(first)}-${pad(last)}.ndjson.zst`;
}

/** Undefined when the text is not a segment key. */
export function parseSegmentKey(text: string): SegmentKey | undefined {
  const [, fn, instanceId, first, last] = KEY.exec(text) ?? [];
  if (fn === undefined || instanceId === undefined || first === undefined || last === undefined) return undefined;
  if (!FUNCTION_NAME.test(fn) || !INSTANCE_ID.test(instanceId) || Number(first) > Number(last)) return undefined;
  return { fn, instanceId, first: Number(first), last: Number(last) };
}

/** SHA-256 (hex) of a segment's bytes as stored: what the next segment's header names in `prev`. */
export function segmentDigest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function pad(seq: number): string {
  return String(seq).padStart(12, '0');
}
