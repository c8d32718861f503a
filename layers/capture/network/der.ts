/** Just enough DER (ITU-T X.690) to write one certificate; reading certificates is left to OpenSSL. */

const encodeLength = (length: number): Buffer => {
  if (length < 0x80) return Buffer.of(length);
  const bytes: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return Buffer.of(0x80 | bytes.length, ...bytes);
};

const node = (tag: number, ...content: readonly Buffer[]): Buffer => {
  const body = Buffer.concat(content);
  return Buffer.concat([Buffer.of(tag), encodeLength(body.length), body]);
};

export const sequence = (...content: readonly Buffer[]): Buffer => node(0x30, ...content);
export const set = (...content: readonly Buffer[]): Buffer => node(0x31, ...content);
export const octets = (content: Buffer): Buffer => node(0x04, content);
export const utf8 = (text: string): Buffer => node(0x0c, Buffer.from(text, 'utf8'));
export const boolean = (value: boolean): Buffer => node(0x01, Buffer.of(value ? 0xff : 0));
/** `unused`: bits of the last byte that carry nothing. */
export const bits = (content: Buffer, unused = 0): Buffer => node(0x03, Buffer.of(unused), content);
/** Context-specific tag around (`explicit`) or instead of a value's own tag. */
export const explicit = (tag: number, content: Buffer): Buffer => node(0xa0 | tag, content);
export const implicit = (tag: number, content: Buffer): Buffer => node(0x80 | tag, content);

/** A non-negative integer, most significant byte first. */
export function integer(bytes: Buffer): Buffer {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start++;
  const short = bytes.subarray(start);
  return node(0x02, (short[0] ?? 0) & 0x80 ? Buffer.concat([Buffer.of(0), short]) : short);
}

/** Dotted form, e.g. `2.5.4.3`. */
export function objectId(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const bytes = [first * 40 + second];
  for (const part of rest) {
    const groups = [part & 0x7f];
    for (let left = part >>> 7; left > 0; left >>>= 7) groups.unshift((left & 0x7f) | 0x80);
    bytes.push(...groups);
  }
  return node(0x06, Buffer.from(bytes));
}

/** GeneralizedTime, or UTCTime for years before 2050 as RFC 5280 4.1.2.5 demands. */
export function time(date: Date): Buffer {
  const digits = date.toISOString().replace(/[-:T]|\.\d+/g, '');
  return date.getUTCFullYear() < 2050 ? node(0x17, Buffer.from(digits.slice(2))) : node(0x18, Buffer.from(digits));
}
