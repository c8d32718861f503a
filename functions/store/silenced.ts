/** Invocations that a witness reports and no instance recorded. */
import type { InstanceId } from '../../layers/record/types.ts';
import { joinLink, type Partition } from '../graph/ids.ts';
import type { GraphSource } from '../graph/source.ts';
import type { Gap } from './gap.ts';
import type { Lists } from './lists.ts';
import { hourOf } from './rows.ts';
import { listSpread } from './schema.ts';
import { inParallel } from './table.ts';
import { UNKNOWN_FUNCTION, type Witnessed, type Witnesses, type WitnessList } from './witnesses.ts';

/** Rows of one hour's lists that are read to spare a look-up of each request. */
const MAX_RECORDED = 20_000;
/** Rows of each part of an hour's list in which a log stream is looked for. */
const STREAM_ROWS = 500;
/** Claims of a request's id that are looked at; every function has its turn. */
const MAX_CLAIMS = 50;
const HOUR = 3_600_000_000;

/** Looks for them; one object for one question, because it keeps what it read. */
export class Silenced {
  readonly #source: GraphSource;
  readonly #witnesses: Witnesses;
  readonly #recorded: Recorded;

  constructor(source: GraphSource, lists: Lists, witnesses: Witnesses) {
    this.#source = source;
    this.#witnesses = witnesses;
    this.#recorded = new Recorded(lists);
  }

  /** Of these invocations of one list, those that no instance recorded. */
  async among(due: readonly Witnessed[], list: WitnessList): Promise<readonly Gap[]> {
    const known = await this.#recorded.around(list.hour);
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

  /** Which instance wrote to a log stream, by its requests of the hour in which it began and the next. */
  async recordedIn(stream: string, fn: string, began: number): Promise<InstanceId | undefined> {
    for (const hour of [hourOf(began), hourOf(began + HOUR)]) {
      const found = await this.#instanceOf(stream, { hour, fn }, await this.#recorded.around(hour));
      if (found !== undefined) return found;
    }
    return undefined;
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
}

/** Requests that instances recorded, by hour: read once for all functions of the hour. */
class Recorded {
  readonly #lists: Lists;
  readonly #hours = new Map<string, Promise<ReadonlyMap<string, InstanceId>>>();

  constructor(lists: Lists) {
    this.#lists = lists;
  }

  /** `<function>\n<request>` to the instance, of the hour and the one after: instance and platform have their own clocks. */
  async around(hour: string): Promise<ReadonlyMap<string, InstanceId>> {
    const next = hourOf(Date.parse(`${hour}:00:00Z`) * 1000 + HOUR);
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
