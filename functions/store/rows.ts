/** How links, lists and entries are laid out as table items, and read back. */
import { createHash } from 'node:crypto';
import type { InstanceId } from '../../layers/record/types.ts';
import type { LinkKey, NodeId, Partition } from '../graph/ids.ts';
import type { NodeKind } from '../graph/model.ts';
import type { Link, RequestEntry, SegmentEntry, Shard } from '../graph/shard.ts';
import { fanSpread, listSpread, segmentPrefix } from './schema.ts';
import type { Item } from './table.ts';

const DAY = 86_400_000_000;
const HOUR = 3_600_000_000;
const SECONDS_A_DAY = 86_400;

/** A path, one version of an object, one item of a table or one state of it: many there are, and few of them hot. */
const SINGLE = /^(?:path:|resource:(?:s3:\/\/.*@|ddb:[^/]+[/@]))/;
/** Keys under which everybody's rows would meet. */
const SHARED = /^(?:host|addr|path|resource):/;

/** Rows of these go to one partition per day, and another row names the day. */
export const isSpread = (key: LinkKey) => SHARED.test(key) && !SINGLE.test(key);
/** Rows of these go to one of a few partitions, by instance: a row that names a day would double the cost of most. */
export const isFanned = (key: LinkKey) => SINGLE.test(key);
export const fanKey = (key: LinkKey, fan: number) => `${key}%@${fan}`;

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

/** Whether a claimed time lies so far from when the segment came in that the one must not stand for the other. */
export const isOdd = (time: number, received: number) => Math.abs(time - received) > HOUR;

const iso = (time: number, length: number) => new Date(time / 1000).toISOString().slice(0, length);
export const dayOf = (time: number) => iso(time, 10);
export const hourOf = (time: number) => iso(time, 13);
export const bucketOf = (time: number, received: number) => (isPlausible(time, received) ? dayOf(time) : ODD);
export const listHour = (time: number, received: number) => hourOf(isPlausible(time, received) ? time : received);

/** Seconds since 1970, as the tables' TTL wants them. @param received µs */
export const expiresAfter = (received: number, days: number) => Math.trunc(received / 1_000_000) + days * SECONDS_A_DAY;

let lastHashed = '';
let lastHash = 0;
function hashOf(instance: InstanceId): number {
  if (instance !== lastHashed) {
    lastHash = createHash('sha256').update(instance).digest().readUInt32BE(0);
    lastHashed = instance;
  }
  return lastHash;
}
export const spreadOf = (instance: InstanceId) => hashOf(instance) % listSpread;
const fanOf = (instance: InstanceId) => hashOf(instance) % fanSpread;

export const S = (value: string) => ({ S: value });
export const N = (value: number) => ({ N: String(value) });

/** Not to be guessed at or defended: with time and seq beside it, it only keeps two nodes of one record apart. FNV-1a. */
function shortHash(text: string): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return (hash >>> 0).toString(36);
}

export function linkItem(link: Link, bucket: string | undefined, expires: number): Item {
  const node = shortHash(`${link.direction}\n${link.node}`);
  const single = isFanned(link.key) ? fanKey(link.key, fanOf(link.instance)) : link.key;
  return {
    key: S(bucket === undefined ? single : bucketKey(link.key, bucket)),
    place: S(`${pad(link.t)}#${link.instance}#${link.partition}#${node}#${link.evidence.seq}`),
    dir: S(link.direction),
    fn: S(link.fn),
    node: S(link.node),
    kind: S(link.kind),
    label: S(link.label),
    ...(link.sure === 'exact' ? {} : { sure: S(link.sure) }),
    of: S(rangeIn(link.evidence.segment)),
    expires: N(expires),
  };
}

export function readLink(item: Item, key: LinkKey): Link {
  const [t, instance = '', partition = '', , seq] = text(item, 'place').split('#');
  const fn = text(item, 'fn');
  return {
    key,
    direction: text(item, 'dir') as Link['direction'],
    t: Number(t),
    instance: instance as InstanceId,
    fn,
    partition: partition as Partition,
    node: text(item, 'node') as NodeId,
    kind: text(item, 'kind') as NodeKind,
    label: text(item, 'label'),
    sure: (item.sure?.S ?? 'exact') as Link['sure'],
    evidence: { segment: segmentIn(fn, instance, text(item, 'of')), seq: Number(seq) },
  };
}

/** The last part of a segment's key, which the function and instance beside it make whole again. */
const rangeIn = (segment: string) => segment.slice(segment.lastIndexOf('/') + 1, -SUFFIX.length);
export const segmentIn = (fn: string, instance: string, of: string) => `${segmentPrefix}${fn}/${instance}/${of}${SUFFIX}`;
const SUFFIX = '.ndjson.zst';

/** What the list says of a request that began in a segment. */
export interface Listed extends RequestEntry {
  /** Where it stands in the list of its hour. */
  readonly place: string;
}

/** Where in its list a request stands, or (without one) a segment in which none began. */
export const listPlace = (at: number, instance: InstanceId, partition: Partition | undefined, of: Range) =>
  `${pad(at)}#${instance}#${partition ?? ''}#${of.first}-${of.last}`;

