/** Instances as the platform's log has them: when one began, how, whether its extensions came up. By function and log stream. */
import { clean } from '../graph/ids.ts';
import { dayOf, N, number, S, text } from './rows.ts';
import type { Item, Table } from './table.ts';
import type { InstanceTestimony } from './testimony.ts';

/** Extensions of one instance; Lambda takes ten. */
const MAX_EXTENSIONS = 16;
/** Functions and days that are known. */
const MAX_DAYS = 20_000;
/** Name under which our own recorder registers (layers/capture/extension-api.ts). */
const RECORDER = 'alastor';

/** An instance as the platform tells of it. */
export interface PlatformInstance {
  readonly stream: string;
  /** When init or restore began, µs; undefined when that line was not heard. */
  readonly start?: number;
  /** When we first heard of it, by our own clock. */
  readonly received: number;
  readonly facts: Readonly<Record<string, string | number>>;
  readonly extensions: readonly { readonly name: string; readonly state?: string; readonly error?: string }[];
}

const TEXTS = ['phase', 'version', 'initType', 'runtime', 'status', 'error'] as const;

const listOf = (fn: string) => `~instances#${fn}`;
/** `2026/03/01/[$LATEST]…`: in order of days. */
const placeOf = (stream: string) => clean(stream, 300).replaceAll('#', '%23');

/** Row that this testimony belongs to, and what it adds. */
export function instanceRow(said: InstanceTestimony): { readonly key: string; readonly place: string; readonly set: Item } {
  const key = listOf(said.fn);
  const place = placeOf(said.stream);
  if (said.part === 'extension') {
    const { extension = '', state, error } = said;
    const set = { ...(state === undefined ? {} : { state: S(state) }), ...(error === undefined ? {} : { error: S(error) }) };
    return { key, place: `${place}#${placeOf(extension)}`, set: { start: N(said.at), ...set } };
  }
  const fields = { ...said, ...(said.part === 'ready' ? {} : { phase: said.part }) } as Readonly<Record<string, unknown>>;
  const texts = TEXTS.flatMap((name) => (typeof fields[name] === 'string' ? [[name, S(fields[name])] as const] : []));
  const time = said.part === 'ready' ? { end: N(said.at) } : { start: N(said.at) };
  const duration = said.durationMs === undefined ? {} : { durationMs: N(said.durationMs) };
  return { key, place, set: { ...Object.fromEntries(texts), ...time, ...duration } };
}

/** Names the day and function, so that whoever asks knows where to look. */
export const instanceDay = ({ fn, at }: InstanceTestimony): Item => ({ key: S('~instances'), place: S(`${dayOf(at)}#${fn}`) });

/** Days and functions of which instances are known, newest first. */
export async function instanceDays(links: Table, first: string, last: string) {
  const items = await rows(links, '~instances', first, `${last}~`, MAX_DAYS, false);
  return items.found.map((item) => {
    const [day = '', fn = ''] = text(item, 'place').split('#');
    return { day, fn };
  });
}

/** Instances of a function that began on a day, by the names of their streams. `next`: go on after it. */
export async function instancesOn(
  links: Table,
  { day, fn }: { readonly day: string; readonly fn: string },
  after: string,
  limit: number,
): Promise<{ readonly found: readonly PlatformInstance[]; readonly next?: string }> {
  const prefix = day.replaceAll('-', '/');
  const { found, cut } = await rows(links, listOf(fn), after === '' ? prefix : `${after}#~`, `${prefix}~`, limit, true);
  const grouped = [...Map.groupBy(found, streamIn)];
  // The rows of the last one may go on in the next page.
  const whole = cut && grouped.length > 1 ? grouped.slice(0, -1) : grouped;
  const last = whole.at(-1)?.[0];
  return { found: whole.map(([, items]) => read(items)), ...(cut && last !== undefined ? { next: last } : {}) };
}

/** What is known of the instance that writes to a stream. */
export async function instanceOfStream(links: Table, fn: string, stream: string): Promise<PlatformInstance | undefined> {
  const { found } = await rows(links, listOf(fn), placeOf(stream), `${placeOf(stream)}#~`, MAX_EXTENSIONS, true);
  const own = found.filter((item) => streamIn(item) === placeOf(stream));
  return own.length === 0 ? undefined : read(own);
}

/** What the platform says became of our recorder in it; undefined when it said nothing. */
export const recorderOf = ({ extensions }: PlatformInstance) => extensions.find(({ name }) => name === RECORDER);

const streamIn = (item: Item) => text(item, 'place').split('#')[0] ?? '';

function read(items: readonly Item[]): PlatformInstance {
  const own = items.find((item) => !text(item, 'place').includes('#'));
  const extensions = items.flatMap((item) => {
    const name = text(item, 'place').split('#')[1];
    if (name === undefined) return [];
    const error = item.error?.S === undefined ? {} : { error: item.error.S };
    return [{ name, ...(item.state?.S === undefined ? {} : { state: item.state.S }), ...error }];
  });
  const texts = TEXTS.flatMap((name) => (own?.[name]?.S === undefined ? [] : [[name, own[name].S] as const]));
  const numbers = (['start', 'end', 'durationMs'] as const).flatMap((name) =>
    own?.[name] === undefined ? [] : [[name, number(own, name)] as const],
  );
  return {
    ...{ stream: streamIn(items[0] ?? {}), received: Math.min(...items.map((item) => number(item, 'received'))), extensions },
    ...(own?.start === undefined ? {} : { start: number(own, 'start') }),
    facts: Object.fromEntries<string | number>([...texts, ...numbers]),
  };
}

async function rows(links: Table, key: string, from: string, to: string, limit: number, forward: boolean) {
  const { items, cut } = await links.query(
    {
      KeyConditionExpression: '#k = :k AND place BETWEEN :a AND :b',
      ExpressionAttributeNames: { '#k': 'key' },
      ExpressionAttributeValues: { ':k': S(key), ':a': S(from), ':b': S(to) },
      ScanIndexForward: forward,
    },
    limit,
  );
  return { found: items, cut };
}
