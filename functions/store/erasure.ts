/**
 * Takes what comes of segments out of the tables. May be interrupted anywhere and run again: what tells which rows are meant
 * (the shards) goes last. Rows are sought by reading the table of links once: they lie under every key that a segment named, and
 * which ones an older stitcher wrote cannot be computed.
 */
import type { InstanceId } from '../../layers/record/types.ts';
import { type Doomed, isBegin, ROW_KINDS, type RowKind, TELLING } from './doomed.ts';
import { emptyPart, expiresAfter, N, readSegment, S, text } from './rows.ts';
import { COUNTS, type Counts, NOTHING, plus, readCounts } from './sums.ts';
import { type Item, inParallel, type Table } from './table.ts';

/** Parts of the table that are read at once. */
const PARTS = 4;
/**
 * A row that names a day under a key goes with the last row of that day. Not at once: a stitcher remembers, for as long as it lives,
 * that it has written it.
 */
const REMEMBERED_MS = 3 * 86_400_000;
/** Rows of one day under one key that are looked at for one that stays. */
const MOST_OF_DAY = 1000;

export type Erased = Record<RowKind | 'shards' | 'names', number> & {
  /** Names in the index under which nothing is left, too young to be removed. */
  namesLeft: number;
  /** Rows of the table of links that were read. */
  read: number;
};

export interface Erasing {
  /** False: counts only. */
  readonly apply: boolean;
  readonly signal: AbortSignal;
  /** Called with what has been done so far. */
  note(erased: Erased): void;
}

export class Erasure {
  readonly #shards: Table;
  readonly #links: Table;
  readonly #retentionDays: number;

  constructor(shards: Table, links: Table, retentionDays: number) {
    this.#shards = shards;
    this.#links = links;
    this.#retentionDays = retentionDays;
  }

  async run(doomed: Doomed, erasing: Erasing): Promise<Erased> {
    const kinds = Object.fromEntries(ROW_KINDS.map((kind) => [kind, 0])) as Record<RowKind, number>;
    const erased: Erased = { ...kinds, shards: 0, names: 0, namesLeft: 0, read: 0 };
    if (doomed.size === 0) return erased;
    await inParallel([...doomed.instances], 8, async ([instance, fn]) => {
      for (const item of await this.#shardsOf(instance, doomed)) {
        erased.shards++;
        if (isBegin(item)) doomed.begins(fn, text(item, 'part').split('#')[0] ?? '');
      }
    });
    erasing.signal.throwIfAborted();
    const sums = new Sums(this.#links, this.#retentionDays);
    const parts = [...Array(PARTS).keys()].map(async (part) => {
      for await (const page of this.#links.scan(part, PARTS, TELLING)) {
        erasing.signal.throwIfAborted();
        erased.read += page.length;
        await this.#page(page, doomed, erased, sums, erasing.apply);
        erasing.note(erased);
      }
    });
    // Of a run that is interrupted the days stay in doubt, and whoever asks counts their rows: some may be on their way.
    await Promise.all(parts);
    await sums.settle();
    if (!erasing.apply) return erased;
    await inParallel([...doomed.instances.keys()], 8, async (instance) => {
      erasing.signal.throwIfAborted();
      await this.#bury(await this.#shardsOf(instance, doomed));
    });
    return erased;
  }

  async #page(page: readonly Item[], doomed: Doomed, erased: Erased, sums: Sums, apply: boolean): Promise<void> {
    const keys: Item[] = [];
    const listed: Item[] = [];
    const days = new Map<string, Item>();
    for (const item of page) {
      const kind = doomed.kindOf(item);
      if (kind === undefined) continue;
      erased[kind]++;
      (kind === 'lists' ? listed : keys).push(keyOf(item));
      if (kind === 'links' && text(item, 'key').includes('%@')) days.set(text(item, 'key'), item);
    }
    // Before the rows: once they are gone nothing would tell that the name is to go.
    for (const key of days.keys()) await this.#name(key, doomed, erased, apply);
    if (!apply) return;
    await this.#links.removeAll(keys);
    await inParallel(listed, 8, async (key) => await sums.remove(key));
  }

