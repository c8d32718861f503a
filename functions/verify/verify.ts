import { parseSegmentKey, segmentDigest } from '../../layers/record/key.ts';
import type { InstanceId } from '../../layers/record/types.ts';
import type { Finding } from '../store/finding.ts';
import type { Tombstone } from '../store/tombstone.ts';
import type { EvidenceSource, InstanceObjects, Noted, Part, StoredObject } from './evidence.ts';
import { inspect } from './inspect.ts';
import { judge, type Seen } from './judge.ts';

export interface VerifyOptions {
  readonly source: EvidenceSource;
  readonly part: Part;
  /** Instances with a segment that was stored in this range, ms since 1970; of a directory, that claims to be of it. */
  readonly from?: number;
  readonly to?: number;
  /** What was noted of an instance; undefined: nothing. */
  readonly noted?: (instanceId: InstanceId) => Promise<Noted | undefined>;
  readonly now?: number;
  /** How long segments are kept, in ms. */
  readonly kept?: number;
  readonly signal?: AbortSignal;
  /** Called after each instance. */
  readonly onProgress?: (instanceId: InstanceId, totals: Totals) => void;
}

export interface Totals {
  readonly instances: number;
  readonly segments: number;
  readonly bytes: number;
}

/** Segments of one instance that are read at once. */
const PARALLEL = 8;

/**
 * Goes through the record of every instance in a part of the evidence, one instance after the other, and gives what is wrong with it.
 * What is kept in memory is what is known of the segments of one instance.
 */
export async function* verify(options: VerifyOptions): AsyncGenerator<Finding, Totals> {
  const { source, part, signal } = options;
  const totals = { instances: 0, segments: 0, bytes: 0 };
  const { forgotten, findings } = await tombstonesOf(source, part);
  yield* findings;
  const seen = new Set<InstanceId>();
  const one = async (listed: InstanceObjects): Promise<readonly Finding[]> => {
    const found = await judged(listed, { ...options, forgotten }, totals);
    totals.instances++;
    options.onProgress?.(listed.instanceId, totals);
    return found;
  };
  for await (const listed of source.instances(part)) {
    signal?.throwIfAborted();
    if ('strange' in listed) {
      yield strange(listed.strange);
      continue;
    }
    if (forgotten.has(listed.instanceId)) seen.add(listed.instanceId);
    if (inRange(listed, options)) yield* await one(listed);
  }
  // Of which nothing is left.
  for (const [instanceId, tombstones] of forgotten) {
    const fn = parseSegmentKey(tombstones[0]?.segment ?? '')?.fn;
    const wanted = part.instanceId === undefined || part.instanceId === instanceId;
    const listed = tombstones.map(({ segment: key, stored, bytes }) => ({ key, versions: [{ key, stored, bytes }] }));
    if (fn === undefined || !wanted || seen.has(instanceId) || !inRange({ fn, instanceId, objects: listed }, options)) continue;
    yield* await one({ fn, instanceId, objects: [] });
  }
  return totals;
}

/** More are not kept in memory. */
const MOST_TOMBSTONES = 500_000;

export type ForgottenOf = ReadonlyMap<InstanceId, readonly Tombstone[]>;

/** What was deleted on purpose in a part of the evidence, by instance. @throws Error when it is more than can be kept */
export async function tombstonesOf(source: EvidenceSource, part: Part) {
  const forgotten = new Map<InstanceId, Tombstone[]>();
  const findings: Finding[] = [];
  let count = 0;
  for await (const some of source.tombstones(part)) {
    if ('strange' in some) {
      findings.push(strange(some.strange));
      continue;
    }
    count += some.length;
    if (count > MOST_TOMBSTONES)
      throw new Error(`more than ${MOST_TOMBSTONES} segments were forgotten: verify function by function`);
    for (const one of some) {
      const instanceId = parseSegmentKey(one.segment)?.instanceId;
      if (instanceId === undefined) continue;
      const known = forgotten.get(instanceId) ?? [];
      known.push(one);
      forgotten.set(instanceId, known);
    }
  }
  return { forgotten: forgotten as ForgottenOf, findings };
}

type Judging = Pick<VerifyOptions, 'source' | 'noted' | 'now' | 'kept' | 'signal'> & { readonly forgotten: ForgottenOf };

