/** Instances: which there were, what each served, and which of its requests influenced which. */
import { z } from 'zod';
import type { InstanceId } from '../../layers/record/types.ts';
import { INIT, instanceId, isRequest, type Partition, requestPartition } from '../graph/ids.ts';
import { Provenance } from '../graph/provenance.ts';
import { influences } from '../graph/reuse.ts';
import { missing } from '../store/chain.ts';
import type { Store } from '../store/connect.ts';
import { hourOf, number, type SeenSegment } from '../store/rows.ts';
import type { Item } from '../store/table.ts';
import { readPlace, writePlace } from './cursor.ts';
import { limit, read, time } from './parameters.ts';
import { cutLines } from './present.ts';
import { Problem } from './problem.ts';
import type { Route } from './routes.ts';

const DAY = 86_400_000_000;
/** Requests that the list of instances names of each. */
const NAMED = 100;
/** Rows of the lists that are read at once, and for one page. */
const ROWS = 200;
const MAX_ROWS = 4000;

interface Served {
  readonly requestId: string;
  at?: number;
  end?: number;
  status?: string;
  trigger?: string;
}

function servedBy(items: readonly Item[]): readonly Served[] {
  const requests = new Map<string, Served>();
  for (const item of items) {
    const partition = partitionIn(item);
    if (!isRequest(partition)) continue;
    const request = requests.get(partition) ?? { requestId: partition };
    if (item.begin !== undefined) Object.assign(request, { at: number(item, 'begin'), trigger: item.trigger?.S });
    if (item.end !== undefined) Object.assign(request, { end: number(item, 'end'), status: item.status?.S });
    requests.set(partition, request);
  }
  return [...requests.values()].sort((a, b) => (a.at ?? 0) - (b.at ?? 0));
}

const partitionIn = (item: Item) => (item.part?.S ?? '').split('#')[0] as Partition;

export const instancesQuery = z.object({
  ...{ function: z.string().max(200).optional(), since: time.optional(), until: time.optional() },
  ...{ limit: limit(20, 100), cursor: z.string().max(1000).optional() },
});

/** Instances by when they were last seen, newest first. */
export const instances: Route = async ({ query, store }) => {
  const asked = read(instancesQuery, query);
  const since = asked.since ?? Math.max(0, Date.now() * 1000 - 7 * DAY);
  const found = new Map<InstanceId, object>();
  let after = asked.cursor === undefined ? undefined : readPlace(asked.cursor);
  let rows = 0;
  do {
    const page = await store.lists.requests({
      ...{ since, segments: true, limit: Math.min(ROWS, asked.limit * 4) },
      ...(asked.until === undefined ? {} : { until: asked.until }),
      ...(asked.function === undefined ? {} : { fn: asked.function }),
      ...(after === undefined ? {} : { after }),
    });
    for (const entry of page.entries) {
      rows++;
      if (found.has(entry.instance)) continue;
      const told = await store.lists.instance(entry.instance);
      if (!isNewest(entry.at, asked.until, told)) continue;
      found.set(entry.instance, summary(entry.instance, entry.fn, told));
    }
    after = page.next;
  } while (after !== undefined && found.size < asked.limit && rows < MAX_ROWS);
  const cursor = after === undefined ? undefined : writePlace(after);
  return {
    instances: [...found.values()],
    ...(cursor === undefined ? {} : { cursor }),
    cut: cursor === undefined ? [] : ['instances: older ones; ask again with cursor'],
  };
};

type Told = Awaited<ReturnType<Store['lists']['instance']>>;

/** Each instance is named where its newest row stands, so that no later page names it again. */
function isNewest(at: number, until: number | undefined, { items, segments }: Told): boolean {
  const begun = items.flatMap((item) => (item.begin === undefined ? [] : [number(item, 'begin')]));
  // What was forgotten has no row of its own any more.
  const rows = segments.filter(({ requests, forgotten }) => requests === 0 && forgotten !== true);
  const all = [...begun, ...rows.map(({ from }) => from)];
  const newest = Math.max(...all.filter((one) => until === undefined || one <= until));
  // Times that an instance made up stand elsewhere in the lists: rather twice than never.
  return at >= newest || hourOf(at) > hourOf(newest);
}

