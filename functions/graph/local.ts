import type { InstanceId, ProcessId } from '../../layers/record/types.ts';
import { mergeNode } from './draft.ts';
import { hostId, isRequest, type NodeId, type Partition } from './ids.ts';
import { type Edge, type EndpointNode, EVIDENCE_KEPT, type Node, type ProcessNode } from './model.ts';
import { isUnnamed } from './observe-process.ts';
import type { Shard, ShardEdge } from './shard.ts';

/** A set of nodes and the edges between them, with both directions at hand. */
export class Graph {
  readonly nodes = new Map<NodeId, Node>();
  readonly #edges = new Map<string, Edge>();
  #into: Map<NodeId, Edge[]> | undefined;
  #outOf: Map<NodeId, Edge[]> | undefined;

  addNode(node: Node): void {
    this.nodes.set(node.id, mergeNode(this.nodes.get(node.id), node));
  }

  /** Union: the same flow from two shards is one edge. */
  addEdge(edge: Edge): void {
    if (edge.from === edge.to) return;
    const key = `${edge.op}\n${edge.sure}\n${edge.from}\n${edge.to}\n${edge.partition ?? ''}`;
    const before = this.#edges.get(key);
    this.#edges.set(key, before === undefined ? edge : mergeEdge(before, edge));
    this.#into = undefined;
    this.#outOf = undefined;
  }

  addGraph(other: Graph): void {
    for (const node of other.nodes.values()) this.addNode(node);
    for (const edge of other.edges()) this.addEdge(edge);
  }

