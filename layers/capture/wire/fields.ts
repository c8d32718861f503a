import type { Headers } from '../network/exchanges.ts';
import { Malformed } from './incremental.ts';

/** Bounds of a head; beyond them a connection is unreadable. Node allows 16 KiB, most servers less. */
export const HEAD_MOST = 64 * 1024;
export const FIELDS_MOST = 256;

const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** Names come from outside: no object that knows `__proto__`. */
export const noFields = (): Headers => Object.create(null) as Headers;

/** Adds a field as receivers do: repeated ones make a list (RFC 9110 5.3). @throws Malformed */
export function addField(headers: Headers, name: string, value: string): void {
  if (!NAME.test(name)) throw new Malformed('a header field without a proper name');
  // RFC 9110 5.5
  if (/[\r\n\0]/.test(value)) throw new Malformed('a header field with CR, LF or NUL');
  const lower = name.toLowerCase();
  const before = headers[lower];
  if (before === undefined) headers[lower] = lower === 'set-cookie' ? [value] : value;
  else if (lower === 'host') throw new Malformed('more than one Host');
  else if (Array.isArray(before)) before.push(value);
  else headers[lower] = `${before}${lower === 'cookie' ? '; ' : ', '}${value}`;
}
