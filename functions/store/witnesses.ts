/** What others than the audited instances say, kept beside the graph: by function and hour, by the id of a service, and changes. */
import { createHash } from 'node:crypto';
import { joinLink, type Partition, requestPartition } from '../graph/ids.ts';
import {
  instanceDay,
  instanceDays,
  instanceOfStream,
  instanceRow,
  instancesOn,
  type PlatformInstance,
} from './platform-instances.ts';
import { dayOf, expiresAfter, hourOf, listHour, N, number, pad, S, text } from './rows.ts';
import { listSpread } from './schema.ts';
import { type Item, inParallel, type Table } from './table.ts';
import type { AccessTestimony, ChangeTestimony, InvocationTestimony, Testimony, Witness } from './testimony.ts';

/** Lists of witnessed invocations that are known; the oldest of more are not looked into. One for each function and hour. */
export const MAX_LISTS = 20_000;
const REMEMBERED = 20_000;
const MAX_PER_REQUEST = 16;
/** Changes of one function that are looked at for those of certain actions. */
const MAX_CHANGES_LOOKED_AT = 5000;
/** Days times sources. */
const MAX_UNREAD = 2000;
/** Function under which invocations stand whose witness knows the API only. */
export const UNKNOWN_FUNCTION = '~api';

/** An invocation as one witness has it. */
export interface Witnessed {
  readonly fn: string;
  readonly partition: Partition;
  readonly witness: Witness;
  /** When it began, as far as the witness knows. */
  readonly at: number;
  /** When we first heard of it, by our own clock. */
  readonly received: number;
  readonly facts: Readonly<Record<string, string | number>>;
}

export interface WitnessedChange {
  readonly at: number;
  readonly id: string;
  readonly facts: Readonly<Record<string, string | number>>;
}

/** A list of witnessed invocations: one function, one hour. */
export interface WitnessList {
  readonly hour: string;
  readonly fn: string;
}

export class Witnesses {
  readonly #links: Table;
  readonly #retentionDays: number;
  readonly #written = new Set<string>();

  constructor(links: Table, retentionDays: number) {
    this.#links = links;
    this.#retentionDays = retentionDays;
  }

