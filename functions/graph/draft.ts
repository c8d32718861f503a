import type { AuditRecord, InstanceId, JoinKey, ProcessId, ResourceRef } from '../../layers/record/types.ts';
import { fileId, type LinkKey, type NodeId, type Partition, partitionOf, processId, requestId, treeId } from './ids.ts';
import { label } from './label.ts';
import { EVIDENCE_KEPT, type Node, type Operation, type Sure } from './model.ts';
import type { PathClass } from './paths.ts';
import type { Link, RequestEntry, Shard, ShardEdge } from './shard.ts';

/**
 * Index entries one segment may make. More come only from a flood; what a path needs most is kept first, so that a flood
 * of files cannot push a connection out of the index.
 */
export const MAX_LINKS = 4000;
const DIRECTIONS = ['out', 'in', 'at'] as const;
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

export type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type MutableEdge = Mutable<Omit<ShardEdge, 'seqs'>> & { readonly seqs: number[] };

/** A node being folded, with its number in its part: edges are looked up by two numbers instead of two long ids. */
interface Folded {
  readonly node: Mutable<Node>;
  readonly index: number;
}

interface Part {
  readonly nodes: Map<NodeId, Folded>;
  readonly units: Map<ProcessId, Folded>;
  readonly paths: Map<PathClass, Folded>;
  /** By key: of shared nodes one entry for each direction, of joins (with the node's number before the key) one for each node. */
  readonly links: { readonly [D in Link['direction']]: Map<string, Drafted> };
  request: Folded | undefined;
  readonly edges: Map<number, MutableEdge>;
}

/**
 * Keys worth an index entry. An object that was written is found by the id of the write, and as a resource: the key made of
 * its name and version says nothing more.
 */
export function indexed(keys: readonly JoinKey[], resources: readonly ResourceRef[]): readonly JoinKey[] {
  if (!keys.some(({ key }) => key.startsWith('s3req:'))) return keys;
  return keys.filter(({ key }) => !(key.startsWith('s3:') && resources.some(({ id }) => id === `s3://${key.slice(3)}`)));
}

interface Drafted {
  readonly priority: number;
  readonly key: LinkKey;
  readonly direction: Link['direction'];
  readonly partition: Partition;
  readonly node: Node;
  readonly t: number;
  readonly sure: Sure;
  readonly seq: number;
}

/** Room in an edge's number for each of its two nodes: more than a segment has records times nodes per record. */
const NODES = 2 ** 21;
/** Room for operation and certainty. */
const KINDS = 128;

/**
 * What is being built from one segment: parts by partition, links, entries. Nodes and edges are folded in place: nothing
 * given to `node` may be used by the caller afterwards.
 */
export class Draft {
  readonly requests: RequestEntry[] = [];
  readonly #parts = new Map<Partition, Part>();
  readonly #operations = new Map<string, number>();
  #lastPartition: Partition | undefined;
  #lastPart: Part | undefined;
  readonly instance: InstanceId;
  readonly fn: string;
  readonly segment: string;

  constructor(instance: InstanceId, fn: string, segment: string) {
    this.instance = instance;
    this.fn = fn;
    this.segment = segment;
  }

  node(partition: Partition, node: Node): NodeId {
    const part = this.#part(partition);
    const before = part.nodes.get(node.id);
    if (before === undefined) part.nodes.set(node.id, { node, index: part.nodes.size });
    else fold(before.node, node);
    // The same text each time is found again without being read.
    return before === undefined ? node.id : before.node.id;
  }

  /** Flows of one kind between the same two nodes in one partition are one edge: interval, sums and the first evidence. */
  edge(record: AuditRecord, fields: EdgeFields): void {
    const { from, to, op, start, end = start, bytes = 0, sure = 'exact', fresh } = fields;
    if (from === to) return;
    const { nodes, edges } = this.#part(partitionOf(record));
    const a = nodes.get(from);
    const b = nodes.get(to);
    if (a === undefined || b === undefined) throw new Error(`edge ${op}: ${from} or ${to} is not among the nodes of its part`);
    const key = (a.index * NODES + b.index) * KINDS + this.#operation(op) * 2 + (sure === 'exact' ? 0 : 1);
    const edge = edges.get(key);
    if (edge === undefined) {
      const made: MutableEdge = {
        ...{ from, to, op, sure, start, end: Math.max(start, end), bytes, count: 1, seqs: [record.seq] },
      };
      if (fresh !== undefined) made.fresh = fresh;
      edges.set(key, made);
      return;
    }
    edge.start = Math.min(edge.start, start);
    edge.end = Math.max(edge.end, start, end);
    edge.bytes += bytes;
    edge.count++;
    if (edge.seqs.length < EVIDENCE_KEPT) edge.seqs.push(record.seq);
    if (fresh !== undefined) edge.fresh = Math.max(edge.fresh ?? -1, fresh);
  }

  /** The process unit in which a record was observed; the request itself when the recorder could not tell the process. */
  actor(record: AuditRecord): NodeId {
    return record.proc === undefined ? this.request(record) : this.unit(record, record.proc);
  }

  unit(record: AuditRecord, proc: ProcessId, facts?: object): NodeId {
    const partition = partitionOf(record);
    const part = this.#part(partition);
    let unit = part.units.get(proc);
    if (unit === undefined) {
      const id = processId(this.instance, partition, proc);
      const seen = { first: record.t, last: record.t };
      const node: Node = { kind: 'process', id, instance: this.instance, partition, proc, ...seen };
      // Two spellings of a process can come to one id.
      unit = part.nodes.get(id) ?? { node, index: part.nodes.size };
      part.nodes.set(id, unit);
      part.units.set(proc, unit);
    }
    widen(unit.node, record.t, record.t);
    if (facts !== undefined) Object.assign(unit.node, facts);
    return unit.node.id;
  }

