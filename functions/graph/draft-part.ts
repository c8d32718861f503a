/** What one segment adds to one partition, while it is being drafted. */
import type { AuditRecord, ProcessId } from '../../layers/record/types.ts';
import { DraftEntries, type Under } from './draft-entries.ts';
import type { Partition } from './ids.ts';
import { EVIDENCE_KEPT, type Node, type Operation, type ProcessNode, type RequestNode, type ResourceNode } from './model.ts';
import type { PathClass } from './paths.ts';
import type { ShardEdge } from './shard.ts';

/** Parts with fewer nodes, nearly all, give an edge a number that fits a machine word; maps find those several times faster. */
const FEW = 2 ** 12;
/** Room for each of its two nodes in others: more than a segment has records times nodes per record. */
const NODES = 2 ** 21;
/** Room for operation and certainty. */
const KINDS = 128;
const OPERATIONS = new Map<Operation, number>();

export type Mutable<T> = { -readonly [K in keyof T]: T[K] };
/** One flow, or all of an edge. */
export type Flow = Mutable<Omit<ShardEdge, 'seqs'>> & { readonly seqs: number[] };

/** A node being folded. It is handed around instead of its id, which is long, and which nothing here needs to read. */
export interface Folded<N extends Node = Node> {
  readonly node: Mutable<N>;
  /** Its number in its part: edges are looked up by two of them. */
  readonly index: number;
  /** Entries under its own id. */
  own: Under | undefined;
  /** Of a process unit: what its own records showed. */
  seen: Seen | undefined;
  /** Made when it is certain. */
  label: string | undefined;
}

export interface Seen {
  readonly first: AuditRecord;
  ended: boolean;
  /** It serves every request alike. */
  serves: boolean;
}

/** What is being built for one partition. Each kind of node is found by the shortest text that tells it from others. */
export class Part {
  readonly partition: Partition;
  readonly nodes: Node[] = [];
  readonly edges: Flow[] = [];
  readonly entries: DraftEntries;
  /** By the numbers of their nodes, operation and certainty. */
  readonly #byEnds = new Map<number, Flow>();
  request: Folded<RequestNode> | undefined;
  readonly units = new Map<ProcessId, Folded<ProcessNode>>();
  /** Trees by what their paths mean, which is one object for each; files by their path. */
  readonly paths = new Map<PathClass | string, Folded>();
  readonly exchanges = new Map<string, Folded>();
  readonly resources = new Map<string, Folded<ResourceNode>>();
  /** All others by id. */
  readonly others = new Map<string, Folded>();

  constructor(partition: Partition) {
    this.partition = partition;
    this.entries = new DraftEntries(partition);
  }

  /** Flows of one kind between the same two nodes are one edge: interval, sums and the first evidence. */
  flow({ index: a }: Folded, { index: b }: Folded, flow: Flow): void {
    const kind = numberOf(flow.op) * 2 + (flow.sure === 'exact' ? 0 : 1);
    const key = a < FEW && b < FEW ? (a * FEW + b) * KINDS + kind : FEW * FEW * KINDS + (a * NODES + b) * KINDS + kind;
    const edge = this.#byEnds.get(key);
    if (edge === undefined) {
      this.#byEnds.set(key, flow);
      this.edges.push(flow);
      return;
    }
    edge.start = Math.min(edge.start, flow.start);
    edge.end = Math.max(edge.end, flow.end);
    edge.bytes += flow.bytes;
    edge.count++;
    if (edge.seqs.length < EVIDENCE_KEPT) edge.seqs.push(...flow.seqs);
    if (flow.fresh !== undefined) edge.fresh = Math.max(edge.fresh ?? -1, flow.fresh);
  }
}

function numberOf(op: Operation): number {
  let number = OPERATIONS.get(op);
  if (number === undefined) {
    number = OPERATIONS.size;
    OPERATIONS.set(op, number);
  }
  return number;
}
