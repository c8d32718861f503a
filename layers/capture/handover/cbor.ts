/**
 * Reads CBOR (RFC 8949) as AWS services send it: Smithy RPC v2 (CloudWatch and others) and the CBOR form of Kinesis's JSON
 * protocol. Byte strings become base64 text, as the JSON protocols write them; dates (tag 1) stay numbers.
 */

const MAX_DEPTH = 64;
/** Values of all kinds together; a PutRecords answer has 500 records of three fields. */
const MAX_VALUES = 100_000;
const BREAK = Symbol('break');

class NotCbor extends Error {}

class Reader {
  readonly #bytes: Buffer;
  #at = 0;
  #values = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get ended(): boolean {
    return this.#at === this.#bytes.length;
  }

  value(depth: number): unknown {
    const value = this.#next(depth);
    if (value === BREAK) throw new NotCbor();
    return value;
  }

  #next(depth: number): unknown {
    if (depth > MAX_DEPTH || ++this.#values > MAX_VALUES) throw new NotCbor();
    const first = this.#take(1).readUInt8();
    const type = first >> 5;
    const info = first & 31;
    if (type === 7) return this.#simple(info);
    if (info === 31) return this.#indefinite(type, depth);
    const count = this.#argument(info);
    if (type === 0) return count;
    if (type === 1) return -1 - count;
    if (type === 2) return this.#take(count).toString('base64');
    if (type === 3) return this.#take(count).toString('utf8');
    if (type === 6) return this.value(depth + 1);
    // Every element takes at least a byte, so a length that cannot be true is refused before anything is allocated.
    if (count * (type === 5 ? 2 : 1) > this.#bytes.length - this.#at) throw new NotCbor();
    let left = count;
    return this.#collection(type, depth, () => left-- > 0);
  }

  #indefinite(type: number, depth: number): unknown {
    if (type === 4 || type === 5) return this.#collection(type, depth, () => !this.#atBreak());
    if (type !== 2 && type !== 3) throw new NotCbor();
    const parts: Buffer[] = [];
    while (!this.#atBreak()) {
      const head = this.#take(1).readUInt8();
      if (head >> 5 !== type || (head & 31) === 31 || ++this.#values > MAX_VALUES) throw new NotCbor();
      parts.push(this.#take(this.#argument(head & 31)));
    }
    return Buffer.concat(parts).toString(type === 2 ? 'base64' : 'utf8');
  }

  #collection(type: number, depth: number, more: () => boolean): unknown {
    const list: unknown[] = [];
    const entries: [string, unknown][] = [];
    while (more()) {
      if (type === 4) list.push(this.value(depth + 1));
      else entries.push([String(this.value(depth + 1)), this.value(depth + 1)]);
    }
    // fromEntries defines own properties: a key `__proto__` is one like any other.
    return type === 4 ? list : Object.fromEntries(entries);
  }

  #atBreak(): boolean {
    if (this.#bytes[this.#at] !== 0xff) return false;
    this.#at++;
    return true;
  }

  #simple(info: number): unknown {
    if (info === 20 || info === 21) return info === 21;
    if (info === 22) return null;
    if (info === 23) return undefined;
    if (info === 25) return half(this.#take(2).readUInt16BE());
    if (info === 26) return this.#take(4).readFloatBE();
    if (info === 27) return this.#take(8).readDoubleBE();
    if (info === 31) return BREAK;
    throw new NotCbor();
  }

  /** Length or number; beyond 2^53 a number loses its last digits, and a length is refused where it is used. */
  #argument(info: number): number {
    if (info < 24) return info;
    if (info === 24) return this.#take(1).readUInt8();
    if (info === 25) return this.#take(2).readUInt16BE();
    if (info === 26) return this.#take(4).readUInt32BE();
    if (info === 27) return Number(this.#take(8).readBigUInt64BE());
    throw new NotCbor();
  }

  #take(count: number): Buffer {
    const end = this.#at + count;
    if (end > this.#bytes.length) throw new NotCbor();
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }
}

function half(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * 2 ** -14 * (fraction / 1024);
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * 2 ** (exponent - 15) * (1 + fraction / 1024);
}

/** The one value that the bytes hold, or undefined when they are not CBOR (or hold more than a service would send). */
export function parseCbor(bytes: Buffer): unknown {
  const reader = new Reader(bytes);
  try {
    const value = reader.value(0);
    return reader.ended ? value : undefined;
  } catch (error) {
    if (error instanceof NotCbor) return undefined;
    throw error;
  }
}
