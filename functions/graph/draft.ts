import type { AuditRecord, InstanceId, JoinKey, ProcessId, ResourceRef } from '../../layers/record/types.ts';
import { type Drafted, PRIORITY, type Priority } from './draft-entries.ts';
import { type Flow, type Folded, type Mutable, Part } from './draft-part.ts';
import { type LinkKey, namedFileId, type Partition, partitionOf, processId, requestId, resourceId, treeId } from './ids.ts';
import { label } from './label.ts';
import type { ExchangeNode, Node, Operation, ProcessNode, RequestNode, Sure } from './model.ts';
import type { PathClass } from './paths.ts';
import type { Link, RequestEntry, Shard } from './shard.ts';

/** Index entries one segment may make. More come only from a flood. */
export const MAX_LINKS = 4000;

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

/**
 * Keys worth an index entry. An object that was written is found by the id of the write, and as a resource: the key made of
 * its name and version says nothing more.
 */
export function indexed(keys: readonly JoinKey[], resources: readonly ResourceRef[]): readonly JoinKey[] {
  if (!keys.some(({ key }) => key.startsWith('s3req:'))) return keys;
  return keys.filter(({ key }) => !(key.startsWith('s3:') && resources.some(({ id }) => id === `s3://${key.slice(3)}`)));
}

/** Before the first record was taken; no record has such a partition. */
const NOWHERE = new Part('~' as Partition);

/**
 * What is being built from one segment: parts by partition, index entries, requests. Records are taken one after the other; what
 * is drafted belongs to the one that was taken last. Nodes and edges are folded in place: nothing given here may be used by the
 * caller afterwards.
 */
export class Draft {
  readonly instance: InstanceId;
  readonly fn: string;
  readonly segment: string;
  readonly requests: RequestEntry[] = [];
  readonly #parts = new Map<Partition, Part>();
  /** Those with nodes, in the order in which they got their first one. */
  readonly #drafted: Part[] = [];
  #part = NOWHERE;
  #seq = 0;
  #t = 0;
  #proc: ProcessId | undefined;
  /** That process's unit, if it was asked for. */
  #unit: Folded<ProcessNode> | undefined;

  constructor(instance: InstanceId, fn: string, segment: string) {
    this.instance = instance;
    this.fn = fn;
    this.segment = segment;
  }