  request(record: AuditRecord, facts?: object): NodeId {
    const partition = partitionOf(record);
    const part = this.#part(partition);
    if (part.request === undefined) {
      const { instance, fn } = this;
      const id = requestId(instance, partition);
      part.request = {
        node: { kind: 'request', id, instance, fn, partition, first: record.t, last: record.t },
        index: part.nodes.size,
      };
      part.nodes.set(id, part.request);
    }
    const { node } = part.request;
    widen(node, record.t, record.t);
    if (facts !== undefined) Object.assign(node, facts);
    return node.id;
  }

  /** The node of a path; its id is made once for each part. */
  path(record: AuditRecord, seen: Exclude<PathClass, { as: 'nothing' }>): NodeId {
    const part = this.#part(partitionOf(record));
    const { t } = record;
    let folded = part.paths.get(seen);
    if (folded === undefined) {
      const where = { instance: this.instance, first: t, last: t };
      const node: Node =
        seen.as === 'tree'
          ? { kind: 'image-tree', id: treeId(this.instance, seen.root), root: seen.root, ...where }
          : { kind: 'file', id: fileId(this.instance, seen.path), path: seen.path, writable: seen.writable, ...where };
      // Several paths come to one tree, and several spellings to one file.
      folded = part.nodes.get(node.id) ?? { node, index: part.nodes.size };
      part.nodes.set(folded.node.id, folded);
      part.paths.set(seen, folded);
    }
    widen(folded.node, t, t);
    return folded.node.id;
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
    const part = this.#part(partition);
    const folded = part.nodes.get(entry.node);
    if (folded === undefined) throw new Error(`link ${entry.key} names a node that is not in its shard: ${entry.node}`);
    const { key, direction, sure = 'exact' } = entry;
    const links = part.links[direction];
    const id = priority === 'join' ? `${folded.index} ${key}` : key;
    const before = links.get(id);
    if (before !== undefined && before.t <= t) return;
    // Every request has a trace and none is joined by it alone, unless a load balancer stands before it: lists find the others.
    if (key.startsWith('join:trace:') && folded.node.kind === 'request' && folded.node.trigger?.type !== 'alb') return;
    links.set(id, { priority: PRIORITY[priority], key, direction, partition, node: folded.node, t, sure, seq: record.seq });
  }

  /** To be called last: labels tell what the whole segment knows of a node. */
  links(): { readonly links: readonly Link[]; readonly cut: number } {
    let all: Drafted[] = [];
    for (const { links } of this.#parts.values()) {
      for (const [id, read] of links.in) {
        const written = links.out.get(id);
        if (written === undefined || !(read.priority === PRIORITY.file || read.priority === PRIORITY.resource)) continue;
        // Both a cause and an effect: one entry says that the node is here, and the graph which way things flowed.
        links.in.delete(id);
        links.out.set(id, { ...(written.t <= read.t ? written : read), direction: 'at' });
      }
      for (const direction of DIRECTIONS) for (const drafted of links[direction].values()) all.push(drafted);
    }
    const cut = Math.max(0, all.length - MAX_LINKS);
    if (cut > 0) {
      const order = (a: Drafted, b: Drafted) => a.priority - b.priority || a.seq - b.seq || (a.key < b.key ? -1 : 1);
      all = all.sort(order).slice(0, MAX_LINKS);
    }
    const { instance, fn, segment } = this;
    const links = all.map(({ key, direction, partition, t, node, sure, seq }): Link => {
      const { id, kind } = node;
      const evidence = { segment, seq };
      return { key, direction, t, instance, fn, partition, node: id, kind, label: label(node), sure, evidence };
    });
    return { links, cut };
  }

  shards(first: number, last: number, linksCut: number): readonly Shard[] {
    return [...this.#parts].map(([partition, { nodes, edges }]) => ({
      ...{ instance: this.instance, fn: this.fn, partition, segment: this.segment, first, last },
      ...(linksCut === 0 ? {} : { linksCut }),
      nodes: Array.from(nodes.values(), ({ node }) => node),
      edges: [...edges.values()],
    }));
  }

  #part(partition: Partition): Part {
    if (partition === this.#lastPartition && this.#lastPart !== undefined) return this.#lastPart;
    let part = this.#parts.get(partition);
    if (part === undefined) {
      part = {
        ...{ nodes: new Map(), units: new Map(), paths: new Map(), edges: new Map(), request: undefined },
        links: { out: new Map(), in: new Map(), at: new Map() },
      };
      this.#parts.set(partition, part);
    }
    this.#lastPartition = partition;
    this.#lastPart = part;
    return part;
  }

  #operation(op: Operation): number {
    let number = this.#operations.get(op);
    if (number === undefined) {
      number = this.#operations.size;
      this.#operations.set(op, number);
    }
    return number;
  }
}

function widen(node: Mutable<Node>, first: number, last: number): void {
  if (first < node.first) node.first = first;
  if (last > node.last) node.last = last;
}

/** As {@link mergeNode}, in place. */
function fold(node: Mutable<Node>, later: Node): void {
  const { first, last } = node;
  Object.assign(node, later);
  widen(node, first, last);
}
