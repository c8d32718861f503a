import type { InstanceId } from '../../layers/record/types.ts';
import { INIT, type LinkKey, type Partition } from './ids.ts';
import { type Graph, localGraph, type RuntimeProcesses, runtimeProcesses } from './local.ts';
import type { GraphSource, LinkPage, LinkRange } from './source.ts';

/** Questions to the store under way at once; one about links may be a few queries. A DynamoDB client has that many connections. */
const UNDER_WAY = 64;

export interface Loaded {
  readonly graph: Graph;
  /** Not all of it is in the index. */
  readonly indexCut: boolean;
}

interface Held {
  readonly loaded: Promise<Loaded>;
  /** The walk has asked for it; otherwise it was loaded in advance. */
  wanted: boolean;
}

interface Page {
  readonly after: number;
  readonly before: number;
  readonly page: Promise<LinkPage>;
}

/** What one walk, and who goes ahead of it, have loaded: each thing once, and no more local graphs at a time than the budget has. */
export class Loader {
  readonly #source: GraphSource;
  readonly #most: number;
  readonly #held = new Map<string, Held>();
  readonly #runtimes = new Map<InstanceId, Promise<RuntimeProcesses>>();
  readonly #pages = new Map<string, Page[]>();
  readonly #waiting: (() => void)[] = [];
  #underWay = 0;
  #forgotten = 0;

  /** @param most local graphs that are held */
  constructor(source: GraphSource, most: number) {
    this.#source = source;
    this.#most = most;
  }

  /** How often what was loaded in advance had to make room for what the walk asked for. */
  get forgotten(): number {
    return this.#forgotten;
  }

  /** The local graph for the walk itself, which keeps to its budget: what it did not ask for makes room. */
  wanted(instance: InstanceId, partition: Partition): Promise<Loaded> {
    const key = `${instance}/${partition}`;
    let held = this.#held.get(key);
    if (held === undefined && this.#held.size >= this.#most) this.#forget();
    held ??= { loaded: this.#load(instance, partition), wanted: true };
    held.wanted = true;
    this.#held.set(key, held);
    return held.loaded;
  }

  /** The same in advance; undefined when there is no room. */
  inAdvance(instance: InstanceId, partition: Partition): Promise<Loaded> | undefined {
    const key = `${instance}/${partition}`;
    const held = this.#held.get(key);
    if (held !== undefined) return held.loaded;
    if (this.#held.size >= this.#most) return undefined;
    const loaded = this.#load(instance, partition);
    this.#held.set(key, { loaded, wanted: false });
    return loaded;
  }

  runtime(instance: InstanceId): Promise<RuntimeProcesses> {
    let found = this.#runtimes.get(instance);
    if (found === undefined) {
      found = this.#ask(() => this.#source.shardsOf(instance, INIT)).then(runtimeProcesses);
      this.#runtimes.set(instance, found);
    }
    return found;
  }

  /** Links of a key. What a wider range held whole is not asked for again. */
  async page(key: LinkKey, range: LinkRange): Promise<LinkPage> {
    const { after = 0, before = Number.POSITIVE_INFINITY, order = 'newest', limit } = range;
    const name = `${key}\n${order}\n${limit}`;
    const pages = this.#pages.get(name) ?? [];
    this.#pages.set(name, pages);
    for (const wider of pages) {
      if (wider.after > after || wider.before < before) continue;
      if (wider.after === after && wider.before === before) return await wider.page;
      const { links, cut } = await wider.page.catch(() => NOTHING);
      if (!cut) return { links: links.filter(({ t }) => t >= after && t <= before), cut };
    }
    const same = pages.find((one) => one.after === after && one.before === before);
    if (same !== undefined) return await same.page;
    const page = this.#ask(() => this.#source.linksOf(key, range));
    pages.push({ after, before, page });
    return await page;
  }

  #forget(): void {
    for (const [key, { wanted }] of this.#held) if (!wanted) this.#held.delete(key);
    this.#forgotten++;
  }

  async #load(instance: InstanceId, partition: Partition): Promise<Loaded> {
    const asked = this.#ask(() => this.#source.shardsOf(instance, partition));
    const [shards, runtime] = await Promise.all([asked, this.runtime(instance)]);
    return { graph: localGraph(shards, runtime), indexCut: shards.some(({ linksCut = 0 }) => linksCut > 0) };
  }

  async #ask<T>(question: () => Promise<T>): Promise<T> {
    if (this.#underWay < UNDER_WAY) this.#underWay++;
    else await new Promise<void>((go) => this.#waiting.push(go));
    try {
      return await question();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#underWay--;
      else next();
    }
  }
}

/** Of a question that failed: whoever asks for less asks for itself. */
const NOTHING: LinkPage = { links: [], cut: true };
