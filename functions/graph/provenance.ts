import type { InstanceId } from '../../layers/record/types.ts';
import { retarget, sameNodes, sharedKeys, sinceFresh } from './across.ts';
import { processKey } from './build.ts';
import { contentAfter, contentBefore } from './content.ts';
import { answered, answers, handedOn, invoked, invokers, senders } from './handovers.ts';
import {
  INIT,
  instanceOf,
  isRequest,
  type LinkKey,
  type NodeId,
  type Partition,
  processId,
  requestId,
  shardOf,
} from './ids.ts';
import { requestOf, surviveEdge } from './joins.ts';
import { type Graph, localGraph, programOf, type RuntimeProcesses, runtimeProcesses } from './local.ts';
import type { Edge, Node, ProcessNode } from './model.ts';
import { isUnnamed } from './observe-process.ts';
import type { Link } from './shard.ts';
import type { GraphSource, LinkPage, LinkRange } from './source.ts';

/** What a walk may load. Reaching a limit never fails: what was left is named in `cuts`. */
export interface Budget {
  readonly partitions: number;
  readonly linksPerKey: number;
}
export const DEFAULT_BUDGET: Budget = { partitions: 400, linksPerKey: 200 };

export interface Cut {
  readonly node: NodeId;
  readonly why: 'partitions' | 'links' | 'index';
}

/** Lambda lets a request run for 15 minutes: an entry that old may still stand for something that went on until now. */
const LONGEST_REQUEST = 900_000_000;

/** The global graph, loaded as it is walked: local graphs of partitions, and the edges between them through links. */
export class Provenance {
  readonly cuts: Cut[] = [];
  readonly nodes = new Map<NodeId, Node>();
  readonly #source: GraphSource;
  readonly #budget: Budget;
  readonly #locals = new Map<string, Promise<Graph>>();
  readonly #runtimes = new Map<InstanceId, Promise<RuntimeProcesses>>();
  readonly #links = new Map<string, Promise<LinkPage>>();
  readonly #begun = new Map<string, Promise<readonly Edge[]>>();
  /** Units whose program was looked for: what lies between requests is before and after them, so a search can come back. */
  readonly #inheriting = new Set<NodeId>();

  constructor(source: GraphSource, budget: Budget = DEFAULT_BUDGET) {
    this.#source = source;
    this.#budget = budget;
  }

  /** Most links of one key that are looked at. */
  get linksPerKey(): number {
    return this.#budget.linksPerKey;
  }

  /** The local graph of one instance and partition; empty when there is none, undefined when the budget is spent. */
  async local(instance: InstanceId, partition: Partition, asker: NodeId): Promise<Graph | undefined> {
    const key = `${instance}/${partition}`;
    let graph = this.#locals.get(key);
    if (graph === undefined) {
      if (this.#locals.size >= this.#budget.partitions) {
        this.#cut(asker, 'partitions');
        return undefined;
      }
      graph = this.#load(instance, partition);
      this.#locals.set(key, graph);
    }
    return await graph;
  }

  runtime(instance: InstanceId): Promise<RuntimeProcesses> {
    let found = this.#runtimes.get(instance);
    if (found === undefined) {
      found = this.#source.shardsOf(instance, INIT).then(runtimeProcesses);
      this.#runtimes.set(instance, found);
    }
    return found;
  }

  /** The node itself; loads its shard, or for a shared node one that mentions it. */
  async find(id: NodeId): Promise<Node | undefined> {
    const place = shardOf(id);
    if (place !== undefined) await this.local(place.instance, place.partition, id);
    else {
      const graphs = await this.#shared(id, undefined, { limit: 4 });
      const [other] = this.nodes.has(id)
        ? []
        : graphs.flatMap((graph) => sameNodes(graph, id, this.nodes).map((one) => graph.nodes.get(one)));
      // An address that goes by a name where it was met.
      if (other?.kind === 'endpoint') this.nodes.set(id, { ...other, id });
    }
    return this.nodes.get(id);
  }

