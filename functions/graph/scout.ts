import { leadsNowhere } from './across.ts';
import type { NodeId } from './ids.ts';
import { kindOf } from './lead.ts';
import type { Edge } from './model.ts';
import type { Provenance } from './provenance.ts';
import { BestFirst } from './queue.ts';
import { betterIn, flowsOf, follow, type Visit, type WalkOptions } from './walk.ts';

/** Nodes whose edges are waited for at once. */
const ABREAST = 96;
/** Of these, such as the walk may come to: with more, it is less likely that it does. */
const MAYBE = 16;
/**
 * Nodes looked at that the walk may come to: half as many as it may visit to begin with, and so many more for each that it has come
 * to. Bounds what is loaded in vain.
 */
const EACH = 2;
const FIRST = 0.5;

/**
 * Goes ahead of a walk, so that the walk finds loaded what it comes to: takes the same ways in about the same order, but
 * many at once, and over the edges of a partition before it is known what joins add to them. It decides nothing.
 */
export class Scout {
  readonly #graph: Provenance;
  readonly #options: WalkOptions;
  readonly #better: (a: number, b: number) => boolean;
  /** Best time at which something led to a node, and the last one at which it was looked at. */
  readonly #seen = new Map<NodeId, number>();
  readonly #looked = new Map<NodeId, number>();
  /** The walk will come to these. */
  readonly #expected: Visit[] = [];
  readonly #maybe: BestFirst<Visit>;
  #abreast = 0;
  #left: number;
  #open = true;

  constructor(graph: Provenance, options: WalkOptions) {
    this.#graph = graph;
    this.#options = options;
    this.#left = FIRST * options.limit;
    this.#better = betterIn(options.direction);
    this.#maybe = new BestFirst(this.#better);
  }

  /** The walk will come to this node. */
  expect(visit: Visit): void {
    if (leadsNowhere(visit.node) || this.#looked.get(visit.node) === visit.at) return;
    if (this.#isNews(visit)) this.#seen.set(visit.node, visit.at);
    this.#expected.push(visit);
  }

  /**
   * The walk has come one node further.
   * @param open it may still come to nodes that nothing has led it to yet
   */
  goOn(open: boolean): void {
    this.#left += EACH;
    this.#open = open;
    this.#start();
  }

  /** The walk has ended: nothing more is begun. */
  end(): void {
    this.#expected.length = 0;
    this.#open = false;
  }

  #start(): void {
    const graph = this.#graph.scout;
    if (graph === undefined) return;
    for (let visit = this.#next(); visit !== undefined; visit = this.#next()) {
      if (this.#looked.get(visit.node) === visit.at) continue;
      this.#looked.set(visit.node, visit.at);
      this.#abreast++;
      void this.#look(graph, visit).finally(() => {
        this.#abreast--;
        this.#start();
      });
    }
  }

  #next(): Visit | undefined {
    if (this.#abreast >= ABREAST) return undefined;
    const expected = this.#expected.shift();
    if (expected !== undefined) return expected;
    if (!this.#open || this.#left <= 0 || this.#abreast >= MAYBE) return undefined;
    let maybe = this.#maybe.pop();
    while (maybe !== undefined && this.#seen.get(maybe.node) !== maybe.at) maybe = this.#maybe.pop();
    if (maybe !== undefined) this.#left--;
    return maybe;
  }

  async #look(graph: Provenance, visit: Visit): Promise<void> {
    const { direction, hub = Number.POSITIVE_INFINITY, stop } = this.#options;
    if (visit.depth > 0 && stop?.has(kindOf(visit.node))) return;
    const led = (edges: readonly Edge[]) => {
      const { flows } = flowsOf(edges, this.#options);
      if (visit.depth === 0 || flows.length <= hub) this.#follow(flows, visit);
    };
    try {
      const all = direction === 'backward' ? graph.causesOf(visit.node, visit.at) : graph.effectsOf(visit.node, visit.at);
      const early = graph.edgesWithin(visit.node, direction).then((edges) => {
        led(edges);
        return edges;
      });
      const [within, edges] = await Promise.all([early, all]);
      if (edges !== within) led(edges);
    } catch {
      // The walk is told when it comes to it.
    }
  }

  #follow(edges: readonly Edge[], { at: time, depth }: Visit): void {
    const { direction } = this.#options;
    for (const edge of edges) {
      const at = follow(edge, time, direction);
      const visit =
        at === undefined ? undefined : { node: direction === 'backward' ? edge.from : edge.to, at, depth: depth + 1 };
      if (visit === undefined || !this.#isNews(visit)) continue;
      this.#seen.set(visit.node, visit.at);
      this.#maybe.push(visit);
    }
    this.#start();
  }

  #isNews({ node, at }: Visit): boolean {
    if (leadsNowhere(node)) return false;
    const before = this.#seen.get(node);
    return before === undefined || this.#better(at, before);
  }
}