  /**
   * From here on, `record` is what is being observed.
   * @returns the unit of its process: every observation widens the unit's interval, also those that make no edge; else the
   * interval would depend on how the records were cut into segments
   */
  take(record: AuditRecord): Folded<ProcessNode> | undefined {
    const { seq, t, proc } = record;
    const partition = partitionOf(record);
    if (partition !== this.#part.partition) {
      this.#part = this.#partOf(partition);
      this.#unit = undefined;
    } else if (proc !== this.#proc) this.#unit = undefined;
    this.#seq = seq;
    this.#t = t;
    this.#proc = proc;
    return proc === undefined ? undefined : this.unit(proc);
  }

  /** The same record tells something that happened later, µs. */
  later(by: number): void {
    this.#t += by;
    if (this.#proc !== undefined) this.unit(this.#proc);
  }

  /** In whose part and when the record that was taken happened. */
  get partition(): Partition {
    return this.#part.partition;
  }
  get t(): number {
    return this.#t;
  }

  /** A node of a kind that has no method of its own. */
  node(node: Node): Folded {
    return this.#fold(this.#part.others, node.id, node);
  }

  /** @param name what the record calls it */
  exchange(name: string, node: ExchangeNode): Folded {
    return this.#fold(this.#part.exchanges, name, node);
  }

  #fold(known: Map<string, Folded>, name: string, node: Node): Folded {
    const before = known.get(name);
    if (before !== undefined) {
      const { first, last } = before.node;
      Object.assign(before.node, node);
      widen(before.node, first, last);
      return before;
    }
    const added = this.#add(node);
    known.set(name, added);
    return added;
  }

  resource({ id, type }: ResourceRef, first: number, last: number): Folded {
    const { resources } = this.#part;
    let folded = resources.get(id);
    if (folded === undefined) {
      folded = this.#add({ kind: 'resource', id: resourceId(id), type, resource: id, first, last });
      resources.set(id, folded);
    } else {
      widen(folded.node, first, last);
      folded.node.type = type;
    }
    return folded;
  }

  /** The process unit in which the record was observed; the request itself when the recorder could not tell the process. */
  actor(): Folded {
    return this.#proc === undefined ? this.request() : this.unit(this.#proc);
  }

  unit(proc: ProcessId): Folded<ProcessNode> {
    const own = proc === this.#proc;
    const unit = (own ? this.#unit : undefined) ?? this.unitIn(this.partition, proc) ?? this.#newUnit(proc);
    if (own) this.#unit = unit;
    widen(unit.node, this.#t, this.#t);
    return unit;
  }

  #newUnit(proc: ProcessId): Folded<ProcessNode> {
    const { units, partition } = this.#part;
    const { instance } = this;
    const id = processId(instance, partition, proc);
    const unit = this.#add<ProcessNode>({ kind: 'process', id, instance, partition, proc, first: this.#t, last: this.#t });
    units.set(proc, unit);
    return unit;
  }

  /** If there is one. */
  unitIn(partition: Partition, proc: ProcessId): Folded<ProcessNode> | undefined {
    const part = partition === this.partition ? this.#part : this.#parts.get(partition);
    return part?.units.get(proc);
  }

  request(): Folded<RequestNode> {
    const part = this.#part;
    const { partition } = part;
    const { instance, fn } = this;
    const [first, last] = [this.#t, this.#t];
    part.request ??= this.#add({ kind: 'request', id: requestId(instance, partition), instance, fn, partition, first, last });
    widen(part.request.node, first, last);
    return part.request;
  }

  /** The node of a path. Several paths come to one tree, and several spellings to one file. */
  path(seen: Exclude<PathClass, { as: 'nothing' }>): Folded {
    const { paths } = this.#part;
    const { instance } = this;
    const known = seen.as === 'tree' ? seen : seen.path;
    const [first, last] = [this.#t, this.#t];
    let folded = paths.get(known);
    if (folded === undefined) {
      folded = this.#add(
        seen.as === 'tree'
          ? { kind: 'image-tree', id: treeId(instance, seen.root), root: seen.root, instance, first, last }
          : {
              kind: 'file',
              id: namedFileId(instance, seen.name),
              path: seen.path,
              writable: seen.writable,
              instance,
              first,
              last,
            },
      );
      paths.set(known, folded);
    }
    widen(folded.node, first, last);
    return folded;
  }

  /**
   * Something flowed. Flows of one kind between the same two nodes in one partition are one edge.
   * @param fresh when earlier content of the file was thrown away
   */
  edge(
    from: Folded,
    op: Operation,
    to: Folded,
    start = this.#t,
    end = start,
    bytes = 0,
    sure: Sure = 'exact',
    fresh?: number,
  ): void {
    if (from === to) return;
    const seqs = [this.#seq];
    end = Math.max(start, end);
    const flow: Flow = { from: from.node.id, to: to.node.id, op, sure, start, end, bytes, count: 1, seqs };
    if (fresh !== undefined) flow.fresh = fresh;
    this.#part.flow(from, to, flow);
  }

  /** An index entry under a key that several nodes may have: one for each direction. */
  link(priority: Priority, key: LinkKey, direction: Link['direction'], node: Folded, t = this.#t): void {
    this.#part.entries.shared(priority, key, direction, node, t, this.#seq);
  }

  /** One under the node's own id. */
  linkOwn(priority: Priority, direction: Link['direction'], node: Folded, t = this.#t): void {
    this.#part.entries.own(priority, direction, node, t, this.#seq);
  }

  /** One for each node that has the key. */
  join(key: JoinKey, direction: 'out' | 'in', node: Folded, t = this.#t): void {
    this.#part.entries.join(key, direction, node, t, this.#seq);
  }

  /** To be called last: labels tell what the whole segment knows of a node. */
  links(): { readonly links: readonly Link[]; readonly cut: number } {
    const { instance, fn, segment } = this;
    let all: Drafted[] = [];
    for (const { entries } of this.#drafted) entries.addTo(all);
    const cut = Math.max(0, all.length - MAX_LINKS);
    if (cut > 0) {
      const order = (a: Drafted, b: Drafted) =>
        PRIORITY[a.priority] - PRIORITY[b.priority] || a.seq - b.seq || (a.key < b.key ? -1 : 1);
      all = all.sort(order).slice(0, MAX_LINKS);
    }
    const links = all.map(({ key, direction, partition, t, folded, sure, seq }): Link => {
      const { id, kind } = folded.node;
      folded.label ??= label(folded.node);
      const evidence = { segment, seq };
      return { key, direction, t, instance, fn, partition, node: id, kind, label: folded.label, sure, evidence };
    });
    return { links, cut };
  }

  shards(first: number, last: number, linksCut: number): readonly Shard[] {
    const { instance, fn, segment } = this;
    return this.#drafted.map(({ partition, nodes, edges }) => {
      const of = { instance, fn, partition, segment, first, last };
      return linksCut === 0 ? { ...of, nodes, edges } : { ...of, linksCut, nodes, edges };
    });
  }

  #partOf(partition: Partition): Part {
    let part = this.#parts.get(partition);
    if (part === undefined) {
      part = new Part(partition);
      this.#parts.set(partition, part);
    }
    return part;
  }

  #add<N extends Node>(node: N): Folded<N> {
    const part = this.#part;
    const { nodes } = part;
    if (nodes.length === 0) this.#drafted.push(part);
    const added: Folded<N> = { node, index: nodes.length, own: undefined, seen: undefined, label: undefined };
    nodes.push(node);
    return added;
  }
}

function widen(node: Mutable<Node>, first: number, last: number): void {
  if (first < node.first) node.first = first;
  if (last > node.last) node.last = last;
}
