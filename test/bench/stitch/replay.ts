/**
 * Many requests made from a few recorded ones: every copy is what was recorded, at another time, in other instances and under
 * other identifiers, on both sides of each hand-over. Functions, tables, buckets, objects, hosts and paths stay what they were:
 * so these are the hot keys that a fleet has.
 */
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { decodeSegment } from '../../../layers/record/codec.ts';
import { segmentDigest, segmentKey } from '../../../layers/record/key.ts';
import type { AuditRecord } from '../../../layers/record/types.ts';
import type { RecordedSegment } from './record.ts';

/** Copies that begin in a second, together: 100 requests a second. */
const REQUESTS_PER_SECOND = 100;
/** Times in records: 16 digits until 2286. */
const TIME = /\b1[5-9]\d{14}\b/g;

/** As the recorder compresses small segments. */
const COMPRESSION = { [constants.ZSTD_c_checksumFlag]: 1, [constants.ZSTD_c_compressionLevel]: 5 };

interface Template {
  readonly instance: string;
  readonly fn: string;
  readonly first: number;
  readonly last: number;
  readonly requests: number;
  /** Text, and in between a time (number) or the index of a name (boxed). */
  readonly parts: readonly (string | number | { readonly name: number })[];
  readonly prev: string | null;
}

export class Replay {
  readonly #templates: readonly Template[];
  readonly #names: readonly string[];
  readonly requestsPerCopy: number;
  readonly recordsPerCopy: number;

  constructor(recorded: readonly RecordedSegment[]) {
    const segments = recorded.map(({ key, bytes }) => ({ ...decodeSegment(bytes, key), bytes }));
    const names = new Set<string>();
    for (const { header, records } of segments) {
      names.add(header.instanceId);
      for (const record of records) for (const name of namesIn(record)) names.add(name);
    }
    this.#names = [...names].sort((a, b) => b.length - a.length);
    const index = new Map(this.#names.map((name, i) => [name, i]));
    const pattern = new RegExp(`${this.#names.map(escaped).join('|')}|${TIME.source}`, 'g');
    this.#templates = segments.map(({ header, records, bytes }) => {
      const { instanceId: instance, fn, first, last, prev } = header;
      const text = zstdDecompressSync(bytes).toString();
      const parts: Template['parts'][number][] = [];
      let from = 0;
      for (const found of text.matchAll(pattern)) {
        parts.push(text.slice(from, found.index));
        const name = index.get(found[0]);
        parts.push(name === undefined ? Number(found[0]) : { name });
        from = found.index + found[0].length;
      }
      parts.push(text.slice(from));
      return {
        instance,
        fn,
        first,
        last,
        prev,
        parts,
        requests: records.filter(({ kind }) => kind === 'request-begin').length,
      };
    });
    this.requestsPerCopy = this.#templates.reduce((sum, { requests }) => sum + requests, 0);
    this.recordsPerCopy = segments.reduce((sum, { records }) => sum + records.length, 0);
  }

  /** Segments of at least so many requests, in order of time. */
  *segments(requests: number): Generator<RecordedSegment> {
    for (let copy = 0; copy * this.requestsPerCopy < requests; copy++) yield* this.#copy(copy);
  }

  *#copy(copy: number): Generator<RecordedSegment> {
    const shift = Math.round((copy * this.requestsPerCopy * 1e6) / REQUESTS_PER_SECOND);
    const names = this.#names.map((name) => renamed(name, copy));
    const own = new Map(this.#names.map((name, i) => [name, names[i] ?? name]));
    const digests = new Map<string, string>();
    for (const { instance, fn, first, last, prev, parts } of this.#templates) {
      let received = 0;
      let text = '';
      for (const part of parts) {
        if (typeof part === 'string') text += part;
        else if (typeof part === 'number') {
          received = Math.max(received, part + shift);
          text += part + shift;
        } else text += names[part.name];
      }
      const before = digests.get(instance);
      if (prev !== null && before !== undefined) text = text.replace(prev, before);
      const body = Buffer.from(text);
      const bytes = zstdCompressSync(body, { params: COMPRESSION, pledgedSrcSize: body.length });
      digests.set(instance, segmentDigest(bytes));
      yield {
        key: segmentKey({ fn, instanceId: own.get(instance) ?? instance, first, last }),
        bytes,
        received: received + 500_000,
      };
    }
  }
}

/** What identifies one request, message, write or trace. */
function namesIn(record: AuditRecord): readonly string[] {
  const keys = 'keys' in record ? (record.keys ?? []) : [];
  const ids = keys.flatMap(
    ({ key }) => /^(?:lambda|s3req|sqs|sns|event|apigw|url|ddbstream|kinesis|trace):(.{8,})$/.exec(key)?.[1] ?? [],
  );
  return record.req === null ? ids : [record.req, ...ids];
}

/** Same length and alphabet: its last letters and digits tell the copy. */
function renamed(name: string, copy: number): string {
  const digits = copy.toString(16).padStart(5, '0');
  const tail = /[A-Za-z0-9]{5}(?=[^A-Za-z0-9]*$)/.exec(name);
  if (tail === null) return name;
  return name.slice(0, tail.index) + (/[a-z]/.test(name) ? digits : digits.toUpperCase()) + name.slice(tail.index + 5);
}

const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&');
