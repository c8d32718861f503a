import type { AuditRecord, InstanceId, ProcessId } from '../../layers/record/types.ts';
import { type LinkKey, type NodeId, type Partition, partitionOf, processId, requestId } from './ids.ts';
import { label } from './label.ts';
import { EVIDENCE_KEPT, type Node, type Operation, type Sure } from './model.ts';
import type { Link, RequestEntry, Shard, ShardEdge } from './shard.ts';

/**
 * Index entries one segment may make. More come only from a flood; what a path needs most is kept first, so that a flood
 * of files cannot push a connection out of the index.
 */
export const MAX_LINKS = 4000;
const PRIORITY = { join: 0, endpoint: 1, process: 2, resource: 3, file: 4, content: 5 } as const;

interface EdgeFields {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly op: Operation;
  readonly start: number;
  readonly end?: number;
  readonly bytes?: number;
  readonly sure?: Sure;
  readonly fresh?: number;
}

/** Later facts win over earlier ones, field by field; so the order of folding must be the order of seq. */
export function mergeNode(earlier: Node | undefined, later: Node): Node {
  if (earlier === undefined) return later;
  return {
    ...earlier,
    ...later,
    first: Math.min(earlier.first, later.first),
    last: Math.max(earlier.last, later.last),
  } as Node;
}

/** What is being built from one segment: parts by partition, links, entries. */
export class Draft {
  readonly requests: RequestEntry[] = [];
  readonly #parts = new Map<Partition, { readonly nodes: Map<NodeId, Node>; readonly edges: Map<string, ShardEdge> }>();
  readonly #links = new Map<string, { readonly priority: number; readonly link: Link }>();
  readonly instance: InstanceId;
  readonly fn: string;
  readonly segment: string;

  constructor(instance: InstanceId, fn: string, segment: string) {
    this.instance = instance;
    this.fn = fn;
    this.segment = segment;
  }

  node(partition: Partition, node: Node): NodeId {
    const { nodes } = this.#part(partition);
    nodes.set(node.id, mergeNode(nodes.get(node.id), node));
    return node.id;
  }

  /** Flows of one kind between the same two nodes in one partition are one edge: interval, sums and the first evidence. */
  edge(record: AuditRecord, fields: EdgeFields): void {
    const { edges } = this.#part(partitionOf(record));
    const { from, to, op, start, end = start, bytes = 0, sure = 'exact', fresh } = fields;
    if (from === to) return;
    const key = `${op}\n${sure}\n${from}\n${to}`;
    const next: ShardEdge = {
      ...{ from, to, op, sure, start, end: Math.max(start, end), bytes, count: 1, seqs: [record.seq] },
      ...(fresh === undefined ? {} : { fresh }),
    };
    const before = edges.get(key);
    edges.set(key, before === undefined ? next : mergeShardEdge(before, next));
  }

  /** The process unit in which a record was observed; the request itself when the recorder could not tell the process. */
  actor(record: AuditRecord): NodeId {
    return record.proc === undefined ? this.request(record) : this.unit(record, record.proc);
  }

  unit(record: AuditRecord, proc: ProcessId, facts: object = {}): NodeId {
    const partition = partitionOf(record);
    return this.node(partition, {
      kind: 'process',
      id: processId(this.instance, partition, proc),
      ...{ instance: this.instance, partition, proc, first: record.t, last: record.t },
      ...facts,
    });
  }

  request(record: AuditRecord, facts: object = {}): NodeId {
    const partition = partitionOf(record);
    return this.node(partition, {
      kind: 'request',
      id: requestId(this.instance, partition),
      ...{ instance: this.instance, fn: this.fn, partition, first: record.t, last: record.t },
      ...facts,
    });
  }

  /** One entry per key, direction, partition and, for joins, node: the earliest. */
  link(
    priority: keyof typeof PRIORITY,
    record: AuditRecord,
    entry: {
      readonly key: LinkKey;
      readonly direction: Link['direction'];
      readonly node: NodeId;
      readonly t?: number;
      readonly sure?: Sure;
    },
  ): void {
    const partition = partitionOf(record);
    const t = entry.t ?? record.t;
    const id = `${entry.key}\n${entry.direction}\n${partition}\n${priority === 'join' ? entry.node : ''}`;
    const before = this.#links.get(id);
    if (before !== undefined && before.link.t <= t) return;
    const node = this.#part(partition).nodes.get(entry.node);
    if (node === undefined) throw new Error(`link ${entry.key} names a node that is not in its shard: ${entry.node}`);
    this.#links.set(id, {
      priority: PRIORITY[priority],
      link: {
        ...{ key: entry.key, direction: entry.direction, t, instance: this.instance, fn: this.fn, partition },
        ...{ node: entry.node, kind: node.kind, label: label(node), sure: entry.sure ?? 'exact' },
        evidence: { segment: this.segment, seq: record.seq },
      },
    });
  }

  links(): { readonly links: readonly Link[]; readonly cut: number } {
    const all = [...this.#links.values()].sort(
      (a, b) => a.priority - b.priority || a.link.evidence.seq - b.link.evidence.seq || (a.link.key < b.link.key ? -1 : 1),
    );
    return { links: all.slice(0, MAX_LINKS).map(({ link }) => link), cut: Math.max(0, all.length - MAX_LINKS) };
  }

  shards(first: number, last: number): readonly Shard[] {
    return [...this.#parts].map(([partition, { nodes, edges }]) => ({
      ...{ instance: this.instance, fn: this.fn, partition, segment: this.segment, first, last },
      nodes: [...nodes.values()],
      edges: [...edges.values()],
    }));
  }

  #part(partition: Partition) {
    let part = this.#parts.get(partition);
    if (part === undefined) {
      part = { nodes: new Map(), edges: new Map() };
      this.#parts.set(partition, part);
    }
    return part;
  }
}

function mergeShardEdge(a: ShardEdge, b: ShardEdge): ShardEdge {
  const fresh = Math.max(a.fresh ?? -1, b.fresh ?? -1);
  return {
    ...a,
    start: Math.min(a.start, b.start),
    end: Math.max(a.end, b.end),
    bytes: a.bytes + b.bytes,
    count: a.count + b.count,
    seqs: a.seqs.length < EVIDENCE_KEPT ? [...a.seqs, ...b.seqs].slice(0, EVIDENCE_KEPT) : a.seqs,
    ...(fresh < 0 ? {} : { fresh }),
  };
}
