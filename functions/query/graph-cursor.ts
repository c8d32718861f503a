/** Where the pages of a graph go on: in the part that was loaded, by its nodes; then with the next part. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { NodeId } from '../graph/ids.ts';
import type { Before } from '../graph/workflow.ts';
import { LONGEST_CURSOR, readCursor, writeCursor } from './cursor.ts';
import { Problem } from './problem.ts';

export const graphCursor = z.string().max(LONGEST_CURSOR).optional();

const count = z.number().int().min(0).max(10_000_000);
const place = z.object({
  /** Parameters of the question, which the cursor brings. */
  q: z.record(z.string().max(40), z.string().max(400)),
  /** Nodes of this part that were listed. */
  n: count,
  /** Of an instance: its requests in the parts before. */
  p: count.optional(),
  /** Of a workflow: requests to go on from, and digests of those loaded before that they are connected to. */
  f: z.array(z.string().max(2000)).max(1000).optional(),
  d: z.string().max(LONGEST_CURSOR).optional(),
});

/** Part of a graph, and how much of it was listed. */
export interface GraphPlace {
  readonly listed: number;
  readonly partitions: number;
  readonly from?: readonly NodeId[];
  readonly before: Before;
  readonly digests: string;
}

const START: GraphPlace = { listed: 0, partitions: 0, before: () => false, digests: '' };
/** Bytes of a digest: among some thousand requests one in 10^8 answers would take one for another. */
const DIGEST = 6;

const digestOf = (id: NodeId) => createHash('sha256').update(id).digest().subarray(0, DIGEST);

/** @throws Problem 400 when it is none, or was given for another question */
export function readGraphPlace(cursor: string | undefined, question: Readonly<Record<string, string>>): GraphPlace {
  if (cursor === undefined) return START;
  const { q, n, p = 0, f, d = '' } = readCursor(cursor, place);
  for (const name of new Set([...Object.keys(q), ...Object.keys(question)])) {
    if (q[name] === question[name]) continue;
    throw new Problem(400, 'Invalid parameter', `${name}: is not what the cursor was given for`, name);
  }
  const bytes = Buffer.from(d, 'base64url');
  const known = new Set<string>();
  for (let i = 0; i < bytes.length; i += DIGEST) known.add(bytes.toString('hex', i, i + DIGEST));
  const before: Before = (id) => known.size > 0 && known.has(digestOf(id).toString('hex'));
  return { listed: n, partitions: p, ...(f === undefined ? {} : { from: f as NodeId[] }), before, digests: d };
}

/** Further nodes of the same part. */
export const writeSamePart = (question: Readonly<Record<string, string>>, at: GraphPlace, listed: number) =>
  writeCursor({ q: question, n: listed, p: at.partitions, ...(at.from === undefined ? {} : { f: at.from, d: at.digests }) });

export const writeNextPartitions = (question: Readonly<Record<string, string>>, partitions: number) =>
  writeCursor({ q: question, n: 0, p: partitions });

/** The next part of a workflow. @returns how many of the requests to go on from had no room in the cursor */
export function writeNextRequests(
  question: Readonly<Record<string, string>>,
  left: readonly NodeId[],
  border: readonly NodeId[],
): { readonly cursor?: string; readonly noRoom: readonly NodeId[] } {
  const d = Buffer.concat(border.map(digestOf)).toString('base64url');
  for (let kept = left.length; kept > 0; kept = kept >> 1) {
    const cursor = writeCursor({ q: question, n: 0, f: left.slice(0, kept), d });
    if (cursor !== undefined) return { cursor, noRoom: left.slice(kept) };
  }
  return { noRoom: left };
}
