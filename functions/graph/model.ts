/**
 * Nodes and edges of the provenance graph. Edges point from cause to effect, the way information flows.
 * All times are µs since 1970 by the clock of the instance that observed them.
 */
import type { InstanceId, JoinKey, ProcessId, ResourceRef, Trigger } from '../../layers/record/types.ts';
import type { NodeId, Partition } from './ids.ts';

interface NodeBase {
  readonly id: NodeId;
  /** When it was first and last seen. */
  readonly first: number;
  readonly last: number;
  /** No other instance of the function version is known to have done so; set where graphs are shown. */
  readonly deviates?: true;
  /** A request that nothing configured explains; set where graphs are shown. */
  readonly unexplained?: true;
}

export interface FunctionNode extends NodeBase {
  readonly kind: 'function';
  readonly name: string;
  /** As the inventory last saw it; set where graphs are shown. */
  readonly role?: string;
  readonly runtime?: string;
  readonly codeSha256?: string;
  readonly layers?: readonly string[];
  readonly audited?: boolean;
}
/** Somebody in whose name something was done: a role, a user, a service. Not recorded by instances; set where graphs are shown. */
export interface AgentNode extends NodeBase {
  readonly kind: 'agent';
  /** ARN, or name of a service. */
  readonly name: string;
}
/** A configured way to invoke a function, as the inventory last saw it; set where graphs are shown. */
export interface TriggerNode extends NodeBase {
  readonly kind: 'trigger';
  readonly by: string;
  readonly who: string;
  readonly source?: string;
  readonly detail?: string;
}
export interface InstanceNode extends NodeBase {
  readonly kind: 'instance';
  readonly instance: InstanceId;
  readonly fn: string;
  readonly version?: string;
  readonly runtime?: string;
  readonly region?: string;
  readonly initType?: string;
  readonly shutdown?: string;
}
export interface RequestNode extends NodeBase {
  readonly kind: 'request';
  readonly instance: InstanceId;
  readonly fn: string;
  readonly partition: Partition;
  readonly begin?: number;
  readonly end?: number;
  readonly status?: string;
  readonly errorType?: string;
  readonly trigger?: Trigger;
  /** Effect side of its join keys. */
  readonly keys?: readonly JoinKey[];
  /** Cause side of what its result may be handed on by. */
  readonly results?: readonly JoinKey[];
  readonly eventSha?: string;
  readonly responseSha?: string;
}
/** A unit of execution: one process during one request. */
export interface ProcessNode extends NodeBase {
  readonly kind: 'process';
  readonly instance: InstanceId;
  readonly partition: Partition;
  readonly proc: ProcessId;
  readonly exe?: string;
  readonly argv?: readonly string[];
  readonly cwd?: string;
  /** Set when it was seen starting in this partition. */
  readonly started?: number;
  readonly exited?: number;
  readonly exitCode?: number;
  readonly signal?: number;
}
export interface FileNode extends NodeBase {
  readonly kind: 'file';
  readonly instance: InstanceId;
  readonly path: string;
  /** Lies where an instance may write and keep it for the next request. */
  readonly writable: boolean;
}
/** A read-only tree of the image (or /proc, /sys), one node whatever was read in it. */
export interface ImageTreeNode extends NodeBase {
  readonly kind: 'image-tree';
  readonly instance: InstanceId;
  readonly root: string;
}
/** The read-only trees of a function version, as far as its cold starts read them: one node for all of them. */
export interface BaselineNode extends NodeBase {
  readonly kind: 'baseline';
  readonly fn: string;
  readonly version: string;
  /** How many things at least two cold starts showed. */
  readonly items: number;
  readonly roots: readonly string[];
}
export interface EndpointNode extends NodeBase {
  readonly kind: 'endpoint';
  readonly host?: string;
  readonly addr?: string;
  readonly port?: number;
  /** Inside this instance: loopback or Unix socket. */
  readonly local?: InstanceId;
}
export interface ExchangeNode extends NodeBase {
  readonly kind: 'exchange';
  readonly instance: InstanceId;
  readonly partition: Partition;
  readonly method: string;
  readonly scheme: 'http' | 'https';
  readonly host: string;
  readonly port: number;
  readonly addr?: string;
  readonly path: string;
  readonly status?: number;
  readonly error?: string;
  readonly sent: number;
  readonly received: number;
  readonly sentSha?: string;
  readonly receivedSha?: string;
  /** Digests of content-defined parts of what was sent and received. */
  readonly sentParts?: readonly string[];
  readonly receivedParts?: readonly string[];
  readonly aws?: { readonly service: string; readonly operation: string };
  /** Cause side of its join keys. */
  readonly keys: readonly JoinKey[];
}
export interface ResourceNode extends NodeBase {
  readonly kind: 'resource';
  readonly type: ResourceRef['type'];
  readonly resource: string;
}
export interface ClientNode extends NodeBase {
  readonly kind: 'client';
  readonly sourceIp: string;
  readonly userAgent: string;
}
/** Evidence that is missing, or was never to be had. */
export interface GapNode extends NodeBase {
  readonly kind: 'gap';
  readonly instance: InstanceId;
  readonly why: string;
  readonly lost: number;
  readonly detail?: string;
}