  edges(): readonly Edge[] {
    return [...this.#edges.values()];
  }

  into(node: NodeId): readonly Edge[] {
    this.#into ??= index(this.#edges.values(), 'to');
    return this.#into.get(node) ?? [];
  }

  outOf(node: NodeId): readonly Edge[] {
    this.#outOf ??= index(this.#edges.values(), 'from');
    return this.#outOf.get(node) ?? [];
  }
}

function index(edges: Iterable<Edge>, end: 'from' | 'to'): Map<NodeId, Edge[]> {
  const found = new Map<NodeId, Edge[]>();
  for (const edge of edges) {
    const list = found.get(edge[end]);
    if (list === undefined) found.set(edge[end], [edge]);
    else list.push(edge);
  }
  return found;
}

function mergeEdge(a: Edge, b: Edge): Edge {
  const fresh = Math.max(a.fresh ?? -1, b.fresh ?? -1);
  return {
    ...a,
    start: Math.min(a.start, b.start),
    end: Math.max(a.end, b.end),
    bytes: a.bytes + b.bytes,
    count: a.count + b.count,
    evidence: [...a.evidence, ...b.evidence]
      .filter((one, i, all) => all.findIndex(({ segment, seq }) => segment === one.segment && seq === one.seq) === i)
      .sort((x, y) => x.seq - y.seq)
      .slice(0, EVIDENCE_KEPT),
    ...(fresh < 0 ? {} : { fresh }),
  };
}

/** Processes that serve the instance as such, because they started during init; undefined when that was not recorded. */
export type RuntimeProcesses = ReadonlyMap<ProcessId, Program> | undefined;
/** What a process runs, which is only said when it starts. */
export type Program = Partial<Pick<ProcessNode, 'exe' | 'argv' | 'cwd'>>;

export function programOf({ exe, argv, cwd }: ProcessNode): Program {
  return {
    ...(exe === undefined ? {} : { exe }),
    ...(argv === undefined ? {} : { argv }),
    ...(cwd === undefined ? {} : { cwd }),
  };
}

export function runtimeProcesses(init: readonly Shard[]): RuntimeProcesses {
  const union = new Graph();
  for (const { nodes } of inOrder(init)) for (const node of nodes) union.addNode(node);
  const found = new Map<ProcessId, Program>();
  for (const node of union.nodes.values()) {
    if (node.kind === 'process' && node.started !== undefined) found.set(node.proc, programOf(node));
  }
  return found.size === 0 ? undefined : found;
}

/**
 * The local graph of one instance and partition: union of its shards, then what only the union knows: full ids of children,
 * names of addresses, which sockets the exchanges already tell, which units served the request.
 */
export function localGraph(shards: readonly Shard[], runtime: RuntimeProcesses): Graph {
  const union = new Graph();
  for (const shard of inOrder(shards)) {
    for (const node of shard.nodes) union.addNode(node);
    for (const edge of shard.edges) union.addEdge(toEdge(edge, shard));
  }
  const graph = renamed(union, new Map([...adoptions(union), ...addressNames(union)]));
  const clear = withoutShadows(graph);
  addLineage(clear, runtime);
  return clear;
}

/** Later facts win: the order of records is that of their numbers. */
function inOrder(shards: readonly Shard[]): readonly Shard[] {
  return [...shards].sort((a, b) => a.first - b.first || a.last - b.last || (a.segment < b.segment ? -1 : 1));
}

function toEdge({ seqs, ...edge }: ShardEdge, { segment, partition }: Shard): Edge {
  return { ...edge, partition, evidence: seqs.map((seq) => ({ segment, seq })) };
}

/** A child that its parent named by pid alone is the process with that pid that reported itself, if it is the only one. */
function adoptions(graph: Graph): Map<NodeId, NodeId | undefined> {
  const byPid = new Map<string, ProcessNode[]>();
  const unnamed: ProcessNode[] = [];
  for (const node of graph.nodes.values()) {
    if (node.kind !== 'process') continue;
    if (isUnnamed(node.proc)) unnamed.push(node);
    else byPid.set(pidOf(node), [...(byPid.get(pidOf(node)) ?? []), node]);
  }
  return new Map(
    unnamed.flatMap((node): [NodeId, NodeId | undefined][] => {
      const [match, ...others] = byPid.get(pidOf(node)) ?? [];
      if (match !== undefined) return [[node.id, others.length === 0 ? match.id : undefined]];
      // Never reported itself: a static program, which only its parent's word tells of. An exit alone tells nothing.
      return graph.into(node.id).some(({ op }) => op === 'start') ? [] : [[node.id, undefined]];
    }),
  );
}

const pidOf = ({ proc }: ProcessNode) => proc.slice(0, proc.indexOf('@'));

/** An address is called by the name it was last looked up under, else by the host of an exchange that went there. */
function addressNames(graph: Graph): Map<NodeId, NodeId | undefined> {
  const names = new Map<string, { readonly host: NodeId; readonly at: number }>();
  const found = new Map<NodeId, NodeId | undefined>();
  for (const node of graph.nodes.values()) {
    const addr = node.kind === 'exchange' || node.kind === 'endpoint' ? node.addr : undefined;
    const host = node.kind === 'exchange' || node.kind === 'endpoint' ? node.host : undefined;
    if (addr !== undefined && host !== undefined && !names.has(addr)) names.set(addr, { host: hostId(host), at: -1 });
  }
  for (const { op, from, to, end } of graph.edges()) {
    const node = graph.nodes.get(from);
    if (op !== 'alias' || node?.kind !== 'endpoint' || node.addr === undefined) continue;
    if ((names.get(node.addr)?.at ?? -1) < end) names.set(node.addr, { host: to, at: end });
  }
  for (const node of graph.nodes.values()) {
    if (node.kind !== 'endpoint' || node.host !== undefined || node.local !== undefined || node.addr === undefined) continue;
    if (node.port === 0) found.set(node.id, undefined);
    else {
      const name = names.get(node.addr)?.host;
      if (name !== undefined) found.set(node.id, name);
    }
  }
  return found;
}

/** `undefined` removes the node and its edges. */
function renamed(graph: Graph, names: ReadonlyMap<NodeId, NodeId | undefined>): Graph {
  if (names.size === 0) return graph;
  const result = new Graph();
  const name = (id: NodeId) => (names.has(id) ? names.get(id) : id);
  // Renamed ones first: what a node says of itself wins over what others said of it.
  const nodes = [...graph.nodes.values()].sort((a, b) => Number(names.has(b.id)) - Number(names.has(a.id)));
  for (const node of nodes) {
    const id = name(node.id);
    if (id === undefined) continue;
    if (id === node.id) result.addNode(node);
    else if (node.kind === 'process') result.addNode({ ...node, id, proc: id.slice(id.lastIndexOf(':') + 1) as ProcessId });
    else if (node.kind === 'endpoint') result.addNode({ ...node, id, host: id.slice('endpoint:'.length) });
  }
  for (const edge of graph.edges()) {
    const from = name(edge.from);
    const to = name(edge.to);
    if (from !== undefined && to !== undefined) result.addEdge({ ...edge, from, to });
  }
  return result;
}

/** The proxy tells more than the socket under it: sockets and look-ups of peers with exchanges or tunnels are left out. */
function withoutShadows(graph: Graph): Graph {
  const covered = new Set<NodeId>();
  for (const node of graph.nodes.values()) if (node.kind === 'exchange') covered.add(hostId(node.host));
  for (const edge of graph.edges()) {
    if ((edge.op === 'send' || edge.op === 'receive') && edge.sure === 'exact') covered.add(edge.to).add(edge.from);
  }
  const reached = new Set(covered);
  for (const edge of graph.edges()) if (edge.op === 'connect') reached.add(edge.to);
  const result = new Graph();
  const linked = new Set<NodeId>();
  for (const edge of graph.edges()) {
    const peer = graph.nodes.get(edge.op === 'receive' ? edge.from : edge.to);
    if (peer?.kind === 'endpoint' && peer.local === undefined && isShadow(edge, peer, covered, reached)) continue;
    // A write without a close: it may have lasted as long as its process was seen.
    const open = edge.op === 'write' && edge.bytes === 0 ? graph.nodes.get(edge.from)?.last : undefined;
    result.addEdge(open === undefined ? edge : { ...edge, end: Math.max(edge.end, open) });
    linked.add(edge.from).add(edge.to);
  }
  for (const node of graph.nodes.values()) if (node.kind !== 'endpoint' || linked.has(node.id)) result.addNode(node);
  return result;
}

function isShadow(edge: Edge, peer: EndpointNode, covered: ReadonlySet<NodeId>, reached: ReadonlySet<NodeId>): boolean {
  if (edge.op === 'lookup') return reached.has(peer.id);
  const ofSocket = edge.op === 'connect' || ((edge.op === 'send' || edge.op === 'receive') && edge.sure === 'inferred');
  return ofSocket && covered.has(peer.id);
}

function addLineage(graph: Graph, runtime: RuntimeProcesses): void {
  const request = [...graph.nodes.values()].find((node) => node.kind === 'request');
  const began = request === undefined ? undefined : graph.into(request.id).find(({ op }) => op === 'serves');
  const derived: Edge[] = [];
  for (const node of graph.nodes.values()) {
    if (node.kind !== 'process' || !isRequest(node.partition)) continue;
    const starts = graph.into(node.id).filter(({ op }) => op === 'start' || op === 'image');
    for (const edge of node.exited === undefined ? [] : starts) {
      // What a child printed went to its parent, through pipes that are not recorded.
      derived.push({
        ...edge,
        from: node.id,
        to: edge.from,
        op: 'exit',
        start: node.exited ?? 0,
        end: node.exited ?? 0,
        bytes: 0,
      });
    }
    const serving = runtime === undefined ? starts.length === 0 && !isUnnamed(node.proc) : runtime.has(node.proc);
    const program = runtime?.get(node.proc);
    if (program !== undefined) graph.nodes.set(node.id, { ...node, ...program, ...programOf(node) });
    if (request === undefined || !serving) continue;
    const sure = runtime === undefined ? 'inferred' : 'exact';
    const base = { sure, bytes: 0, count: 1, partition: node.partition, evidence: began?.evidence ?? [] } as const;
    const begin = request.begin ?? request.first;
    derived.push({ ...base, from: request.id, to: node.id, op: 'event', start: begin, end: begin });
    if (request.end !== undefined) {
      derived.push({ ...base, from: node.id, to: request.id, op: 'result', start: request.end, end: request.end });
    }
  }
  for (const edge of derived) graph.addEdge(edge);
}

export interface Place {
  readonly instance: InstanceId;
  readonly partition: Partition;
}
