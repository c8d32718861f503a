import { createHash } from 'node:crypto';
import { isObject } from './json.ts';

/** Nested deeper than DynamoDB allows (32 levels of lists and maps) is not a DynamoDB item. */
const MAX_DEPTH = 40;
/** 128 bits: enough that two items never share a hash by chance. */
const HASH_LENGTH = 32;

/**
 * DynamoDB numbers are decimals with 38 digits that may be written in many ways: `1`, `1.0`, `10e-1`. One of them.
 * What is not a number is left as it is.
 */
export function canonicalNumber(written: string): string {
  const parts = /^\s*([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,4}))?\s*$/.exec(written.slice(0, 500));
  if (parts === null) return written;
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = parts;
  const all = whole + fraction;
  const digits = all.replace(/^0+/, '').replace(/0+$/, '');
  if (digits === '') return all === '' ? written : '0';
  // The value is 0.digits × 10^point.
  const point = whole.length + Number(exponent) - (all.length - all.replace(/^0+/, '').length);
  return `${sign === '-' ? '-' : ''}${digits}e${point}`;
}

class NotAnItem extends Error {}

function canonicalValue(value: unknown, depth: number): string {
  if (!isObject(value) || depth > MAX_DEPTH) throw new NotAnItem();
  const entries = Object.entries(value);
  const [type, content] = entries[0] ?? [];
  if (entries.length !== 1 || type === undefined) throw new NotAnItem();
  const strings = (): string[] => {
    if (!Array.isArray(content) || !content.every((element) => typeof element === 'string')) throw new NotAnItem();
    return content;
  };
  if (type === 'S' || type === 'B') return `{${type}:${JSON.stringify(String(content))}}`;
  if (type === 'N') return `{N:${canonicalNumber(String(content))}}`;
  if (type === 'BOOL' || type === 'NULL') return `{${type}:${content === true || content === 'true'}}`;
  if (type === 'M') return `{M:${canonicalMap(content, depth + 1)}}`;
  if (type === 'L' && Array.isArray(content))
    return `{L:[${content.map((element) => canonicalValue(element, depth + 1)).join()}]}`;
  if (type === 'SS' || type === 'BS')
    return `{${type}:[${strings()
      .map((s) => JSON.stringify(s))
      .sort()
      .join()}]}`;
  if (type === 'NS') return `{NS:[${strings().map(canonicalNumber).sort().join()}]}`;
  throw new NotAnItem();
}

function canonicalMap(map: unknown, depth: number): string {
  if (!isObject(map)) throw new NotAnItem();
  const names = Object.keys(map).sort();
  return `{${names.map((name) => `${JSON.stringify(name)}:${canonicalValue(map[name], depth)}`).join()}}`;
}

/**
 * Hash of a map of attribute values, the same for every way to write the same attributes (order of names and of set
 * elements, form of numbers). Undefined for what is no item.
 */
export function itemHash(attributes: unknown): string | undefined {
  try {
    return createHash('sha256').update(canonicalMap(attributes, 0)).digest('hex').slice(0, HASH_LENGTH);
  } catch (error) {
    if (error instanceof NotAnItem) return undefined;
    throw error;
  }
}