  /**
   * Begins to load what asking for a node's causes (effects) will need, while something else is waited for. Not near the end
   * of the budget: what is left of it goes to whoever comes first.
   */
  ahead(id: NodeId, at: number, direction: 'backward' | 'forward' = 'backward'): void {
    const key = `${direction} ${at} ${id}`;
    if (this.#locals.size * 2 > this.#budget.partitions || this.#begun.has(key)) return;
    const edges = direction === 'backward' ? this.#causesOf(id, at) : this.#effectsOf(id, at);
    this.#begun.set(key, edges);
    // Whoever asks for it is told of a failure.
    edges.catch(() => undefined);
  }

  /** Edges into the node that may have carried something by `at`, over all partitions. Of joins, exact ones where there are any. */
  async causesOf(id: NodeId, at: number): Promise<readonly Edge[]> {
    return await (this.#begun.get(`backward ${at} ${id}`) ?? this.#causesOf(id, at));
  }

  /** Edges out of the node that may carry something from `at` on. */
  async effectsOf(id: NodeId, at: number): Promise<readonly Edge[]> {
    return await (this.#begun.get(`forward ${at} ${id}`) ?? this.#effectsOf(id, at));
  }

  async #causesOf(id: NodeId, at: number): Promise<readonly Edge[]> {
    const place = shardOf(id);
    if (place === undefined) {
      const graphs = await this.#shared(id, 'out', { before: at, limit: this.#budget.linksPerKey });
      const edges = graphs.flatMap((graph) =>
        sameNodes(graph, id, this.nodes).flatMap((one) => retarget(graph.into(one), 'to', id)),
      );
      return id.startsWith('file:') ? sinceFresh(edges, at) : edges;
    }
    const graph = await this.local(place.instance, place.partition, id);
    if (graph === undefined) return [];
    const edges = graph.into(id);
    const node = graph.nodes.get(id);
    if (node?.kind === 'request') return [...edges, ...(await invokers(this, node))];
    if (node?.kind === 'exchange') {
      const joined = [answers(this, node), senders(this, node), contentBefore(this, graph, node)];
      return [...edges, ...(await Promise.all(joined)).flat()];
    }
    if (node?.kind === 'process') return this.#lineage(node, edges, at);
    return edges;
  }

  async #effectsOf(id: NodeId, at: number): Promise<readonly Edge[]> {
    const place = shardOf(id);
    if (place === undefined) {
      const range = { after: Math.max(0, at - LONGEST_REQUEST), order: 'oldest', limit: this.#budget.linksPerKey } as const;
      const graphs = await this.#shared(id, 'in', range);
      return graphs.flatMap((graph) =>
        sameNodes(graph, id, this.nodes).flatMap((one) => retarget(graph.outOf(one), 'from', id)),
      );
    }
    const graph = await this.local(place.instance, place.partition, id);
    if (graph === undefined) return [];
    const edges = graph.outOf(id);
    const node = graph.nodes.get(id);
    if (node?.kind === 'exchange')
      return [...edges, ...(await Promise.all([invoked(this, node), contentAfter(this, graph, node)])).flat()];
    if (node?.kind === 'request')
      return [...edges, ...(await Promise.all([answered(this, node), handedOn(this, node)])).flat()];
    if (node?.kind === 'process') return [...edges, ...(await this.#successors(node))];
    return edges;
  }

  /** Links under a key, each instance and node once. If there are more in the range, they are named as cut off. */
  async links(key: LinkKey, range: LinkRange, asker: NodeId): Promise<readonly Link[]> {
    const { links, cut } = await this.#page(key, range);
    if (cut) this.#cut(asker, 'links');
    return links;
  }

  /** Some links in one direction, when any of them will do: only a page without one is named as cut off. */
  async someLinks(key: LinkKey, range: LinkRange, direction: Link['direction'], asker: NodeId): Promise<readonly Link[]> {
    const { links, cut } = await this.#page(key, range);
    const found = links.filter((link) => link.direction === direction && link.node !== asker);
    if (cut && found.length === 0) this.#cut(asker, 'links');
    return found;
  }

  /** The newest links under a key, for a question that needs no more than some. */
  recent(key: LinkKey, limit: number): Promise<LinkPage> {
    return this.#page(key, { limit });
  }

  #page(key: LinkKey, range: LinkRange): Promise<LinkPage> {
    const name = `${key}\n${range.before ?? ''}\n${range.after ?? ''}\n${range.order ?? ''}\n${range.limit}`;
    let found = this.#links.get(name);
    if (found === undefined) {
      found = this.#source.linksOf(key, range);
      this.#links.set(name, found);
    }
    return found;
  }

  async #load(instance: InstanceId, partition: Partition): Promise<Graph> {
    const [shards, runtime] = await Promise.all([this.#source.shardsOf(instance, partition), this.runtime(instance)]);
    if (shards.some(({ linksCut = 0 }) => linksCut > 0)) this.#cut(requestId(instance, partition), 'index');
    const graph = localGraph(shards, runtime);
    for (const node of graph.nodes.values()) if (!this.nodes.has(node.id)) this.nodes.set(node.id, node);
    return graph;
  }

  /** Local graphs that mention a node which many partitions share. */
  async #shared(id: NodeId, direction: 'in' | 'out' | undefined, range: LinkRange): Promise<readonly Graph[]> {
    const own = instanceOf(id);
    const places = new Map<string, Link>();
    for (const links of await Promise.all(sharedKeys(id).map((key) => this.links(key, range, id)))) {
      for (const link of links) {
        const wanted = direction === undefined || link.direction === 'at' || link.direction === direction;
        // Keys of what lives in an instance are only believed from that instance.
        if (wanted && (own === undefined || own === link.instance)) places.set(`${link.instance}/${link.partition}`, link);
      }
    }
    const graphs = await Promise.all([...places.values()].map((link) => this.local(link.instance, link.partition, id)));
    return graphs.filter((graph) => graph !== undefined);
  }

  /** A node that lies in a partition, loaded if need be. */
  async nodeAt(id: NodeId, asker: NodeId): Promise<Node | undefined> {
    const place = shardOf(id);
    return place && (await this.local(place.instance, place.partition, asker))?.nodes.get(id);
  }

  /** What a unit continues: its start here, or its own unit in the partition before, or (start not recorded) the request. */
  async #lineage(node: ProcessNode, edges: readonly Edge[], at: number): Promise<readonly Edge[]> {
    const runtime = await this.runtime(node.instance);
    const startedHere = edges.some(({ op }) => op === 'start');
    if (isUnnamed(node.proc) || runtime?.has(node.proc) || startedHere || node.partition === INIT) return edges;
    const whole = !isRequest(node.partition);
    const latest = whole ? Math.min(at, node.last) : node.first - 1;
    const range = { before: Math.max(0, latest), limit: this.#budget.linksPerKey };
    const found = (await this.links(processKey(node.instance, node.proc), range, node.id)).filter(
      (link) => link.instance === node.instance && link.partition !== node.partition,
    );
    // What lies between requests is one unit for all of its pieces, so any request before may be the one before.
    const earlier = whole
      ? [...new Map([...found].reverse().map((link) => [link.partition, link])).values()]
      : found.slice(0, 1);
    if (earlier.length === 0) return await this.#unknownStart(node, edges);
    // With no record of init, what came before may as well be the runtime: then nothing is chained, its requests are independent.
    if (runtime === undefined && edges.some(({ op }) => op === 'event')) return edges;
    for (const link of earlier) await this.#inherit(node, processId(node.instance, link.partition, node.proc), link.partition);
    // A new image taken on by an older process is not a start.
    const own = edges.filter(({ op }) => op !== 'image');
    return [...own, ...earlier.map((link) => surviveEdge(link, node, Math.max(link.t, latest)))];
  }

  /** Neither seen starting nor seen before: its start was lost. It acted during this request, so that is the best guess. */
  async #unknownStart(node: ProcessNode, edges: readonly Edge[]): Promise<readonly Edge[]> {
    const known = edges.some(({ op }) => op === 'image' || op === 'event');
    const request = requestOf(node);
    const graph = known || !isRequest(node.partition) ? undefined : await this.local(node.instance, node.partition, node.id);
    if (!graph?.nodes.has(request)) return edges;
    const base = { op: 'event', sure: 'inferred', start: node.first, end: node.first, bytes: 0, count: 1 } as const;
    return [...edges, { ...base, from: request, to: node.id, partition: node.partition, evidence: [] }];
  }

  /** What a process runs was said in the partition where it started, perhaps several before this one. */
  async #inherit(node: ProcessNode, before: NodeId, partition: Partition): Promise<void> {
    const named = this.nodes.get(node.id);
    if (this.#inheriting.has(node.id) || (named?.kind === 'process' && named.exe !== undefined)) return;
    this.#inheriting.add(node.id);
    const older = (await this.local(node.instance, partition, node.id))?.nodes.get(before);
    if (older?.kind !== 'process') return;
    if (older.exe === undefined) await this.causesOf(before, older.last);
    const known = this.nodes.get(before);
    if (known?.kind === 'process') this.nodes.set(node.id, { ...node, ...programOf(known) });
  }

  async #successors(node: ProcessNode): Promise<readonly Edge[]> {
    const runtime = await this.runtime(node.instance);
    if (isUnnamed(node.proc) || runtime?.has(node.proc) || node.partition === INIT) return [];
    const range = { after: node.first, order: 'oldest', limit: this.#budget.linksPerKey } as const;
    const later = await this.links(processKey(node.instance, node.proc), range, node.id);
    const after = later.filter(
      (link) => link.instance === node.instance && link.partition !== node.partition && link.t >= node.first,
    );
    const next = isRequest(node.partition)
      ? after.slice(0, 1)
      : [...new Map([...after].reverse().map((one) => [one.partition, one])).values()];
    if (runtime === undefined) return [];
    return next.map((link) => {
      const to = processId(node.instance, link.partition, node.proc);
      return { ...surviveEdge(link, node, link.t), from: node.id, to };
    });
  }

  #cut(node: NodeId, why: Cut['why']): void {
    if (!this.cuts.some((cut) => cut.node === node && cut.why === why)) this.cuts.push({ node, why });
  }
}
