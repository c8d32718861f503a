/** Which segments are meant by what was asked for. */
import { joinLink, requestPartition } from '../../functions/graph/ids.ts';
import { inParallel } from '../../functions/store/table.ts';
import type { StoredObject } from '../../functions/verify/evidence.ts';
import { inspect } from '../../functions/verify/inspect.ts';
import { parseSegmentKey } from '../../layers/record/key.ts';
import type { InstanceId } from '../../layers/record/types.ts';
import type { Deployment } from './deployment.ts';

export interface Asked {
  readonly requests: readonly string[];
  readonly instance: InstanceId | undefined;
  readonly fn: string | undefined;
  /** ms since 1970: only segments that S3 stored before then. */
  readonly before: number;
}

/** A segment that is to go. */
export interface Target {
  readonly segment: string;
  /** When S3 stored its first version, ms since 1970. */
  readonly stored: number;
  readonly object: StoredObject;
}

export interface Targets {
  readonly segments: readonly Target[];
  /** Requests that were not asked for and have a record in one of these segments; of requests only. */
  readonly others: readonly string[];
  /** What the asker should know. */
  readonly notes: readonly string[];
}

/** More segments are forgotten in several runs: all of them are kept in memory. */
const MOST_SEGMENTS = 100_000;
/** Instances that may claim to have served one request. */
const MOST_CLAIMS = 200;
/** Segments that are read at once. */
const WIDTH = 8;

/** @throws Error when it is too much, or the function of an instance is not known */
export async function targetsOf(
  asked: Asked,
  deployment: Deployment,
  signal: AbortSignal,
  note: (text: string) => void,
): Promise<Targets> {
  const found: Target[] = [];
  const take = (target: Target): void => {
    found.push(target);
    if (found.length > MOST_SEGMENTS)
      throw new Error(`more than ${MOST_SEGMENTS} segments are meant; forget them in parts, with --before`);
    note(`${found.length} segments`);
  };
  if (asked.requests.length > 0) {
    const told = await ofRequests(asked, deployment, signal, take, note);
    return { segments: found.sort((a, b) => (a.segment < b.segment ? -1 : 1)), ...told };
  }
  const part = asked.instance === undefined ? { fn: asked.fn ?? '' } : await placeOf(asked.instance, asked.fn, deployment);
  for await (const target of stored(deployment, part, asked.before, signal)) take(target);
  return { segments: found, others: [], notes: [] };
}

async function ofRequests(
  { requests, fn, before }: Asked,
  deployment: Deployment,
  signal: AbortSignal,
  take: (target: Target) => void,
  note: (text: string) => void,
): Promise<Omit<Targets, 'segments'>> {
  const wanted = new Set(requests.map(requestPartition));
  const notes: string[] = [];
  const places = new Map<string, { readonly fn: string; readonly instanceId: InstanceId }>();
  for (const id of requests) {
    const partition = requestPartition(id);
    const { links, cut } = await deployment.store.source.linksOf(joinLink(`lambda:${id}`), { limit: MOST_CLAIMS });
    const served = links.filter((one) => one.direction === 'in' && one.partition === partition && (fn ?? one.fn) === one.fn);
    for (const one of served) places.set(`${one.fn}/${one.instance}`, { fn: one.fn, instanceId: one.instance });
    if (cut) notes.push(`more than ${MOST_CLAIMS} claim to be request ${id}: name the function`);
    if (served.length === 0) notes.push(`no instance is known that served request ${id}`);
    const elsewhere = links.filter((one) => !served.includes(one)).map((one) => one.fn);
    if (elsewhere.length > 0)
      notes.push(`request ${id} is named in the record of ${[...new Set(elsewhere)].join(', ')}, too, which stays`);
  }
  const others = new Set<string>();
  const unread: string[] = [];
  let read = 0;
  for (const place of places.values()) {
    const own: Target[] = [];
    for await (const target of stored(deployment, place, before, signal)) own.push(target);
    // The segments themselves are asked: the tables know only what was stitched.
    await inParallel(own, WIDTH, async (target) => {
      signal.throwIfAborted();
      const [oldest] = target.object.versions;
      const bytes = oldest && (await deployment.evidence.read(oldest));
      note(`${++read} segments read`);
      if (bytes === undefined) return;
      const { header, requests: inside } = inspect(target.segment, bytes);
      if (header === undefined) unread.push(target.segment);
      if (!inside.some((one) => wanted.has(requestPartition(one)))) return;
      take(target);
      for (const one of inside) if (!wanted.has(requestPartition(one))) others.add(one);
    });
  }
  if (unread.length > 0)
    notes.push(
      `${unread.length} segments of these instances cannot be read, and stay: forget the instance to be sure (${unread[0]})`,
    );
  return { others: [...others], notes };
}

async function placeOf(instanceId: InstanceId, fn: string | undefined, { store }: Deployment) {
  const known = fn ?? (await store.lists.instance(instanceId)).items.find((item) => item.fn?.S !== undefined)?.fn?.S;
  if (known !== undefined) return { fn: known, instanceId };
  throw new Error(`no segment of instance ${instanceId} has been stitched: name its function with --function`);
}

async function* stored(
  { evidence }: Deployment,
  part: { readonly fn: string; readonly instanceId?: InstanceId },
  before: number,
  signal: AbortSignal,
): AsyncGenerator<Target> {
  for await (const one of evidence.instances(part)) {
    signal.throwIfAborted();
    for (const object of 'strange' in one ? [] : one.objects) {
      const at = object.versions[0]?.stored ?? 0;
      if (at < before && parseSegmentKey(object.key) !== undefined) yield { segment: object.key, stored: at, object };
    }
  }
}
