/** What is missing from the record, whoever noticed: the instance itself, the numbering of its segments, or another witness. */
import type { InstanceId } from '../../layers/record/types.ts';
import { joinLink, type NodeId, type Partition } from '../graph/ids.ts';
import type { GraphSource } from '../graph/source.ts';
import { missing } from './chain.ts';
import { type ConfiguredFunction, explained, type Inventory, type SeenFunction, takesAnything } from './inventory.ts';
import type { ListRow, Lists } from './lists.ts';
import { hourOf, shardPart } from './rows.ts';
import { listSpread } from './schema.ts';
import { inParallel } from './table.ts';
import type { Witness } from './testimony.ts';
import { UNKNOWN_FUNCTION, type Witnessed, type Witnesses, type WitnessList } from './witnesses.ts';

/**
 * `silenced`: a witness reports an invocation that no instance recorded. `records`: numbers missing between two segments.
 * `unexplained`: nothing that is configured explains what invoked the function. `unaudited`: a function without the layer.
 * `chain`: a segment does not follow on the one before. `gap`: the instance itself says that something is lost.
 */
export type GapKind = 'silenced' | 'unexplained' | 'unaudited' | 'records' | 'chain' | 'gap';

export interface Gap {
  readonly kind: GapKind;
  /** µs: of the invocation, or of the segment that shows the gap. */
  readonly at: number;
  /** Undefined when the witness knows the API only. */
  readonly function?: string;
  readonly instanceId?: InstanceId;
  readonly requestId?: Partition;
  /** First and last seq: missing, or of the segment that does not follow. */
  readonly from?: number;
  readonly to?: number;
  /** Of kind `gap`; `why` also of kind `unexplained`: what the request says invoked it. */
  readonly node?: NodeId;
  readonly why?: string;
  readonly lost?: number;
  readonly detail?: string;
  /** Of kind `silenced`: whether other invocations in the same log stream, thus the same instance, were recorded. */
  readonly instance?: 'recorded' | 'not recorded' | 'unknown';
  readonly witnesses?: readonly { readonly witness: Witness; readonly [fact: string]: string | number }[];
}

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
/** Rows of one hour's lists that are read to spare a look-up of each request. */
const MAX_RECORDED = 20_000;
/** Rows of each part of an hour's list in which a log stream is looked for. */
const STREAM_ROWS = 500;
/** Claims of a request's id that are looked at; every function has its turn. */
const MAX_CLAIMS = 50;

/** What a request says of how it came. */
export interface Invoked {
  readonly fn: string;
  readonly partition: Partition;
  readonly trigger?: string;
  readonly source?: string;
}

