/** How links, lists and entries are laid out as table items, and read back. */
import { createHash } from 'node:crypto';
import type { InstanceId } from '../../layers/record/types.ts';
import type { LinkKey, NodeId, Partition } from '../graph/ids.ts';
import type { NodeKind } from '../graph/model.ts';
import type { Link, RequestEntry, SegmentEntry } from '../graph/shard.ts';
import { listSpread } from './schema.ts';
import type { Item } from './table.ts';

const DAY = 86_400_000_000;
const HOUR = 3_600_000_000;

/** Keys under which everybody's rows would meet: their rows go to one partition per day. */
const SPREAD = /^(?:host|addr|path|resource):/;
export const isSpread = (key: LinkKey) => SPREAD.test(key);

/** For times that an instance made up: always looked into. */
export const ODD = 'odd';

/** `%` is always escaped in keys, so that no key from evidence can end like this. */
export const bucketKey = (key: LinkKey, bucket: string) => `${key}%@${bucket}`;
export const bucketPlace = (bucket: string) => `~bucket#${bucket}`;

/** Fixed width, so that text order is time order. */
export const pad = (time: number) => String(Math.max(0, Math.trunc(time))).padStart(16, '0');

/** Claimed times are believed for sorting into lists when they lie within a day before the segment came in, or just after. */
function isPlausible(time: number, received: number): boolean {
  return time > received - DAY && time < received + HOUR;
}

const iso = (time: number, length: number) => new Date(time / 1000).toISOString().slice(0, length);
export const dayOf = (time: number) => iso(time, 10);
export const hourOf = (time: number) => iso(time, 13);
export const bucketOf = (time: number, received: number) => (isPlausible(time, received) ? dayOf(time) : ODD);
export const listHour = (time: number, received: number) => hourOf(isPlausible(time, received) ? time : received);

export const spreadOf = (instance: InstanceId) => createHash('sha256').update(instance).digest().readUInt32BE(0) % listSpread;

export const S = (value: string) => ({ S: value });
export const N = (value: number) => ({ N: String(value) });

export function linkItem(link: Link, bucket: string | undefined, expires: number): Item {
  const node = createHash('sha256').update(`${link.direction}\n${link.node}`).digest('hex').slice(0, 12);
  return {
    key: S(bucket === undefined ? link.key : bucketKey(link.key, bucket)),
    place: S(`${pad(link.t)}#${link.instance}#${link.partition}#${node}#${link.evidence.seq}`),
    dir: S(link.direction),
    t: N(link.t),
    instance: S(link.instance),
    fn: S(link.fn),
    partition: S(link.partition),
    node: S(link.node),
    kind: S(link.kind),
    label: S(link.label),
    sure: S(link.sure),
    segment: S(link.evidence.segment),
    seq: N(link.evidence.seq),
    expires: N(expires),
  };
}

export function readLink(item: Item, key: LinkKey): Link {
  return {
    key,
    direction: text(item, 'dir') as Link['direction'],
    t: number(item, 't'),
    instance: text(item, 'instance') as InstanceId,
    fn: text(item, 'fn'),
    partition: text(item, 'partition') as Partition,
    node: text(item, 'node') as NodeId,
    kind: text(item, 'kind') as NodeKind,
    label: text(item, 'label'),
    sure: text(item, 'sure') as Link['sure'],
    evidence: { segment: text(item, 'segment'), seq: number(item, 'seq') },
  };
}

export function requestItem(entry: RequestEntry, hour: string, expires: number): Item {
  return {
    key: S(`~requests#${hour}#${spreadOf(entry.instance)}`),
    place: S(`${pad(entry.at)}#${entry.instance}#${entry.partition}`),
    at: N(entry.at),
    instance: S(entry.instance),
    fn: S(entry.fn),
    partition: S(entry.partition),
    trigger: S(entry.trigger),
    ...(entry.source === undefined ? {} : { source: S(entry.source.slice(0, 512)) }),
    ...(entry.traceId === undefined ? {} : { traceId: S(entry.traceId.slice(0, 256)) }),
    expires: N(expires),
  };
}

export function readRequest(item: Item): RequestEntry {
  return {
    ...{
      instance: text(item, 'instance') as InstanceId,
      fn: text(item, 'fn'),
      partition: text(item, 'partition') as Partition,
    },
    ...{ at: number(item, 'at'), trigger: text(item, 'trigger') },
    ...(item.source?.S === undefined ? {} : { source: item.source.S }),
    ...(item.traceId?.S === undefined ? {} : { traceId: item.traceId.S }),
  };
}

/** A segment as it was seen, with the SHA-256 (hex) of its bytes, which the next one's `prev` must name. */
export interface SeenSegment extends SegmentEntry {
  readonly digest: string;
}

export function segmentItem(seen: SeenSegment, expires: number): Item {
  return {
    instanceId: S(seen.instance),
    part: S(`~~segment#${range(seen)}`),
    fn: S(seen.fn),
    version: S(seen.version),
    segment: S(seen.segment),
    first: N(seen.first),
    last: N(seen.last),
    from: N(seen.from),
    to: N(seen.to),
    digest: S(seen.digest),
    ...(seen.prev === null ? {} : { prev: S(seen.prev) }),
    requests: N(seen.requests),
    gaps: N(seen.gaps),
    unobserved: N(seen.unobserved),
    linksCut: N(seen.linksCut),
    expires: N(expires),
  };
}

export function readSegment(item: Item): SeenSegment {
  return {
    ...{ instance: text(item, 'instanceId') as InstanceId, fn: text(item, 'fn'), version: text(item, 'version') },
    ...{ segment: text(item, 'segment'), first: number(item, 'first'), last: number(item, 'last') },
    ...{ from: number(item, 'from'), to: number(item, 'to'), digest: text(item, 'digest'), prev: item.prev?.S ?? null },
    ...{ requests: number(item, 'requests'), gaps: number(item, 'gaps'), unobserved: number(item, 'unobserved') },
    linksCut: number(item, 'linksCut'),
  };
}

/** Place of a shard: its partition and the range of its segment. */
export const shardPart = (partition: Partition, shard: { readonly first: number; readonly last: number }) =>
  `${partition}#${range(shard)}`;

const range = ({ first, last }: { readonly first: number; readonly last: number }) =>
  `${String(first).padStart(12, '0')}-${String(last).padStart(12, '0')}`;

export function text(item: Item, name: string): string {
  const value = item[name]?.S;
  if (value === undefined)
    throw new Error(`item ${item.key?.S ?? item.instanceId?.S}/${item.place?.S ?? item.part?.S}: no ${name}`);
  return value;
}

export function number(item: Item, name: string): number {
  return Number(item[name]?.N ?? 0);
}
