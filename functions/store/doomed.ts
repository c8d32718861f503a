import { parseSegmentKey } from '../../layers/record/key.ts';
import type { InstanceId } from '../../layers/record/types.ts';
import { number, text } from './rows.ts';
import type { Item } from './table.ts';

/** What the rows of the tables are that come of a segment, by name. */
export const ROW_KINDS = ['links', 'lists', 'baselines', 'findings', 'setAside', 'witnesses'] as const;
export type RowKind = (typeof ROW_KINDS)[number];

/** Attributes of a row of the table of links by which it is told whose it is. */
export const TELLING = ['key', 'place', 'fn', 'of', 'requestId'] as const;

interface Segment {
  /** Its key. */
  readonly segment: string;
  /** When S3 stored it, ms since 1970. */
  readonly stored: number;
}

/** Segments that are to be forgotten, and which rows of the table of links come of them. */
export class Doomed {
  /** By instance, then by first and last record. */
  readonly #segments = new Map<string, Map<string, Segment>>();
  readonly #keys = new Set<string>();
  /** `<function>\n<partition>` of requests that began in these segments, whose witnesses would otherwise tell of a silence. */
  readonly #requests = new Set<string>();
  readonly #partitions = new Set<string>();
  readonly instances = new Map<InstanceId, string>();

  constructor(segments: readonly Segment[]) {
    for (const one of segments) {
      const { fn, instanceId, first, last } = parseSegmentKey(one.segment) ?? {};
      if (fn === undefined || instanceId === undefined) throw new Error(`${one.segment} is not the key of a segment`);
      const own = this.#segments.get(instanceId) ?? new Map<string, Segment>();
      own.set(`${first}-${last}`, one);
      this.#segments.set(instanceId, own);
      this.#keys.add(one.segment);
      this.instances.set(instanceId, fn);
    }
  }

  get size(): number {
    return this.#keys.size;
  }

  /** @param range `<first>-<last>`, with or without leading zeros */
  of(instance: string | undefined, range: string | undefined): Segment | undefined {
    const own = this.#segments.get(instance ?? '');
    if (own === undefined || range === undefined) return undefined;
    const [first, last] = range.split('-').map(Number);
    return own.get(`${first}-${last}`);
  }

  /** A request began in one of them. */
  begins(fn: string, partition: string): void {
    this.#requests.add(`${fn}\n${partition}`);
    this.#partitions.add(partition);
  }

  /** What a row of the table of links is, if it comes of one of these segments. */
  kindOf(item: Item): RowKind | undefined {
    const [key, place] = [text(item, 'key'), text(item, 'place')];
    const parts = place.split('#');
    if (key === '~poison') return this.#keys.has(place) ? 'setAside' : undefined;
    if (key === '~findings') return this.#isFound(item) ? 'findings' : undefined;
    if (key.startsWith('~requests#')) return this.of(parts[1], parts[3]) && 'lists';
    if (key.startsWith('~baseline#'))
      return parts[0] === 'instance' && this.#begins(parts[1], parts[2]) ? 'baselines' : undefined;
    if (key.startsWith('~witness#'))
      return this.#isWitnessed(key.split('#')[2] ?? '', parts[0] ?? '') ? 'witnesses' : undefined;
    if (key.startsWith('~')) return undefined;
    if (parts[0] === '~witness') return this.#partitions.has(item.requestId?.S ?? '') ? 'witnesses' : undefined;
    return this.of(parts[1], item.of?.S) && 'links';
  }

  #begins(instance: string | undefined, first: string | undefined): boolean {
    const own = this.#segments.get(instance ?? '');
    return own !== undefined && [...own.keys()].some((range) => Number(range.split('-')[0]) === Number(first));
  }

  #isWitnessed(fn: string, partition: string): boolean {
    // Under `~api` stands who knows the API only.
    return fn === '~api' ? this.#partitions.has(partition) : this.#requests.has(`${fn}\n${partition}`);
  }

  #isFound(item: Item): boolean {
    const { segment } = JSON.parse(text(item, 'of')) as { readonly segment?: string };
    return segment !== undefined && this.#keys.has(segment);
  }
}

export const isBegin = (item: Item): boolean => number(item, 'begin') > 0;
