/**
 * Baselines of function versions. Each cold start says in one small row which set of items it showed; a set is stored once.
 * Nothing is read to write them, so that neither order nor number of segments matters; a set stays as long as the last cold
 * start that showed it.
 */
import { createHash } from 'node:crypto';
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import type { InstanceId } from '../../layers/record/types.ts';
import type { BaselineItem } from '../graph/baseline.ts';
import type { SegmentEntry } from '../graph/shard.ts';
import { S, text } from './rows.ts';
import { type Item, inParallel, type Table } from './table.ts';

/** Cold starts looked at: the newest, as their ids have it. */
const MAX_INSTANCES = 200;
/** Different sets looked at. */
const MAX_SETS = 60;
/** 4,000 items of 300 letters, some of which take several bytes. */
const MAX_DECODED = 16 * 1024 * 1024;
/** Compressed; a table takes 400 KB. What is larger is cut in halves until it fits. */
const MAX_STORED = 300_000;

const keyOf = (fn: string, version: string) => `~baseline#${fn}#${version.slice(0, 100)}`;

/** Rows of one segment that has records of init. */
export function baselineItems(
  { instance, fn, version, first }: SegmentEntry,
  items: readonly BaselineItem[],
): { readonly set: Item; readonly member: Item } {
  let kept = items;
  let data = pack(kept);
  while (data.length > MAX_STORED) {
    kept = kept.slice(0, Math.trunc(kept.length / 2));
    data = pack(kept);
  }
  const hash = createHash('sha256').update(kept.join('\n')).digest('base64url').slice(0, 22);
  const key = S(keyOf(fn, version));
  return {
    set: { key, place: S(`set#${hash}`), data: { B: data } },
    member: { key, place: S(`instance#${instance}#${String(first).padStart(12, '0')}`), set: S(hash) },
  };
}

const pack = (items: readonly BaselineItem[]) => deflateRawSync(items.join('\n'), { level: constants.Z_BEST_SPEED });

/** What cold starts of a version showed. */
export class Baseline {
  readonly #shown: ReadonlyMap<InstanceId, ReadonlySet<BaselineItem>>;
  readonly #counts = new Map<BaselineItem, number>();
  /** Not all cold starts, or not all of their sets, were looked at. */
  readonly cut: boolean;

  constructor(shown: ReadonlyMap<InstanceId, ReadonlySet<BaselineItem>>, cut: boolean) {
    this.#shown = shown;
    this.cut = cut;
    for (const items of shown.values()) for (const item of items) this.#counts.set(item, (this.#counts.get(item) ?? 0) + 1);
  }

  get instances(): readonly InstanceId[] {
    return [...this.#shown.keys()];
  }

  /** Shown by at least two instances: what one alone shows, it may have made up. */
  get items(): ReadonlyMap<BaselineItem, number> {
    return new Map([...this.#counts].filter(([, count]) => count >= 2));
  }

  has(item: BaselineItem): boolean {
    return (this.#counts.get(item) ?? 0) >= 2;
  }

  of(instance: InstanceId): ReadonlySet<BaselineItem> {
    return this.#shown.get(instance) ?? new Set();
  }

  shownByOthers(item: BaselineItem, instance: InstanceId): boolean {
    return (this.#counts.get(item) ?? 0) > (this.of(instance).has(item) ? 1 : 0);
  }
}

export class Baselines {
  readonly #links: Table;

  constructor(links: Table) {
    this.#links = links;
  }

  /** @param wanted looked at, too, if it is not among the newest */
  async of(fn: string, version: string, wanted?: InstanceId): Promise<Baseline> {
    const [members, { items: own }] = await Promise.all([
      this.#rows(fn, version, 'instance#', MAX_INSTANCES),
      wanted === undefined ? { items: [] } : this.#rows(fn, version, `instance#${wanted}#`, MAX_SETS),
    ]);
    const rows = [...new Map([...members.items, ...own].map((item) => [text(item, 'place'), item])).values()];
    const uses = new Map<string, number>(own.map((item) => [text(item, 'set'), MAX_INSTANCES]));
    for (const member of rows) uses.set(text(member, 'set'), (uses.get(text(member, 'set')) ?? 0) + 1);
    // The most common first: an instance that shows many sets cannot crowd out what the others have in common.
    const names = [...uses].sort((a, b) => b[1] - a[1]).map(([name]) => name);
    const sets = await inParallel(names.slice(0, MAX_SETS), 8, async (name) => {
      const { items } = await this.#rows(fn, version, `set#${name}`, 1);
      return [name, items.flatMap(unpack)] as const;
    });
    const known = new Map(sets);
    const shown = new Map<InstanceId, Set<BaselineItem>>();
    for (const member of rows) {
      const instance = text(member, 'place').split('#')[1] as InstanceId;
      const items = shown.get(instance) ?? new Set();
      for (const item of known.get(text(member, 'set')) ?? []) items.add(item);
      shown.set(instance, items);
    }
    return new Baseline(shown, members.cut || names.length > MAX_SETS);
  }

  async #rows(fn: string, version: string, prefix: string, limit: number) {
    return await this.#links.query(
      {
        KeyConditionExpression: '#k = :k AND begins_with(place, :p)',
        ExpressionAttributeNames: { '#k': 'key' },
        ExpressionAttributeValues: { ':k': S(keyOf(fn, version)), ':p': S(prefix) },
        ScanIndexForward: false,
      },
      limit,
    );
  }
}

function unpack(item: Item): readonly BaselineItem[] {
  const data = item.data?.B;
  if (data === undefined) return [];
  return inflateRawSync(data, { maxOutputLength: MAX_DECODED }).toString().split('\n');
}