interface Looking extends Pick<GapQuery, 'kinds' | 'limit'> {
  readonly fn?: string;
  readonly configured: ReadonlyMap<string, ConfiguredFunction>;
}

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

  constructor(source: GraphSource, lists: Lists, witnesses: Witnesses, inventory: Inventory) {
    this.#inventory = inventory;
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
        ? await this.#inventory.functions(now)
        : new Map<string, SeenFunction>();
    if (kinds.has('unaudited')) {
      const bare = [...configured.values()].filter((one) => !one.audited && (fn === undefined || one.name === fn));
      const gaps = bare.map(({ name, seen }): Gap => ({ kind: 'unaudited', at: seen, function: name }));
      // First of all, whatever the hour.
      units.push({ name: '9999-12-31T23#f#', read: async () => ({ gaps, looked: gaps.length }) });
    }
    if (kinds.has('unexplained') || kinds.has('records') || kinds.has('chain') || kinds.has('gap')) {
      for (const name of await this.#lists.names(first, last)) {
        units.push({
          name: `${name.slice(0, 13)}#a#${name.slice(14)}`,
          read: (place) => this.#recorded(name, place, { kinds, limit, configured, ...(fn === undefined ? {} : { fn }) }),
        });
      }
    }
    if (kinds.has('silenced')) {
      const recorded = new Recorded(this.#lists);
      for (const list of await this.#witnesses.lists(first, last)) {
        if (fn !== undefined && fn !== list.fn) continue;
        for (let spread = 0; spread < listSpread; spread++) {
          const name = `${list.hour}#w#${list.fn}#${spread}`;
          units.push({
            name,
            read: async (place) => {
              const { found, next } = await this.#witnesses.invocations(list, spread, place, limit);
              const due = found.filter(({ received }) => received <= now - grace);
              const gaps = await this.#silenced(due, list, recorded);
              return { gaps, looked: found.length, ...(next === undefined ? {} : { next }) };
            },
          });
        }
      }
    }
    units.sort((a, b) => (a.name < b.name ? 1 : -1));
    return after === undefined ? units : units.filter(({ name }) => name <= after.list);
  }

  async #silenced(due: readonly Witnessed[], list: WitnessList, recorded: Recorded): Promise<readonly Gap[]> {
    const known = await recorded.around(list.hour);
    const streams = new Map<string, InstanceId>();
    const candidates = new Map<Partition, Witnessed[]>();
    for (const one of due) {
      const by = known.get(`${one.fn}\n${one.partition}`);
      if (by !== undefined) {
        if (one.facts.stream !== undefined) streams.set(String(one.facts.stream), by);
      } else candidates.set(one.partition, [...(candidates.get(one.partition) ?? []), one]);
    }
    const gaps = await inParallel([...candidates], 16, async ([partition, said]): Promise<readonly Gap[]> => {
      const [one] = said;
      if (one === undefined) return [];
      const { links } = await this.#source.linksOf(joinLink(`lambda:${partition}`), { limit: MAX_CLAIMS });
      // A function writes under its own name only: that another one claims to have served the request does not hide the silence.
      const served = links.find(
        (link) =>
          link.direction === 'in' && link.partition === partition && (link.fn === one.fn || one.fn === UNKNOWN_FUNCTION),
      );
      const stream = said.map(({ facts }) => facts.stream).find((name) => name !== undefined);
      if (served !== undefined) {
        if (stream !== undefined) streams.set(String(stream), served.instance);
        return [];
      }
      return [
        {
          ...{ kind: 'silenced', at: Math.min(...said.map(({ at }) => at)), requestId: partition },
          ...(one.fn === UNKNOWN_FUNCTION ? {} : { function: one.fn }),
          ...(stream === undefined ? { instance: 'unknown' } : { detail: String(stream) }),
          witnesses: said.map(({ witness, facts }) => ({ witness, ...facts })),
        },
      ];
    });
    return await inParallel(gaps.flat(), 4, async (gap): Promise<Gap> => {
      if (gap.detail === undefined) return gap;
      const { detail: stream, ...rest } = gap;
      const instanceId = streams.get(stream) ?? (await this.#instanceOf(stream, list, known));
      if (instanceId !== undefined) streams.set(stream, instanceId);
      return instanceId === undefined ? { ...rest, instance: 'not recorded' } : { ...rest, instance: 'recorded', instanceId };
    });
  }

  /** Which instance wrote to a log stream, by the first requests of the hour that were recorded: they lie in all parts of the list. */
  async #instanceOf(
    stream: string,
    list: WitnessList,
    known: ReadonlyMap<string, InstanceId>,
  ): Promise<InstanceId | undefined> {
    for (let spread = 0; spread < listSpread; spread++) {
      const { found } = await this.#witnesses.invocations(list, spread, '', STREAM_ROWS);
      for (const { fn, partition, facts } of found) {
        const by = facts.stream === stream ? known.get(`${fn}\n${partition}`) : undefined;
        if (by !== undefined) return by;
      }
    }
    return undefined;
  }

  /** Of the segments in one part of an hour's list. */
  async #recorded(name: string, place: string, { fn, kinds, limit, configured }: Looking) {
    const { rows, next } = await this.#lists.rowsOf(name, place, limit);
    const heads = rows.filter((row) => row.counts !== undefined && (fn === undefined || row.fn === fn));
    const gaps: Gap[] = [];
    let looked = rows.length;
    if (kinds.has('unexplained')) {
      const own = rows.filter((row) => fn === undefined || row.fn === fn);
      for (const row of await this.unexplained(own, 0, configured)) {
        const why = `${row.trigger}${row.source === undefined ? '' : ` ${row.source}`}`;
        gaps.push({ ...gapOf(row), kind: 'unexplained', requestId: row.partition, why });
      }
    }
    const inside = kinds.has('records') || kinds.has('chain') || kinds.has('gap');
    const instances = Map.groupBy(inside ? heads : [], ({ instance }) => instance);
    for (const [instance, own] of instances) {
      const seen = await this.#lists.instance(instance);
      looked += seen.items.length;
      const [first] = own;
      if (seen.cut && first !== undefined) {
        // Of a part of its segments it cannot be said what lies between them; that is told, not left out.
        gaps.push({ ...gapOf(first), kind: 'gap', why: 'not-checked: more segments than are looked through' });
        continue;
      }
      const holes = missing(seen.segments);
      for (const row of own) {
        for (const hole of holes) {
          // A hole belongs to the segment that follows it.
          const here = hole.kind === 'chain' ? hole.from === row.first : hole.to === row.first - 1;
          if (here && kinds.has(hole.kind)) gaps.push({ ...gapOf(row), ...hole });
        }
        if (kinds.has('gap') && (row.counts?.gaps ?? 0) > 0) gaps.push(...(await this.#told(row, seen.items)));
      }
    }
    return { gaps, looked, ...(next === undefined ? {} : { next }) };
  }

  /** Of these requests, those that nothing configured explains. None when the inventory does not know their function. */
  async unexplained<T extends Invoked>(
    requests: readonly T[],
    now: number,
    functions?: ReadonlyMap<string, ConfiguredFunction>,
  ): Promise<readonly T[]> {
    const configured = functions ?? (await this.#inventory.functions(now));
    const judged = await inParallel(requests, 8, async (one) => {
      const known = configured.get(one.fn);
      if (one.trigger === undefined || known === undefined) return false;
      const told = explained(known, one.trigger, one.source);
      if (told !== undefined) return !told;
      if (one.trigger !== 'invoke' || takesAnything(known)) return false;
      // A plain invocation is explained by an audited caller.
      const { links } = await this.#source.linksOf(joinLink(`lambda:${one.partition}`), { limit: MAX_CLAIMS });
      return !links.some(({ direction }) => direction === 'out');
    });
    return requests.filter((_, i) => judged[i]);
  }

  /** What the instance itself recorded as lost, in one of its segments. */
  async #told(row: ListRow, items: Awaited<ReturnType<Lists['instance']>>['items']): Promise<readonly Gap[]> {
    const partitions = items.flatMap(({ part }) => {
      const partition = part?.S?.split('#')[0] as Partition;
      return part?.S === shardPart(partition, row) ? [partition] : [];
    });
    const found: Gap[] = [];
    for (const partition of partitions) {
      const shards = await this.#source.shardsOf(row.instance, partition);
      for (const node of shards.find(({ first, last }) => first === row.first && last === row.last)?.nodes ?? []) {
        if (node.kind !== 'gap' || /^(?:unobserved|warning) /.test(node.why)) continue;
        const { id, why, lost, detail } = node;
        const request = partition.startsWith('~') ? {} : { requestId: partition };
        const told = { node: id, why, lost, ...(detail === undefined ? {} : { detail }), ...request };
        found.push({ ...gapOf(row), kind: 'gap', ...told });
      }
    }
    return found;
  }
}

