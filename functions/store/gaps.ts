/** All gaps, whoever noticed them, hour by hour and page by page. */
import type { GraphSource } from '../graph/source.ts';
import type { Store } from './connect.ts';
import type { Findings } from './findings.ts';
import type { Forgotten } from './forgotten.ts';
import type { Gap, GapKind } from './gap.ts';
import { holesIn } from './holes.ts';
import type { Inventory, SeenFunction } from './inventory.ts';
import type { Lists } from './lists.ts';
import { hourOf } from './rows.ts';
import { listSpread } from './schema.ts';
import { Silenced } from './silenced.ts';
import { type Invoked, unexplained } from './unexplained.ts';
import { unrecorded } from './unrecorded.ts';
import { type DeadLetters, witnessLosses } from './witness-losses.ts';
import type { Witnesses } from './witnesses.ts';

export interface GapQuery {
  readonly since: number;
  /** Silence counts from this long after we heard of the invocation, µs: its segment may still be on its way. */
  readonly grace: number;
  readonly now: number;
  readonly fn?: string;
  readonly kinds: ReadonlySet<GapKind>;
  /** Rows read at once; a page ends with those that bring it to this many gaps, so it may hold somewhat more. */
  readonly limit: number;
  readonly after?: GapPlace;
}

/** Where a page ended: in which list, and after which of its rows. */
export interface GapPlace {
  readonly list: string;
  readonly place: string;
}

export interface GapPage {
  readonly gaps: readonly Gap[];
  readonly next?: GapPlace;
}

/** Rows read for one page. */
const MAX_LOOKED_AT = 10_000;
/** A read counts as so many rows at least, so that a page is bounded also where lists are short or empty. */
const READ_COST = 25;
/** Rows of an instance in the platform's log: its own, and one for each of its extensions. */
const ROWS_EACH = 3;
interface Unit {
  /** Sorts by hour; within it segments come first. */
  readonly name: string;
  read(place: string): Promise<{ readonly gaps: readonly Gap[]; readonly looked: number; readonly next?: string }>;
}

export class Gaps {
  readonly #source: GraphSource;
  readonly #lists: Lists;
  readonly #witnesses: Witnesses;
  readonly #inventory: Inventory;
  readonly #deadLetters: DeadLetters;
  readonly #findings: Findings;
  readonly #forgotten: Forgotten;

  constructor(
    source: GraphSource,
    {
      lists,
      witnesses,
      inventory,
      deadLetters,
      findings,
      forgotten,
    }: Pick<Store, 'lists' | 'witnesses' | 'inventory' | 'deadLetters' | 'findings' | 'forgotten'>,
  ) {
    this.#inventory = inventory;
    this.#deadLetters = deadLetters;
    this.#findings = findings;
    this.#forgotten = forgotten;
    this.#source = source;
    this.#lists = lists;
    this.#witnesses = witnesses;
  }

  /** Newest hours first. A page may hold few or none and still say where to go on: it reads so many rows and no more. */
  async page(query: GapQuery): Promise<GapPage> {
    const units = await this.#units(query);
    const found: Gap[] = [];
    let looked = 0;
    for (const unit of units) {
      let place: string | undefined = unit.name === query.after?.list ? query.after.place : '';
      while (place !== undefined) {
        if (found.length >= query.limit || looked >= MAX_LOOKED_AT) return { gaps: found, next: { list: unit.name, place } };
        const { gaps, looked: more, next } = await unit.read(place);
        found.push(...gaps.filter(({ at }) => at >= query.since));
        looked += Math.max(more, READ_COST);
        place = next;
      }
    }
    return { gaps: found };
  }

  async #units({ since, now, grace, fn, kinds, after, limit }: GapQuery): Promise<readonly Unit[]> {
    const [first, last] = [hourOf(since), after?.list.slice(0, 13) ?? '9'];
    const units: Unit[] = [];
    const configured =
      kinds.has('unexplained') || kinds.has('unaudited')
        ? (await this.#inventory.functions(now)).functions
        : new Map<string, SeenFunction>();
    if (kinds.has('unaudited')) {
      const bare = [...configured.values()].filter((one) => !one.audited && (fn === undefined || one.name === fn));
      const gaps = bare.map(({ name, seen }): Gap => ({ kind: 'unaudited', at: seen, function: name }));
      // First of all, whatever the hour.
      units.push({ name: '9999-12-31T23#f#', read: async () => ({ gaps, looked: gaps.length }) });
    }
    if (kinds.has('tampered')) {
      units.push({ name: '9999-12-31T23#v#', read: (place) => this.#findings.gaps(since, fn, place, limit) });
    }
    if (kinds.has('forgotten')) {
      units.push({ name: '9999-12-31T23#g#', read: (place) => this.#forgotten.gaps(since, fn, place, limit) });
    }
    if (kinds.has('witness') && fn === undefined) {
      const read = async () => {
        const lost = await witnessLosses(this.#witnesses, this.#deadLetters, since, now);
        return { gaps: lost.map((one): Gap => ({ kind: 'witness', ...one })), looked: lost.length };
      };
      units.push({ name: '9999-12-31T23#l#', read });
    }
    if (kinds.has('unexplained') || kinds.has('records') || kinds.has('chain') || kinds.has('gap')) {
      const from = { source: this.#source, lists: this.#lists };
      for (const name of await this.#lists.names(first, last)) {
        units.push({
          name: `${name.slice(0, 13)}#a#${name.slice(14)}`,
          read: (place) => holesIn(from, name, place, { kinds, limit, configured, ...(fn === undefined ? {} : { fn }) }),
        });
      }
    }
    const silenced = new Silenced(this.#source, this.#lists, this.#witnesses);
    if (kinds.has('unrecorded')) {
      for (const of of await this.#witnesses.instanceDays(first.slice(0, 10), last.slice(0, 10))) {
        if (fn !== undefined && fn !== of.fn) continue;
        const read = async (place: string) => {
          const { found, next } = await this.#witnesses.instancesOn(of, place, limit * ROWS_EACH);
          const due = found.filter(({ received }) => received <= now - grace);
          const gaps = await unrecorded(due, of.fn, silenced);
          return { gaps, looked: found.length * ROWS_EACH, ...(next === undefined ? {} : { next }) };
        };
        units.push({ name: `${of.day}T23#i#${of.fn}`, read });
      }
    }
    if (kinds.has('silenced')) {
      for (const list of await this.#witnesses.lists(first, last)) {
        if (fn !== undefined && fn !== list.fn) continue;
        for (let spread = 0; spread < listSpread; spread++) {
          const name = `${list.hour}#w#${list.fn}#${spread}`;
          units.push({
            name,
            read: async (place) => {
              const { found, next } = await this.#witnesses.invocations(list, spread, place, limit);
              const due = found.filter(({ received }) => received <= now - grace);
              const gaps = await silenced.among(due, list);
              return { gaps, looked: found.length, ...(next === undefined ? {} : { next }) };
            },
          });
        }
      }
    }
    units.sort((a, b) => (a.name < b.name ? 1 : -1));
    return after === undefined ? units : units.filter(({ name }) => name <= after.list);
  }

  /** Of these requests, those that nothing configured explains. */
  async unexplained<T extends Invoked>(requests: readonly T[], now: number): Promise<readonly T[]> {
    const names = requests.map(({ fn }) => fn);
    return await unexplained(requests, await this.#inventory.of(names, now), this.#source);
  }
}
