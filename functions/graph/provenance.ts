import type { InstanceId } from '../../layers/record/types.ts';
import { retarget, sameNodes, sharedKeys, sinceFresh } from './across.ts';
import { contentAfter, contentBefore } from './content.ts';
import { answered, answers, handedOn, invoked, invokers, senders } from './handovers.ts';
import { instanceOf, type LinkKey, type NodeId, type Partition, requestId, shardOf } from './ids.ts';
import { lineage, successors } from './lineage.ts';
import { type Loaded, Loader } from './loader.ts';
import type { Graph, RuntimeProcesses } from './local.ts';
import { type Edge, LASTING, type Node } from './model.ts';
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

export type Direction = 'backward' | 'forward';

/** The time from which all of a node's causes (effects) count. */
export const fromBeginning = (direction: Direction) => (direction === 'backward' ? LASTING : 0);

/** Lambda lets a request run for 15 minutes: an entry that old may still stand for something that went on until now. */
const LONGEST_REQUEST = 900_000_000;

/**
 * The global graph, loaded as it is walked: local graphs of partitions, and the edges between them through links.
 *
 * Whoever asks it gets an answer that depends on the store and the budget alone, because it loads one thing after the other. That it
 * need not wait for each is its scout's doing: another one of these, which asks for everything at once, shares what it loads,
 * and whose own answers nobody but those who go ahead sees.
 */
export class Provenance {
  readonly cuts: Cut[] = [];
  readonly #loader: Loader;
  readonly #budget: Budget;
  readonly #role: 'walk' | 'alone' | 'scout';
  readonly #locals = new Map<string, Promise<Graph>>();
  readonly #nodes = new Map<NodeId, Node>();
  /** Loaded, and its nodes not yet among those above: most who ask do not ask for them. */
  readonly #unlisted: Graph[] = [];
  /** Of a scout: what was asked for. */
  readonly #begun = new Map<string, Promise<readonly Edge[]>>();
  #scout: { readonly graph: Provenance; readonly since: number } | undefined;

  /** @param role `alone`: nothing is loaded in advance */
  constructor(source: GraphSource | Loader, budget: Budget = DEFAULT_BUDGET, role: 'walk' | 'alone' | 'scout' = 'walk') {
    this.#loader = source instanceof Loader ? source : new Loader(source, budget.partitions);
    this.#budget = budget;
    this.#role = role;
  }

  /** Most links of one key that are looked at. */
  get linksPerKey(): number {
    return this.#budget.linksPerKey;
  }

  /** All nodes loaded so far. */
  get nodes(): Map<NodeId, Node> {
    for (const graph of this.#unlisted.splice(0)) {
      for (const node of graph.nodes.values()) this.#nodes.set(node.id, together(this.#nodes.get(node.id), node));
    }
    return this.#nodes;
  }

