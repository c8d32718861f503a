import { createHash } from 'node:crypto';
import { isObject } from './json.ts';

/** Larger ones are not looked at: Step Functions passes 256 KB, asynchronous invocations 1 MB at most. */
const MAX_PAYLOAD = 1 << 20;
/** Characters of canonical JSON. Shorter ones (`{"ok":true}`) say too little to tell one hand-over from another. */
const MIN_PAYLOAD = 48;
const MAX_DEPTH = 100;

class TooDeep extends Error {}

/** The value with the names of every object in order, so that equal values are written alike. */
function ordered(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (depth > MAX_DEPTH) throw new TooDeep();
  if (Array.isArray(value)) return value.map((element) => ordered(element, depth + 1));
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((name) => [name, ordered(value[name], depth + 1)]),
  );
}

/**
 * SHA-256 (hex) of a payload's canonical JSON: without white space, names in order, numbers as JavaScript writes them. That is
 * what is left of a payload when a service has parsed it and written it again. Undefined for what is no JSON object or array,
 * or too short to mean anything.
 */
export function payloadDigest(payload: unknown): string | undefined {
  const value = typeof payload === 'string' ? parse(payload) : payload;
  if (typeof value !== 'object' || value === null) return undefined;
  try {
    const text = JSON.stringify(ordered(value, 0));
    return text.length < MIN_PAYLOAD || text.length > MAX_PAYLOAD ? undefined : createHash('sha256').update(text).digest('hex');
  } catch (error) {
    if (error instanceof TooDeep) return undefined;
    throw error;
  }
}

function parse(text: string): unknown {
  if (text.length > MAX_PAYLOAD || !/^\s*[[{]/.test(text)) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // No JSON: it is passed on as it is, and compared by no service.
  }
}