export const listKey = (hour: string, instance: InstanceId) => `~requests#${listName(hour, instance)}`;
export const listName = (hour: string, instance: InstanceId) => `${hour}#${spreadOf(instance)}`;

/** Of a row whose time is odd: when S3 took the segment, which no function can choose. */
export const receivedField = (at: number, received: number): Item =>
  isOdd(at, received) ? { received: N(Math.trunc(received)) } : {};

/** A list to which segments of an earlier hour were added later, under the hour in which they came. */
export const lateItem = (list: string, received: number): Item => ({
  key: S('~late'),
  place: S(`${hourOf(received)}#${list}`),
});

export function requestItem(entry: RequestEntry, hour: string, of: Range, received: number, expires: number): Item {
  return {
    ...receivedField(entry.at, received),
    key: S(listKey(hour, entry.instance)),
    place: S(listPlace(entry.at, entry.instance, entry.partition, of)),
    fn: S(entry.fn),
    trigger: S(entry.trigger),
    ...(entry.source === undefined ? {} : { source: S(entry.source.slice(0, 512)) }),
    ...(entry.traceId === undefined ? {} : { trace: S(entry.traceId.slice(0, 256)) }),
    expires: N(expires),
  };
}

export function readRequest(item: Item): Listed {
  const place = text(item, 'place');
  const [at, instance, partition] = place.split('#');
  return {
    ...{ place, instance: instance as InstanceId, fn: text(item, 'fn'), partition: partition as Partition },
    ...{ at: Number(at), trigger: item.trigger?.S ?? '' },
    ...(item.source?.S === undefined ? {} : { source: item.source.S }),
    ...(item.trace?.S === undefined ? {} : { traceId: item.trace.S }),
  };
}

/** A segment as it was seen, with the SHA-256 (hex) of its bytes, which the next one's `prev` must name; its own `prev` is cut to 16 bytes. */
export interface SeenSegment extends SegmentEntry {
  readonly digest: string;
  /** It was deleted on purpose (`alastor forget`); this is all that is left of it. */
  readonly forgotten?: true;
}

/** What is known of a segment, as attributes of the item of one of its shards. */
export function segmentFields(seen: SeenSegment): Item {
  const { from, to, requests, gaps, unobserved, linksCut } = seen;
  return {
    digest: { B: Buffer.from(seen.digest, 'hex') },
    // Half of it is enough to tell whether it is the digest of the segment before.
    ...(seen.prev === null ? {} : { prev: { B: Buffer.from(seen.prev.slice(0, 32), 'hex') } }),
    seen: S([from, to - from, requests, gaps, unobserved, linksCut, seen.version].join(' ')),
  };
}

/** Of what an item of the table of shards is the subgraph. */
export function readPlace(item: Item): Omit<Shard, 'nodes' | 'edges'> {
  const instance = text(item, 'instanceId') as InstanceId;
  const fn = text(item, 'fn');
  const [partition = '', range = ''] = text(item, 'part').split('#');
  const [first = 0, last = 0] = range.split('-').map(Number);
  const linksCut = number(item, 'linksCut');
  const of = { instance, fn, partition: partition as Partition, segment: segmentIn(fn, instance, range), first, last };
  return linksCut === 0 ? of : { ...of, linksCut };
}

/** Undefined for the items of a segment's other shards. */
export function readSegment(item: Item): SeenSegment | undefined {
  if (item.digest?.B === undefined) return undefined;
  const parts = text(item, 'seen').split(' ');
  const [from = 0, span = 0, requests = 0, gaps = 0, unobserved = 0, linksCut = 0] = parts.slice(0, 6).map(Number);
  const instance = text(item, 'instanceId') as InstanceId;
  const fn = text(item, 'fn');
  const part = text(item, 'part');
  const range = part.slice(part.lastIndexOf('#') + 1);
  const [first = 0, last = 0] = range.split('-').map(Number);
  return {
    ...{ instance, fn, version: parts.slice(6).join(' '), segment: segmentIn(fn, instance, range), first, last },
    ...{ from, to: from + span, requests, gaps, unobserved, linksCut },
    ...{ digest: hex(item.digest.B), prev: item.prev?.B === undefined ? null : hex(item.prev.B) },
    ...(item.gone === undefined ? {} : { forgotten: true }),
  };
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

/** Place of a segment that adds nothing to the graph; after all partitions. */
export const emptyPart = (segment: Range) => `~~segment#${range(segment)}`;

/** Place of a shard: its partition and the range of its segment. */
export const shardPart = (partition: Partition, shard: Range) => `${partition}#${range(shard)}`;

interface Range {
  readonly first: number;
  readonly last: number;
}
const range = ({ first, last }: Range) => `${String(first).padStart(12, '0')}-${String(last).padStart(12, '0')}`;

export function text(item: Item, name: string): string {
  const value = item[name]?.S;
  if (value === undefined)
    throw new Error(`item ${item.key?.S ?? item.instanceId?.S}/${item.place?.S ?? item.part?.S}: no ${name}`);
  return value;
}

export function number(item: Item, name: string): number {
  return Number(item[name]?.N ?? 0);
}