  /** Goes ahead of this one. */
  get scout(): Provenance | undefined {
    if (this.#role !== 'walk') return undefined;
    // What the one before had found is forgotten with it, or it would hold more than the budget has.
    if (this.#scout?.since !== this.#loader.forgotten) {
      this.#scout = { graph: new Provenance(this.#loader, this.#budget, 'scout'), since: this.#loader.forgotten };
    }
    return this.#scout.graph;
  }

  /** Results in the order of the items. */
  async each<T, R>(items: readonly T[], act: (item: T) => Promise<R>): Promise<readonly R[]> {
    if (items.length === 0) return [];
    if (this.#role === 'scout') return await Promise.all(items.map(act));
    const results: R[] = [];
    for (const item of items) results.push(await act(item));
    return results;
  }

  /** The local graph of one instance and partition; empty when there is none, undefined when the budget is spent. */
  async local(instance: InstanceId, partition: Partition, asker: NodeId): Promise<Graph | undefined> {
    const key = `${instance}/${partition}`;
    let graph = this.#locals.get(key);
    if (graph === undefined && this.#role === 'scout') {
      const loaded = this.#loader.inAdvance(instance, partition);
      if (loaded === undefined) return undefined;
      graph = this.#keep(loaded, instance, partition);
    } else if (graph === undefined) {
      if (this.#locals.size >= this.#budget.partitions) {
        this.#cut(asker, 'partitions');
        return undefined;
      }
      graph = this.#keep(this.#loader.wanted(instance, partition), instance, partition);
    }
    this.#locals.set(key, graph);
    return await graph;
  }

  /** Local graphs of one instance, as far as the budget goes, all asked for at once. */
  async locals(instance: InstanceId, partitions: readonly Partition[]): Promise<readonly Graph[]> {
    const asked = partitions.map((partition) => this.local(instance, partition, requestId(instance, partition)));
    return (await Promise.all(asked)).filter((graph) => graph !== undefined);
  }

  runtime(instance: InstanceId): Promise<RuntimeProcesses> {
    return this.#loader.runtime(instance);
  }

  /** The node itself; loads its shard, or for a shared node one that mentions it. */
  async find(id: NodeId): Promise<Node | undefined> {
    const { scout } = this;
    const place = shardOf(id);
    if (place === undefined && scout !== undefined) await scout.find(id).catch(() => undefined);
    if (place !== undefined) await this.local(place.instance, place.partition, id);
    else {
      const graphs = await this.#shared(id, undefined, { limit: 4 });
      const [other] = this.nodes.has(id)
        ? []
        : graphs.flatMap((graph) => sameNodes(graph, id, this).map((one) => graph.nodes.get(one)));
      // An address that goes by a name where it was met.
      if (other?.kind === 'endpoint') this.nodes.set(id, { ...other, id });
    }
    return this.nodes.get(id);
  }

  /** Begins to load what asking for a node's causes (effects) will need, while something else is waited for. */
  ahead(id: NodeId, at: number, direction: Direction): void {
    void this.#scouted(id, at, direction);
  }

  /** Edges into the node that may have carried something by `at`, over all partitions. Of joins, exact ones where there are any. */
  async causesOf(id: NodeId, at: number): Promise<readonly Edge[]> {
    if (this.#role === 'scout') return await this.#once(id, at, 'backward');
    await this.#scouted(id, at, 'backward');
    return await this.#causesOf(id, at);
  }

  /** The same for who is being asked for causes already: their answer may wait for this one, so this one does not wait for theirs. */
  causesWithin(id: NodeId, at: number): Promise<readonly Edge[]> {
    return this.#causesOf(id, at);
  }

  /** Edges out of the node that may carry something from `at` on. */
  async effectsOf(id: NodeId, at: number): Promise<readonly Edge[]> {
    if (this.#role === 'scout') return await this.#once(id, at, 'forward');
    await this.#scouted(id, at, 'forward');
    return await this.#effectsOf(id, at);
  }

  /** Edges of a node within its own partition, without what joins add. */
  async edgesWithin(id: NodeId, direction: Direction): Promise<readonly Edge[]> {
    const place = shardOf(id);
    const graph = place && (await this.local(place.instance, place.partition, id));
    return (direction === 'backward' ? graph?.into(id) : graph?.outOf(id)) ?? [];
  }

  async #scouted(id: NodeId, at: number, direction: Direction): Promise<void> {
    try {
      const { scout } = this;
      if (scout !== undefined) await scout.#once(id, at, direction);
    } catch {
      // Whoever needs what could not be loaded is told when it asks for it itself.
    }
  }

  #once(id: NodeId, at: number, direction: Direction): Promise<readonly Edge[]> {
    const key = `${direction} ${at} ${id}`;
    let edges = this.#begun.get(key);
    if (edges === undefined) {
      edges = direction === 'backward' ? this.#causesOf(id, at) : this.#effectsOf(id, at);
      this.#begun.set(key, edges);
    }
    return edges;
  }

  async #causesOf(id: NodeId, at: number): Promise<readonly Edge[]> {
    const place = shardOf(id);
    if (place === undefined) {
      const graphs = await this.#shared(id, 'out', { before: at, limit: this.#budget.linksPerKey });
      const edges = graphs.flatMap((graph) => sameNodes(graph, id, this).flatMap((one) => retarget(graph.into(one), 'to', id)));
      return id.startsWith('file:') ? sinceFresh(edges, at) : edges;
    }
    const graph = await this.local(place.instance, place.partition, id);
    if (graph === undefined) return [];
    const edges = graph.into(id);
    const node = graph.nodes.get(id);
    if (node?.kind === 'process') return await lineage(this, node, edges, at);
    const joined: (() => Promise<readonly Edge[]>)[] = [];
    if (node?.kind === 'request') joined.push(() => invokers(this, node));
    if (node?.kind === 'exchange')
      joined.push(
        () => answers(this, node),
        () => senders(this, node),
        () => contentBefore(this, graph, node),
      );
    return await this.#with(edges, joined);
  }

  async #effectsOf(id: NodeId, at: number): Promise<readonly Edge[]> {
    const place = shardOf(id);
    if (place === undefined) {
      const range = { after: Math.max(0, at - LONGEST_REQUEST), order: 'oldest', limit: this.#budget.linksPerKey } as const;
      const graphs = await this.#shared(id, 'in', range);
      return graphs.flatMap((graph) => sameNodes(graph, id, this).flatMap((one) => retarget(graph.outOf(one), 'from', id)));
    }
    const graph = await this.local(place.instance, place.partition, id);
    if (graph === undefined) return [];
    const edges = graph.outOf(id);
    const node = graph.nodes.get(id);
    const joined: (() => Promise<readonly Edge[]>)[] = [];
    if (node?.kind === 'process') joined.push(() => successors(this, node));
    if (node?.kind === 'exchange')
      joined.push(
        () => invoked(this, node),
        () => contentAfter(this, graph, node),
      );
    if (node?.kind === 'request')
      joined.push(
        () => answered(this, node),
        () => handedOn(this, node),
      );
    return await this.#with(edges, joined);
  }

  /** Most nodes are not joined to anything: their edges are the very same array. */
  async #with(edges: readonly Edge[], joined: readonly (() => Promise<readonly Edge[]>)[]): Promise<readonly Edge[]> {
    if (joined.length === 0) return edges;
    const more = (await this.each(joined, (find) => find())).flat();
    return more.length === 0 ? edges : [...edges, ...more];
  }