function summary(id: InstanceId, fn: string, { items, segments, cut }: Told): object {
  const requests = servedBy(items);
  const times = segments.flatMap(({ from, to }) => [from, to]);
  return {
    ...{ instanceId: id, function: fn, ...(segments[0] === undefined ? {} : { version: segments[0].version }) },
    ...(times.length === 0 ? {} : { first: Math.min(...times), last: Math.max(...times) }),
    counts: { requests: requests.length, segments: segments.length, missing: missing(segments).length },
    requests: requests.slice(0, NAMED),
    cut: [
      ...(requests.length > NAMED ? [`requests: ${requests.length - NAMED} later ones; ask for the instance`] : []),
      ...(cut ? ['requests, segments: others of this instance'] : []),
    ],
  };
}

export const nothing = z.object({});

export const instance: Route = async ({ path, query, store }) => {
  read(nothing, query);
  const id = (path.id ?? '') as InstanceId;
  const { items, segments, cut, facts } = await seenOf(id, store);
  const fn = segments[0]?.fn ?? items[0]?.fn?.S;
  const served = servedBy(items);
  const platform = fn === undefined ? undefined : await platformOf(fn, served, store);
  return {
    ...{ instanceId: id, function: fn, ...facts, ...(platform === undefined ? {} : { platform }) },
    requests: served,
    segments: segments.map(({ instance: _, ...segment }: SeenSegment) => segment),
    missing: missing(segments),
    cut: [
      ...(cut ? ['requests, segments: others of this instance'] : []),
      ...segments.filter(({ linksCut }) => linksCut > 0).map((one) => `index: ${one.linksCut} entries of ${one.segment}`),
    ],
  };
};

/** Requests of an instance by which its log stream is looked for: the platform names instances otherwise than they name themselves. */
const ASKED_FOR_STREAM = 3;

/** What the platform says of the instance that served these requests; undefined when no witness named its log stream. */
async function platformOf(fn: string, served: readonly Served[], { witnesses }: Store): Promise<object | undefined> {
  for (const { requestId, at } of served.filter((one) => one.at !== undefined).slice(0, ASKED_FOR_STREAM)) {
    const said = await witnesses.ofRequest(fn, requestPartition(requestId), at ?? 0);
    const stream = said.map(({ facts }) => facts.stream).find((one) => one !== undefined);
    if (stream === undefined) continue;
    const told = await witnesses.instanceOfStream(fn, String(stream));
    return { stream, ...told?.facts, extensions: told?.extensions ?? [] };
  }
  return undefined;
}

async function seenOf(id: InstanceId, store: Store) {
  const [told, init] = await Promise.all([store.lists.instance(id), store.source.shardsOf(id, INIT)]);
  if (told.items.length === 0 && told.segments.length === 0) {
    throw new Problem(404, 'No such instance', `no segment of instance ${id} has been stitched`, 'id');
  }
  const one = init.flatMap(({ nodes }) => nodes).find((node) => node.id === instanceId(id));
  const facts = one?.kind === 'instance' ? { version: one.version, runtime: one.runtime, initType: one.initType } : {};
  return { ...told, facts };
}

export const reuseQuery = z.object({ since: time.optional(), until: time.optional(), requests: limit(400, 2000) });

/** Which later requests were influenced by which earlier ones, through what, and how surely. */
export const reuse: Route = async ({ path, query, store }) => {
  const asked = read(reuseQuery, query);
  const id = (path.id ?? '') as InstanceId;
  const { items, cut } = await seenOf(id, store);
  const within = ({ at, end }: Served) =>
    (asked.until === undefined || (at ?? end ?? 0) <= asked.until) &&
    (asked.since === undefined || (end ?? at ?? 0) >= asked.since);
  const served = servedBy(items).filter(within);
  // The newest: what was used last is what somebody asks about.
  const requests = served.slice(-asked.requests).map(({ requestId }) => requestId as Partition);
  const outside = [...new Set(items.map(partitionIn))].filter((partition) => !isRequest(partition));
  const provenance = new Provenance(store.source, { partitions: requests.length + outside.length + 8, linksPerKey: 1000 });
  const told = await influences(provenance, id, [...outside, ...requests]);
  const left = served.length - requests.length;
  return {
    ...{ instanceId: id, requests: requests.length },
    influences: told,
    cut: [
      ...(left > 0 ? [`requests: ${left} earlier ones, with what they left; raise requests, or move until`] : []),
      ...(asked.since !== undefined ? ['requests: those before since, with what they left'] : []),
      ...(cut ? ['requests: others of this instance'] : []),
      ...cutLines(provenance.cuts),
    ],
  };
};
