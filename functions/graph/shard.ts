import type { InstanceId } from '../../layers/record/types.ts';
import type { LinkKey, NodeId, Partition } from './ids.ts';
import type { Evidence, Node, NodeKind, Operation, Sure } from './model.ts';

/** An edge inside a shard: its evidence are seqs of the shard's own segment. */
export interface ShardEdge {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly op: Operation;
  readonly sure: Sure;
  readonly start: number;
  readonly end: number;
  readonly bytes: number;
  readonly count: number;
  readonly fresh?: number;
  readonly seqs: readonly number[];
}

/** What one segment adds to one partition of one instance. Shards of a partition merge by union, in order of their segments. */
export interface Shard {
  readonly instance: InstanceId;
  readonly fn: string;
  readonly partition: Partition;
  /** Key of the segment it was made from. */
  readonly segment: string;
  readonly first: number;
  readonly last: number;
  /** Index entries of the segment that were left out, if any: a walk may miss what is linked here. */
  readonly linksCut?: number;
  readonly nodes: readonly Node[];
  readonly edges: readonly ShardEdge[];
}

/**
 * A node through which a path can leave its shard, or under which it can be found.
 * `out`: the node is a cause of whatever else has the key (it sent, wrote, invoked). `in`: it is an effect (was invoked, read).
 * `at`: index only.
 */
export interface Link {
  readonly key: LinkKey;
  readonly direction: 'out' | 'in' | 'at';
  readonly t: number;
  readonly instance: InstanceId;
  readonly fn: string;
  readonly partition: Partition;
  readonly node: NodeId;
  readonly kind: NodeKind;
  readonly label: string;
  readonly sure: Sure;
  readonly evidence: Evidence;
}

/** A request that began in this segment, for the list of requests. */
export interface RequestEntry {
  readonly instance: InstanceId;
  readonly fn: string;
  readonly partition: Partition;
  readonly at: number;
  readonly trigger: string;
  readonly source?: string;
  readonly traceId?: string;
}

/** What is known of a segment itself. A hole between two of an instance, or a `prev` that does not fit, is a gap. */
export interface SegmentEntry {
  readonly instance: InstanceId;
  readonly fn: string;
  readonly version: string;
  readonly segment: string;
  readonly first: number;
  readonly last: number;
  readonly from: number;
  readonly to: number;
  readonly prev: string | null;
  readonly requests: number;
  readonly gaps: number;
  readonly unobserved: number;
  /** Index entries that were left out because one segment may only make so many. */
  readonly linksCut: number;
}

/** All that one segment adds to the store. */
export interface Built {
  readonly shards: readonly Shard[];
  readonly links: readonly Link[];
  readonly requests: readonly RequestEntry[];
  /** What its records of init show, for the baseline of the version. */
  readonly baseline: readonly string[];
  readonly segment: SegmentEntry;
}