  /** Links under a key, each instance and node once. If there are more in the range, they are named as cut off. */
  async links(key: LinkKey, range: LinkRange, asker: NodeId): Promise<readonly Link[]> {
    const { links, cut } = await this.#loader.page(key, range);
    if (cut) this.#cut(asker, 'links');
    return links;
  }

  /** Some links in one direction, when any of them will do: only a page without one is named as cut off. */
  async someLinks(key: LinkKey, range: LinkRange, direction: Link['direction'], asker: NodeId): Promise<readonly Link[]> {
    const { links, cut } = await this.#loader.page(key, range);
    const found = links.filter((link) => link.direction === direction && link.node !== asker);
    if (cut && found.length === 0) this.#cut(asker, 'links');
    return found;
  }

  /** The newest links under a key, for a question that needs no more than some. */
  recent(key: LinkKey, limit: number): Promise<LinkPage> {
    return this.#loader.page(key, { limit });
  }

  async #keep(loaded: Promise<Loaded>, instance: InstanceId, partition: Partition): Promise<Graph> {
    const { graph, indexCut } = await loaded;
    if (indexCut) this.#cut(requestId(instance, partition), 'index');
    this.#unlisted.push(graph);
    return graph;
  }

  /** Local graphs that mention a node which many partitions share. */
  async #shared(id: NodeId, direction: 'in' | 'out' | undefined, range: LinkRange): Promise<readonly Graph[]> {
    const own = instanceOf(id);
    const places = new Map<string, Link>();
    for (const links of await this.each(sharedKeys(id), (key) => this.links(key, range, id))) {
      for (const link of links) {
        const wanted = direction === undefined || link.direction === 'at' || link.direction === direction;
        // Keys of what lives in an instance are only believed from that instance.
        if (wanted && (own === undefined || own === link.instance)) places.set(`${link.instance}/${link.partition}`, link);
      }
    }
    // All at once: which of them the budget has room for is settled before the first has come.
    const graphs = await Promise.all([...places.values()].map((link) => this.local(link.instance, link.partition, id)));
    return graphs.filter((graph) => graph !== undefined);
  }

  /** A node that lies in a partition, loaded if need be. */
  async nodeAt(id: NodeId, asker: NodeId): Promise<Node | undefined> {
    const place = shardOf(id);
    return place && (await this.local(place.instance, place.partition, asker))?.nodes.get(id);
  }

  #cut(node: NodeId, why: Cut['why']): void {
    if (!this.cuts.some((cut) => cut.node === node && cut.why === why)) this.cuts.push({ node, why });
  }
}

/** What partitions say of a node that they share: the word of the one that saw it first, whichever was loaded first. */
function together(known: Node | undefined, node: Node): Node {
  if (known === undefined) return node;
  const last = Math.max(known.last, node.last);
  const earlier = node.first < known.first ? node : known;
  return earlier.last === last ? earlier : { ...earlier, last };
}