export type Node =
  | FunctionNode
  | AgentNode
  | TriggerNode
  | InstanceNode
  | RequestNode
  | ProcessNode
  | FileNode
  | ImageTreeNode
  | BaselineNode
  | EndpointNode
  | ExchangeNode
  | ResourceNode
  | ClientNode
  | GapNode;
export type NodeKind = Node['kind'];

/** `runs`, `serves`, `role`, `deploy`, `expected`: belonging, not flow; walks do not follow them. */
export type Operation =
  /** In whose rights a request ran. */
  | 'role'
  /** Who put the code or the configuration there that a request ran with. */
  | 'deploy'
  /** A configured way to invoke a function. */
  | 'expected'
  | 'runs'
  | 'serves'
  | 'restore'
  | 'invoke'
  | 'event'
  | 'result'
  | 'start'
  /** A process was seen for the first time by the image it took on: a start, unless it is older than this request. */
  | 'image'
  | 'exit'
  | 'survive'
  | 'exec'
  | 'read'
  | 'write'
  | 'rename'
  | 'link'
  | 'chmod'
  | 'unlink'
  | 'request'
  | 'send'
  | 'reply'
  | 'response'
  | 'call'
  | 'connect'
  | 'receive'
  | 'lookup'
  | 'alias'
  /** The same content, met again: its digests are equal. */
  | 'data'
  | 'gap';

export interface Evidence {
  /** Key of the segment that holds the record. */
  readonly segment: string;
  readonly seq: number;
}

export type Sure = 'exact' | 'inferred';

export interface Edge {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly op: Operation;
  readonly sure: Sure;
  /** First and last time that something flowed, or `LASTING` when it still may. */
  readonly start: number;
  readonly end: number;
  readonly bytes: number;
  /** How many observations it stands for. */
  readonly count: number;
  /** In whose request it happened; absent for a join between two. */
  readonly partition?: Partition;
  /** Last time that a file's earlier content was thrown away (created, truncated, replaced). */
  readonly fresh?: number;
  /** The first few observations, by seq. */
  readonly evidence: readonly Evidence[];
  /** A hand-over between instances: each end has its own clock. `start`, `end` are the cause's, `arrive` the effect's. */
  readonly arrive?: number;
  /** It began when the request had been answered; set where graphs are shown. */
  readonly after?: true;
  /** It leads to a request that nothing configured explains; set where graphs are shown. */
  readonly unexplained?: true;
  /** Of a hand-over: the key that both ends know, e.g. `sqs:<MessageId>`. */
  readonly by?: string;
}

/** End of a flow that has none, such as through a symbolic link. */
export const LASTING = Number.MAX_SAFE_INTEGER;
/** Observations that an edge names; the others are counted. */
export const EVIDENCE_KEPT = 4;

const BELONGING: ReadonlySet<Operation> = new Set(['runs', 'serves', 'alias', 'role', 'deploy', 'expected']);

export function isFlow(op: Operation): boolean {
  return !BELONGING.has(op);
}
