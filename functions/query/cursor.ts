import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { z } from 'zod';
import type { NodeId } from '../graph/ids.ts';
import type { Start } from '../graph/walk.ts';
import type { ListPlace } from '../store/lists.ts';
import { Problem } from './problem.ts';

/** An HTTP API takes 10,240 bytes of request line and headers together. */
export const LONGEST_CURSOR = 5000;
/** Of a cursor's content, which is repetitive: what is larger than this was not written here. */
const MAX_CONTENT = 200_000;

const invalid = () => new Problem(400, 'Invalid parameter', 'cursor: is not one that an answer gave', 'cursor');

/** What a cursor says, compressed; undefined when it would be too long to be sent back. */
export function writeCursor(content: unknown): string | undefined {
  const text = deflateRawSync(JSON.stringify(content), { level: 9 }).toString('base64url');
  return text.length > LONGEST_CURSOR ? undefined : text;
}

/** @throws Problem 400 when it is none of this shape */
export function readCursor<T extends z.ZodType>(cursor: string, shape: T): z.output<T> {
  let content: unknown;
  try {
    content = JSON.parse(inflateRawSync(Buffer.from(cursor, 'base64url'), { maxOutputLength: MAX_CONTENT }).toString());
  } catch {
    throw invalid();
  }
  const read = shape.safeParse(content);
  if (!read.success) throw invalid();
  return read.data;
}

/** A sort key of DynamoDB takes 1,024 bytes. Escaped, a request's id alone may have 384 of them. */
export const LONGEST_PLACE = 1100;

const place = z.tuple([z.string().regex(/^\d{4}-\d\d-\d\dT\d\d$/), z.string().min(1).max(LONGEST_PLACE)]);

/** Where a list of requests, instances or scanned requests goes on. */
export const writePlace = ({ hour, place: at }: ListPlace) => writeCursor([hour, at]);

export function readPlace(cursor: string): ListPlace {
  const [hour, at] = readCursor(cursor, place);
  return { hour, place: at };
}

const micros = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const walk = z.object({
  /** The question without cursor and budgets, so that the cursor alone goes on. */
  q: z.record(z.string().max(40), z.string().max(2000)),
  /** Links of one key that the next page may look at: more than the page before, which was cut off there. */
  l: z.number().int().min(1).max(5000),
  f: z.array(
    z.tuple([z.string().max(2000), micros, z.number().int().min(0).max(100_000), z.number().int().min(0).max(100_000)]),
  ),
});

export interface WalkPlace {
  readonly question: Readonly<Record<string, string>>;
  readonly linksPerKey: number;
  readonly from: readonly Start[];
}

/** @returns the cursor, and how many of the places to go on from had no room in it */
export function writeWalk({ question, linksPerKey, from }: WalkPlace): { readonly cursor?: string; readonly left: number } {
  for (let kept = from.length; kept > 0; kept = kept >> 1) {
    const f = from.slice(0, kept).map(({ node, at, depth, skip }) => [node, at, depth, skip]);
    const cursor = writeCursor({ q: question, l: linksPerKey, f });
    if (cursor !== undefined) return { cursor, left: from.length - kept };
  }
  return { left: from.length };
}

export function readWalk(cursor: string): WalkPlace {
  const { q, l, f } = readCursor(cursor, walk);
  return { question: q, linksPerKey: l, from: f.map(([node, at, depth, skip]) => ({ node: node as NodeId, at, depth, skip })) };
}