const gapOf = ({ at, fn, instance }: ListRow) => ({ at, function: fn, instanceId: instance });

/** Requests that instances recorded, by hour: read once for all functions of the hour. */
class Recorded {
  readonly #lists: Lists;
  readonly #hours = new Map<string, Promise<ReadonlyMap<string, InstanceId>>>();

  constructor(lists: Lists) {
    this.#lists = lists;
  }

  /** `<function>\n<request>` to the instance, of the hour and the one after: instance and platform have their own clocks. */
  async around(hour: string): Promise<ReadonlyMap<string, InstanceId>> {
    const next = hourOf((Date.parse(`${hour}:00:00Z`) + 3_600_000) * 1000);
    const [own, later] = await Promise.all([this.#of(hour), this.#of(next)]);
    return new Map([...own, ...later]);
  }

  #of(hour: string): Promise<ReadonlyMap<string, InstanceId>> {
    let found = this.#hours.get(hour);
    if (found === undefined) {
      found = this.#read(hour);
      this.#hours.set(hour, found);
    }
    return found;
  }

  async #read(hour: string): Promise<ReadonlyMap<string, InstanceId>> {
    const found = new Map<string, InstanceId>();
    const parts = Array.from({ length: listSpread }, (_, spread) => `${hour}#${spread}`);
    const lists = await inParallel(parts, listSpread, (name) => this.#lists.rowsOf(name, '', MAX_RECORDED / listSpread));
    for (const { fn, partition, instance } of lists.flatMap(({ rows }) => rows)) {
      if (partition !== '') found.set(`${fn}\n${partition}`, instance);
    }
    return found;
  }
}
