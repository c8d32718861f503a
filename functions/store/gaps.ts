/** All gaps, whoever noticed them, hour by hour and page by page. */
import type { GraphSource } from '../graph/source.ts';
import type { Store } from './connect.ts';
import type { Findings } from './findings.ts';
import type { Forgotten } from './forgotten.ts';
import type { Gap, GapKind } from './gap.ts';
import { holesIn } from './holes.ts';
import { type Inventory, MAX_FUNCTIONS, type SeenFunction } from './inventory.ts';
import { type Lists, MAX_LISTS } from './lists.ts';
import { hourOf } from './rows.ts';
import { listSpread } from './schema.ts';
import { Silenced } from './silenced.ts';
import { type Invoked, unexplained } from './unexplained.ts';
import { unrecorded } from './unrecorded.ts';
import { type DeadLetters, witnessLosses } from './witness-losses.ts';
import { MAX_LISTS as MAX_WITNESS_LISTS, type Witnesses } from './witnesses.ts';

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
  /** What was not looked at and no further page will have, one line each. */
  readonly cut: readonly string[];
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
    const { units, cut } = await this.#units(query);
    const found: Gap[] = [];
    let looked = 0;
    for (const unit of units) {
      let place: string | undefined = unit.name === query.after?.list ? query.after.place : '';
      while (place !== undefined) {
        if (found.length >= query.limit || looked >= MAX_LOOKED_AT)
          return { gaps: found, cut, next: { list: unit.name, place } };
        const { gaps, looked: more, next } = await unit.read(place);
        // A clock that the function may have set must not hide what came since.
        found.push(...gaps.filter(({ at, received = at }) => received >= query.since));
        looked += Math.max(more, READ_COST);
        place = next;
      }
    }
    return { gaps: found, cut };
  }

  async #units({
    since,
    now,
    grace,
    fn,
    kinds,
    after,
    limit,
  }: GapQuery): Promise<{ readonly units: readonly Unit[]; readonly cut: readonly string[] }> {
    const [first, last] = [hourOf(since), after?.list.slice(0, 13) ?? '9'];
    const units: Unit[] = [];
    const cut: string[] = [];
    let configured: ReadonlyMap<string, SeenFunction> = new Map();
    if (kinds.has('unexplained') || kinds.has('unaudited')) {
      const [known, look] = await Promise.all([this.#inventory.functions(now), this.#inventory.look()]);
      configured = known.functions;
      if (known.cut) cut.push(`inventory: it knows more functions than the ${MAX_FUNCTIONS} that were compared`);
      cut.push(...(look?.unread ?? []).map((line) => `inventory: ${line}`));
    }
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
      const [names, late] = await Promise.all([this.#lists.names(first, last), this.#lists.lateNames(first)]);
      if (names.length >= MAX_LISTS || late.cut) cut.push('segments: those of the oldest hours; ask with a later since');
      for (const name of [...names, ...late.names]) {
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
      const lists = await this.#witnesses.lists(first, last);
      if (lists.length >= MAX_WITNESS_LISTS) cut.push('silenced: invocations of the oldest hours; ask with a later since');
      for (const list of lists) {
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
    return { units: after === undefined ? units : units.filter(({ name }) => name <= after.list), cut };
  }

  /** Of these requests, those that nothing configured explains. */
  async unexplained<T extends Invoked>(requests: readonly T[], now: number): Promise<readonly T[]> {
    const names = requests.map(({ fn }) => fn);
    return await unexplained(requests, await this.#inventory.of(names, now), this.#source);
  }
}