  /**
   * The same testimony again changes nothing, and the order does not matter. One write for each invocation and witness of a
   * batch (an event of CloudTrail: two, since it may lie hours before the invocation).
   * @param received µs, our own clock
   */
  async put(testimonies: readonly Testimony[], received: number): Promise<void> {
    const rows = new Map<string, { readonly key: Item; set: Item }>();
    const catalogue = new Map<string, Item>();
    const row = (key: string, place: string, set: Item) => {
      const name = `${key}\n${place}`;
      const known = rows.get(name);
      if (known === undefined) rows.set(name, { key: { key: S(key), place: S(place) }, set });
      else known.set = { ...known.set, ...set };
    };
    const note = (item: Item) => {
      const name = `${item.key?.S}\n${item.place?.S}`;
      if (!this.#written.has(name)) catalogue.set(name, { ...item, expires: this.#expires(received) });
    };
    for (const said of testimonies) {
      if (said.what === 'instance') {
        const { key, place, set } = instanceRow(said);
        row(key, place, set);
        note(instanceDay(said));
        continue;
      }
      if (said.what === 'change') {
        const place = `${pad(said.at)}#${requestPartition(said.id)}`;
        row('~changes', place, attributes(said));
        if (said.fn !== undefined) row(changesOf(said.fn), place, attributes(said));
      } else if (said.what === 'access')
        row(joinLink(`apigw:${said.apiRequestId}`), `~witness#${said.witness}`, attributes(said));
      if (said.what === 'change' || said.requestId === undefined) continue;
      const fn = said.what === 'access' ? UNKNOWN_FUNCTION : said.fn;
      const began = said.what === 'invocation' ? said.at - Math.trunc((said.durationMs ?? 0) * 1000) : said.at;
      const hour = listHour(began, received);
      const partition = requestPartition(said.requestId);
      row(listKey({ hour, fn }, spreadOf(partition)), `${partition}#${said.witness}`, attributes(said));
      if (said.witness === 'cloudtrail') row(joinLink(`lambda:${said.requestId}`), '~witness#cloudtrail', attributes(said));
      note({ key: S('~witnesses'), place: S(`${hour}#${fn}`) });
    }
    await inParallel([...rows.values()], 16, ({ key, set }) =>
      this.#links.merge(key, set, { received: N(received), expires: this.#expires(received) }),
    );
    await this.#links.putAll([...catalogue.values()]);
    if (this.#written.size > REMEMBERED) this.#written.clear();
    for (const name of catalogue.keys()) this.#written.add(name);
  }

  /** Lists of a range of hours, newest first. */
  async lists(first: string, last: string): Promise<readonly WitnessList[]> {
    const { items } = await this.#page('~witnesses', first, `${last}~`, MAX_LISTS, false);
    return items.map((item) => {
      const [hour = '', fn = ''] = text(item, 'place').split('#');
      return { hour, fn };
    });
  }

  /** Invocations of one part of a list, in the order of their ids. `next`: go on after it. */
  async invocations(
    list: WitnessList,
    spread: number,
    after: string,
    limit: number,
  ): Promise<{ readonly found: readonly Witnessed[]; readonly next?: string }> {
    const { items, cut } = await this.#page(listKey(list, spread), after || ' ', '~~', limit + 1, true);
    const rows = items.filter((item) => text(item, 'place') !== after).slice(0, limit);
    const last = rows.at(-1);
    const more = (cut || items.length > limit) && last !== undefined;
    return { found: rows.map((item) => readInvocation(item, list)), ...(more ? { next: text(last, 'place') } : {}) };
  }

  /** What is said of one request: by its function's witnesses around the time it began, and by CloudTrail whenever. */
  async ofRequest(fn: string, partition: Partition, at: number): Promise<readonly Witnessed[]> {
    const hours = new Set([hourOf(at - 60_000_000), hourOf(at), hourOf(at + 60_000_000)]);
    const pages = await inParallel([...hours], 3, (hour) =>
      this.#page(listKey({ hour, fn }, spreadOf(partition)), `${partition}#`, `${partition}#~`, MAX_PER_REQUEST, true),
    );
    const own = await this.#page(joinLink(`lambda:${partition}`), '~witness#', '~witness#~', MAX_PER_REQUEST, true);
    const trail = own.items.filter((item) => item.fn?.S === fn).map((item) => readRow(item, fn, partition, 'cloudtrail'));
    const listed = pages.flatMap(({ items }) => items.map((item) => readInvocation(item, { hour: hourOf(at), fn })));
    return [...new Map([...listed, ...trail].map((one) => [one.witness, one])).values()];
  }

  /** Days and functions of which the platform told of instances, newest first. */
  async instanceDays(first: string, last: string): Promise<readonly { readonly day: string; readonly fn: string }[]> {
    return await instanceDays(this.#links, first, last);
  }

  /** Instances of a function that began on a day, as the platform tells of them. */
  async instancesOn(of: { readonly day: string; readonly fn: string }, after: string, limit: number) {
    return await instancesOn(this.#links, of, after, limit);
  }

  /** What the platform says of the instance that writes to a log stream. */
  async instanceOfStream(fn: string, stream: string): Promise<PlatformInstance | undefined> {
    return await instanceOfStream(this.#links, fn, stream);
  }

  /** Counts what a source said and nobody could read. @param received µs, our own clock */
  async lose(source: string, lost: number, received: number): Promise<void> {
    const set = { received: N(received), expires: this.#expires(received) };
    await this.#links.add({ key: S('~unread'), place: S(`${dayOf(received)}#${source}`) }, { lost }, set);
  }

  /** What could not be read, by day and source, newest first. */
  async unread(since: number): Promise<readonly { readonly at: number; readonly source: string; readonly lost: number }[]> {
    const { items } = await this.#page('~unread', dayOf(since), '~', MAX_UNREAD, false);
    return items.map((item) => {
      const source = text(item, 'place').slice('2026-03-01#'.length);
      return { at: number(item, 'received'), source, lost: number(item, 'lost') };
    });
  }

  /** Changes of functions, newest first. @param fn only of this one; `until` µs; `actions`: only these, and where they succeeded */
  async changes(
    since: number,
    limit: number,
    { fn, until, actions }: { readonly fn?: string; readonly until?: number; readonly actions?: readonly string[] } = {},
  ): Promise<{ readonly changes: readonly WitnessedChange[]; readonly cut: boolean }> {
    const key = fn === undefined ? '~changes' : changesOf(fn);
    const to = until === undefined ? '~' : `${pad(until)}#~`;
    const { items, cut } = await this.#page(key, pad(since), to, limit, false, actions);
    const changes = items.map((item) => {
      const [at, id = ''] = text(item, 'place').split('#');
      return { at: Number(at), id, facts: facts(item) };
    });
    return { changes, cut };
  }

  async #page(key: string, from: string, to: string, limit: number, forward: boolean, actions: readonly string[] = []) {
    const wanted = Object.fromEntries(actions.map((action, i) => [`:w${i}`, S(action)]));
    const filtered = {
      FilterExpression: `#action IN (${Object.keys(wanted).join(', ')}) AND attribute_not_exists(#error)`,
      ExpressionAttributeNames: { '#k': 'key', '#action': 'action', '#error': 'error' },
    };
    return await this.#links.query(
      {
        KeyConditionExpression: '#k = :k AND place BETWEEN :a AND :b',
        ExpressionAttributeNames: { '#k': 'key' },
        ExpressionAttributeValues: { ':k': S(key), ':a': S(from), ':b': S(to), ...wanted },
        ScanIndexForward: forward,
        ...(actions.length === 0 ? {} : filtered),
      },
      limit,
      actions.length === 0 ? undefined : MAX_CHANGES_LOOKED_AT,
    );
  }

  /** A day before what it testifies to, so that a record that has expired is not taken for one that never was. */
  #expires(received: number) {
    return N(expiresAfter(received, Math.max(1, this.#retentionDays - 1)));
  }
}

/** One function may be called more often than one partition takes writes. */
const listKey = ({ hour, fn }: WitnessList, spread: number) => `~witness#${hour}#${fn}#${spread}`;
const spreadOf = (partition: Partition) => createHash('sha256').update(partition).digest().readUInt32BE(0) % listSpread;

const changesOf = (fn: string) => `~changes#${fn}`;

const NUMBERS = ['start', 'end', 'durationMs'] as const;
const TEXTS = [
  ...['fn', 'version', 'status', 'stream', 'caller', 'sourceIp', 'userAgent', 'action', 'by', 'error'],
  ...['api', 'apiRequestId', 'extendedRequestId', 'requestId', 'method', 'path'],
] as const;

/** Start and end go to attributes of their own: whichever comes first, the other adds to it. */
function attributes(said: InvocationTestimony | ChangeTestimony | AccessTestimony): Item {
  const fields = said as unknown as Readonly<Record<string, unknown>>;
  const texts = TEXTS.flatMap((name) => (typeof fields[name] === 'string' ? [[name, S(fields[name])] as const] : []));
  const time = said.what === 'invocation' && said.part === 'end' ? { end: N(said.at) } : { start: N(said.at) };
  const duration = said.what === 'invocation' && said.durationMs !== undefined ? { durationMs: N(said.durationMs) } : {};
  return { ...Object.fromEntries(texts), ...time, ...duration };
}

function facts(item: Item): Readonly<Record<string, string | number>> {
  const texts = TEXTS.flatMap((name) => (item[name]?.S === undefined ? [] : [[name, item[name].S] as const]));
  const numbers = NUMBERS.flatMap((name) => (item[name]?.N === undefined ? [] : [[name, number(item, name)] as const]));
  return Object.fromEntries<string | number>([...texts, ...numbers]);
}

function readInvocation(item: Item, { fn }: WitnessList): Witnessed {
  const [partition = '', witness = ''] = text(item, 'place').split('#');
  return readRow(item, fn, partition as Partition, witness as Witness);
}

function readRow(item: Item, fn: string, partition: Partition, witness: Witness): Witnessed {
  const ended = number(item, 'end') - Math.trunc(number(item, 'durationMs') * 1000);
  const at = item.start === undefined ? ended : number(item, 'start');
  return { fn, partition, witness, at, received: number(item, 'received'), facts: facts(item) };
}