  /** A name, such as an address, that nothing stands under any more. */
  async #name(stored: string, doomed: Doomed, erased: Erased, apply: boolean): Promise<void> {
    const at = stored.lastIndexOf('%@');
    const [key, bucket] = [stored.slice(0, at), stored.slice(at + 2)];
    // Keys of single things have a few parts and no row that names them.
    if (/^\d$/.test(bucket)) return;
    const { items, cut } = await this.#links.query(
      {
        KeyConditionExpression: '#k = :k',
        ExpressionAttributeNames: { '#k': 'key' },
        ExpressionAttributeValues: { ':k': S(stored) },
      },
      MOST_OF_DAY,
    );
    const segments = items.map((item) => doomed.of(text(item, 'place').split('#')[1], item.of?.S));
    if (cut || segments.includes(undefined)) return;
    if (segments.some((one) => (one?.stored ?? 0) > Date.now() - REMEMBERED_MS)) {
      erased.namesLeft++;
      return;
    }
    erased.names++;
    if (apply) await this.#links.remove({ key: S(key), place: S(`~bucket#${bucket}`) });
  }

  /** What segments added to the graph; what stays of a forgotten one is not among it. */
  async #shardsOf(instance: InstanceId, doomed: Doomed): Promise<readonly Item[]> {
    const { items } = await this.#shards.query(
      {
        KeyConditionExpression: 'instanceId = :i',
        ExpressionAttributeNames: { '#b': 'begin' },
        ExpressionAttributeValues: { ':i': S(instance) },
        ProjectionExpression: 'instanceId, part, fn, #b, digest, prev, seen, expires, gone',
      },
      Number.POSITIVE_INFINITY,
    );
    return items.filter(
      (item) => item.gone === undefined && doomed.of(instance, text(item, 'part').split('#')[1]) !== undefined,
    );
  }

  /** Takes them away, but for what keeps the chain of segments whole. */
  async #bury(items: readonly Item[]): Promise<void> {
    const kept = new Map<string, Item>();
    for (const item of items) {
      const seen = readSegment(item);
      if (seen === undefined) continue;
      const { instanceId, fn, digest, prev, seen: told, expires } = item;
      const part = emptyPart(seen);
      kept.set(part, present({ instanceId, part: S(part), fn, digest, prev, seen: told, expires, gone: N(1) }));
    }
    await this.#shards.putAll([...kept.values()]);
    const gone = items.filter((item) => !kept.has(text(item, 'part')));
    await this.#shards.removeAll(gone.map(({ instanceId, part }) => present({ instanceId, part })));
  }
}

/** Takes rows of lists away, and what they counted out of the sums of their days. */
class Sums {
  readonly #links: Table;
  readonly #retentionDays: number;
  readonly #days = new Map<string, { readonly doubted: Promise<unknown>; counts: Counts; unsure: boolean }>();

  constructor(links: Table, retentionDays: number) {
    this.#links = links;
    this.#retentionDays = retentionDays;
  }

  async remove(key: Item): Promise<void> {
    const day = (key.key?.S ?? '').slice('~requests#'.length, '~requests#2026-03-01'.length);
    let sum = this.#days.get(day);
    if (sum === undefined) {
      // Until the day's sums are right again, whoever asks counts the rows.
      sum = { doubted: this.#add(day, { doubt: 1 }), counts: NOTHING, unsure: false };
      this.#days.set(day, sum);
    }
    await sum.doubted;
    const old = await this.#links.remove(key);
    sum.counts = plus(sum.counts, readCounts(old) ?? NOTHING);
    // Gone already: by somebody else, or by a call whose answer did not arrive.
    if (old === undefined) sum.unsure = true;
  }

  async settle(): Promise<void> {
    for (const [day, { counts, unsure }] of this.#days) {
      // What is not known is counted anew, by whoever asks.
      if (unsure) continue;
      const less = Object.fromEntries(COUNTS.map((name) => [name, -counts[name]]));
      // Added twice it would be wrong; then the doubt stays.
      const once = await this.#add(day, { ...less, doubt: -1 });
      if (!once) await this.#add(day, { doubt: 1 });
    }
  }

  async #add(day: string, numbers: Readonly<Record<string, number>>): Promise<boolean> {
    const end = expiresAfter(Date.parse(`${day}T00:00:00Z`) * 1000, this.#retentionDays + 2);
    return await this.#links.add({ key: S('~sums'), place: S(day) }, numbers, { expires: N(end) });
  }
}

const keyOf = ({ key, place }: Item): Item => present({ key, place });
const present = (item: Readonly<Record<string, Item[string] | undefined>>): Item =>
  Object.fromEntries(Object.entries(item).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
