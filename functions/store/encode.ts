import { constants, deflateRawSync, inflateRawSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { NodeId } from '../graph/ids.ts';
import type { Node, Operation } from '../graph/model.ts';
import type { Shard, ShardEdge } from '../graph/shard.ts';
import { DICTIONARY } from './dictionary.ts';

/** Ours, but a spilled shard lies in a bucket: an endless one must not take the query function's memory. */
const MAX_DECODED = 256 * 1024 * 1024;

/** First byte of a stored shard: how the rest is compressed. Small ones gain from a dictionary, large ones from a faster codec. */
const DEFLATE = 2;
const ZSTD = 3;
const SMALL = 32 * 1024;

/** Stand for what the item's own key names, and for the first digits of its times; JSON never holds them unescaped. */
const MARKS = ['\u0001', '\u0002', '\u0003', '\u0004'] as const;

/** from, to (indexes of nodes), op, sure (0 exact), start, end - start, bytes, count, seqs, fresh. */
type Row = readonly [number, number, Operation, 0 | 1, number, number, number, number, readonly number[], number?];

/** What a shard is of: kept beside it, not in it. */
export type ShardPlace = Omit<Shard, 'nodes' | 'edges'>;

/** A shard as stored: compressed JSON with edges as rows. The same shard always gives the same bytes. */
export function encodeShard(shard: Shard): Buffer {
  return compressText(shardText(shard));
}

/** The JSON alone, to be told apart from compressing in measurements. */
export function shardText({ nodes, edges, ...of }: Shard): string {
  const index = new Map(nodes.map((node, i) => [node.id, i]));
  const at = (id: NodeId) => {
    const i = index.get(id);
    if (i === undefined)
      throw new Error(`shard ${of.partition} of ${of.segment}: an edge names ${id}, which is not among its nodes`);
    return i;
  };
  const rows = edges.map(({ from, to, op, sure, start, end, bytes, count, seqs, fresh }): Row => {
    const row = [at(from), at(to), op, sure === 'exact' ? 0 : 1, start, end - start, bytes, count, seqs] as const;
    return fresh === undefined ? row : [...row, fresh];
  });
  // Times of one segment have their first digits in common.
  const digits = String(nodes[0]?.first ?? 0).slice(0, -7);
  const text = JSON.stringify({ nodes, edges: rows });
  return `${digits}\n${names(of, digits).reduce((short, [name, mark]) => short.replaceAll(name, mark), text)}`;
}

export function compressText(text: string): Buffer {
  const bytes = Buffer.from(text);
  return bytes.length <= SMALL
    ? Buffer.concat([Buffer.of(DEFLATE), deflateRawSync(bytes, { dictionary: DICTIONARY, level: 6 })])
    : Buffer.concat([Buffer.of(ZSTD), zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: 3 } })]);
}

/** @throws Error when the bytes are not a shard of a format known here */
export function decodeShard(bytes: Uint8Array, of: ShardPlace): Shard {
  const body = decompress(bytes);
  const end = body.indexOf('\n');
  const marked = names(of, body.slice(0, end));
  const text = marked.reduceRight((long, [name, mark]) => long.replaceAll(mark, name), body.slice(end + 1));
  const { nodes, edges: rows } = JSON.parse(text) as { readonly nodes: readonly Node[]; readonly edges: readonly Row[] };
  const edges = rows.flatMap(([from, to, op, sure, start, span, bytes_, count, seqs, fresh]): ShardEdge[] => {
    const a = nodes[from]?.id;
    const b = nodes[to]?.id;
    if (a === undefined || b === undefined) return [];
    const ends = { from: a, to: b, op, sure: sure === 0 ? 'exact' : 'inferred', start, end: start + span } as const;
    return [{ ...ends, bytes: bytes_, count, seqs, ...(fresh === undefined ? {} : { fresh }) }];
  });
  return { ...of, nodes, edges };
}

function decompress(bytes: Uint8Array): string {
  const body = bytes.subarray(1);
  if (bytes[0] === DEFLATE) {
    return inflateRawSync(body, { dictionary: DICTIONARY, maxOutputLength: MAX_DECODED }).toString();
  }
  if (bytes[0] === ZSTD) return zstdDecompressSync(body, { maxOutputLength: MAX_DECODED }).toString();
  throw new Error(`shard format ${bytes[0]} is not known here: stitch its segment again, or deploy a newer query function`);
}

/** Only what cannot be part of anything else by chance, nor of an escape. */
function names(of: ShardPlace, digits: string): readonly (readonly [name: string, mark: string])[] {
  return [of.instance, of.partition, of.fn, digits].flatMap((name, i) => {
    const mark = MARKS[i];
    return mark !== undefined && /^[\w.-]{4,}$/.test(name) ? [[name, mark] as const] : [];
  });
}
