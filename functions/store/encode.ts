import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { NodeId } from '../graph/ids.ts';
import type { Node, Operation } from '../graph/model.ts';
import type { Shard, ShardEdge } from '../graph/shard.ts';

/** Ours, but a spilled shard lies in a bucket: an endless one must not take the query function's memory. */
const MAX_DECODED = 256 * 1024 * 1024;

/** from, to (indexes of nodes), op, sure (0 exact), start, end - start, bytes, count, seqs, fresh. */
type Row = readonly [number, number, Operation, 0 | 1, number, number, number, number, readonly number[], number?];

interface Encoded {
  readonly v: 1;
  readonly of: Omit<Shard, 'nodes' | 'edges'>;
  readonly nodes: readonly Node[];
  readonly edges: readonly Row[];
}

/** A shard as stored: zstd of JSON with edges as rows. The same shard always gives the same bytes. */
export function encodeShard({ nodes, edges, ...of }: Shard): Uint8Array {
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
  const body: Encoded = { v: 1, of, nodes, edges: rows };
  return zstdCompressSync(Buffer.from(JSON.stringify(body)), { params: { [constants.ZSTD_c_compressionLevel]: 3 } });
}

/** @throws Error when the bytes are not a shard of this version */
export function decodeShard(bytes: Uint8Array): Shard {
  const body = JSON.parse(zstdDecompressSync(bytes, { maxOutputLength: MAX_DECODED }).toString()) as Encoded;
  if (body.v !== 1) throw new Error(`shard version ${String(body.v)} is not known here; deploy a newer query function`);
  const { nodes } = body;
  const edges = body.edges.flatMap(([from, to, op, sure, start, span, bytes_, count, seqs, fresh]): ShardEdge[] => {
    const a = nodes[from]?.id;
    const b = nodes[to]?.id;
    if (a === undefined || b === undefined) return [];
    const edge = {
      from: a,
      to: b,
      op,
      sure: sure === 0 ? 'exact' : 'inferred',
      start,
      end: start + span,
      bytes: bytes_,
    } as const;
    return [{ ...edge, count, seqs, ...(fresh === undefined ? {} : { fresh }) }];
  });
  return { ...body.of, nodes, edges };
}
