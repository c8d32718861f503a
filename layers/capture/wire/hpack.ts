import type { Budget } from './budget.ts';
import { FIELDS_MOST, HEAD_MOST } from './fields.ts';
import { huffmanDecode } from './huffman.ts';
import { Malformed } from './incremental.ts';

/** RFC 7541 appendix A. */
// biome-ignore format: a table, read by its columns
const STATIC: readonly (readonly [string, string])[] = [
  [':authority', ''], [':method', 'GET'], [':method', 'POST'], [':path', '/'], [':path', '/index.html'], [':scheme', 'http'],
  [':scheme', 'https'], [':status', '200'], [':status', '204'], [':status', '206'], [':status', '304'], [':status', '400'],
  [':status', '404'], [':status', '500'], ['accept-charset', ''], ['accept-encoding', 'gzip, deflate'], ['accept-language', ''],
  ['accept-ranges', ''], ['accept', ''], ['access-control-allow-origin', ''], ['age', ''], ['allow', ''], ['authorization', ''],
  ['cache-control', ''], ['content-disposition', ''], ['content-encoding', ''], ['content-language', ''], ['content-length', ''],
  ['content-location', ''], ['content-range', ''], ['content-type', ''], ['cookie', ''], ['date', ''], ['etag', ''], ['expect', ''],
  ['expires', ''], ['from', ''], ['host', ''], ['if-match', ''], ['if-modified-since', ''], ['if-none-match', ''], ['if-range', ''],
  ['if-unmodified-since', ''], ['last-modified', ''], ['link', ''], ['location', ''], ['max-forwards', ''],
  ['proxy-authenticate', ''], ['proxy-authorization', ''], ['range', ''], ['referer', ''], ['refresh', ''], ['retry-after', ''],
  ['server', ''], ['set-cookie', ''], ['strict-transport-security', ''], ['transfer-encoding', ''], ['user-agent', ''], ['vary', ''],
  ['via', ''], ['www-authenticate', ''],
];

type Field = readonly [name: string, value: string];

/** The size that both sides begin with (RFC 9113 6.5.2), and the largest that is followed; browsers ask for so much. */
const TABLE_SIZE = 4096;
const TABLE_MOST = 64 * 1024;
/** What an entry counts beside its text (RFC 7541 4.1). */
const OVERHEAD = 32;

/**
 * Decodes the header blocks of one direction of an HTTP/2 connection (RFC 7541). It must see all of them: each can depend on
 * those before. What the other side has allowed as the size of the table need not be known: the encoder says what it uses.
 */
export class HpackDecoder {
  /** Newest last. */
  readonly #table: Field[] = [];
  readonly #budget: Budget;
  #size = 0;
  #most = TABLE_SIZE;

  constructor(budget: Budget) {
    this.#budget = budget;
  }

  /** Nothing more will be decoded. */
  stop(): void {
    this.#most = 0;
    this.#evict();
  }

  /** @throws Malformed when it is not valid, or decodes to more than is looked at; nothing can be decoded after that */
  decode(block: Buffer): Field[] {
    const reader = new BlockReader(block);
    const fields: Field[] = [];
    let bytes = 0;
    while (reader.left > 0) {
      const field = this.#next(reader);
      if (field === undefined) continue;
      bytes += sizeOf(field);
      if (bytes > HEAD_MOST || fields.length >= FIELDS_MOST) throw new Malformed('HPACK: too many header fields');
      fields.push(field);
    }
    return fields;
  }

  /** `undefined`: it was a change of the table's size. */
  #next(reader: BlockReader): Field | undefined {
    const first = reader.peek();
    // RFC 7541 6: indexed; literal, to be remembered; size of the table; literal, not to be remembered or never.
    if (first >= 0x80) return this.#entry(reader.integer(7));
    if (first >= 0x40) {
      const field = this.#literal(reader, 6);
      this.#remember(field);
      return field;
    }
    if (first >= 0x20) {
      this.#resize(reader.integer(5));
      return undefined;
    }
    return this.#literal(reader, 4);
  }

  #literal(reader: BlockReader, prefix: number): Field {
    const index = reader.integer(prefix);
    const name = index === 0 ? reader.text() : this.#entry(index)[0];
    return [name, reader.text()];
  }

  #entry(index: number): Field {
    const entry = index <= STATIC.length ? STATIC[index - 1] : this.#table[this.#table.length + STATIC.length - index];
    if (entry === undefined) throw new Malformed('HPACK: an entry that does not exist');
    return entry;
  }

  #remember(field: Field): void {
    const size = sizeOf(field);
    if (!this.#budget.take(size)) throw new Malformed('HPACK: too much is remembered on all connections');
    this.#table.push(field);
    this.#size += size;
    this.#evict();
  }

  #resize(size: number): void {
    if (size > TABLE_MOST) throw new Malformed('HPACK: a table that is too large');
    this.#most = size;
    this.#evict();
  }

  #evict(): void {
    const before = this.#size;
    let gone = 0;
    for (; this.#size > this.#most; gone++) this.#size -= sizeOf(this.#table[gone] ?? ['', '']);
    if (gone === 0) return;
    this.#table.splice(0, gone);
    this.#budget.give(before - this.#size);
  }
}

const sizeOf = ([name, value]: Field): number => name.length + value.length + OVERHEAD;

/** The primitive types of RFC 7541 5. */
class BlockReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  peek(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) throw new Malformed('HPACK: a block that ends too soon');
    return byte;
  }

  integer(prefix: number): number {
    const most = 2 ** prefix - 1;
    let value = this.peek() & most;
    this.#at++;
    if (value < most) return value;
    for (let shift = 0; shift <= 21; shift += 7) {
      const byte = this.peek();
      this.#at++;
      value += (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw new Malformed('HPACK: a number that is too large');
  }

  text(): string {
    const coded = this.peek() >= 0x80;
    const length = this.integer(7);
    if (length > this.left) throw new Malformed('HPACK: a block that ends too soon');
    const bytes = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    return coded ? huffmanDecode(bytes) : bytes.toString('latin1');
  }
}