/** The record of one instance, of which perhaps nothing is left. */
export async function verifyInstance(
  place: { readonly fn: string; readonly instanceId: InstanceId },
  options: Judging,
): Promise<{ readonly findings: readonly Finding[]; readonly totals: Totals }> {
  const totals = { instances: 1, segments: 0, bytes: 0 };
  const findings: Finding[] = [];
  let seen = false;
  for await (const one of options.source.instances(place)) {
    options.signal?.throwIfAborted();
    seen ||= !('strange' in one);
    findings.push(...('strange' in one ? [strange(one.strange)] : await judged(one, options, totals)));
  }
  if (!seen) findings.push(...(await judged({ ...place, objects: [] }, options, totals)));
  return { findings, totals };
}

async function judged(
  listed: InstanceObjects,
  { source, noted, now = Date.now(), kept, signal, forgotten }: Judging,
  totals: { segments: number; bytes: number },
): Promise<readonly Finding[]> {
  const { fn, instanceId } = listed;
  const told = await noted?.(instanceId);
  const there = new Set(listed.objects.map(({ key }) => key));
  let objects = listed;
  // The instance may have gone on since the objects were listed: what was stitched by now was stored before that.
  if ([...(told?.digests.keys() ?? [])].some((key) => !there.has(key))) {
    for await (const again of source.instances({ fn, instanceId })) if (!('strange' in again)) objects = again;
  }
  const segments = await inspectAll(objects, source, totals, signal);
  return judge({
    ...{ fn, instanceId, segments, now, noted: told },
    forgotten: (forgotten.get(instanceId) ?? []).filter((one) => parseSegmentKey(one.segment)?.fn === fn),
    ...(kept === undefined ? {} : { kept }),
  });
}

function strange(key: string): Finding {
  const [, fn = ''] = key.split('/');
  const why = 'an object that neither a recorder nor `alastor forget` writes; nothing reads it';
  return { kind: 'foreign', sure: 'certain', function: fn, segment: key, requests: [], why };
}

function inRange(
  { instanceId, objects }: InstanceObjects,
  { from = 0, to = Number.POSITIVE_INFINITY }: VerifyOptions,
): boolean {
  const times = objects.flatMap(({ versions }) => versions.flatMap(({ stored }) => stored ?? []));
  // A directory keeps no times that can be trusted: an instance's id says when it began.
  if (times.length === 0) times.push(Number.parseInt(instanceId.replace('-', '').slice(0, 12), 16));
  return times.some((time) => time >= from && time < to);
}

async function inspectAll(
  { objects }: InstanceObjects,
  source: EvidenceSource,
  totals: { segments: number; bytes: number },
  signal: AbortSignal | undefined,
): Promise<readonly Seen[]> {
  const found: Seen[] = [];
  const waiting = objects.filter(({ key }) => parseSegmentKey(key) !== undefined);
  for (let at = 0; at < waiting.length; at += PARALLEL) {
    signal?.throwIfAborted();
    const some = await Promise.all(
      waiting.slice(at, at + PARALLEL).map((object) => inspectOne(object, source, totals, signal)),
    );
    found.push(...some.flat());
  }
  return found;
}

async function inspectOne(
  { key, versions, hidden }: StoredObject,
  source: EvidenceSource,
  totals: { segments: number; bytes: number },
  signal: AbortSignal | undefined,
): Promise<readonly Seen[]> {
  const [oldest, ...later] = versions;
  const bytes = oldest === undefined ? undefined : await source.read(oldest);
  if (oldest === undefined || bytes === undefined) return [];
  totals.segments++;
  totals.bytes += bytes.length;
  const seen = inspect(key, bytes);
  const rewritten: string[] = [];
  for (const version of later) {
    signal?.throwIfAborted();
    const other = await source.read(version);
    const digest = other === undefined ? undefined : segmentDigest(other);
    if (digest !== undefined && digest !== seen.digest) rewritten.push(digest);
  }
  return [
    {
      ...{ ...seen, key, rewritten },
      ...(oldest.stored === undefined ? {} : { stored: oldest.stored }),
      ...(hidden === undefined ? {} : { hidden }),
    },
  ];
}
