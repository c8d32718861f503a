import type { InstanceId } from '../../layers/record/types.ts';
import type { Store } from '../store/connect.ts';
import type { Finding } from '../store/finding.ts';
import { hourOf } from '../store/rows.ts';
import { logger } from '../telemetry/emit.ts';
import type { EvidenceSource, Noted } from './evidence.ts';
import { tombstonesOf, verifyInstance } from './verify.ts';

const HOUR = 3_600_000_000;
/** Instances of one run, and rows of lists that are read to find them. */
const MOST_INSTANCES = 20_000;
const MOST_ROWS = 500_000;
const ROWS = 1000;
/** Instances that are verified at once: most of the time S3 is waited for. */
const PARALLEL = 4;
/** Findings of one run that are kept, and of one function, so that none crowds out the others; the rest is counted. */
const MOST_FINDINGS = 1000;
const MOST_OF_FUNCTION = 100;

export interface RecentOptions {
  /** µs since 1970. */
  readonly now: number;
  readonly hours: number;
  readonly retentionDays: number;
  /** ms since 1970: what has not been verified by then is left out, and counted. */
  readonly deadline: number;
}

export interface Verified {
  /** Those that are kept. */
  readonly findings: readonly Finding[];
  /** Findings that are certain or likely. */
  readonly failures: number;
  readonly segments: number;
  readonly instances: number;
  /** Instances that there was no time for, or that could not be verified, or not wholly. */
  readonly left: number;
  /** There are instances that were not even counted. */
  readonly cut: boolean;
}

/** Verifies every instance of which a segment was listed in the last hours, newest first. */
export async function verifyRecent(store: Store, source: EvidenceSource, options: RecentOptions): Promise<Verified> {
  const { places, cut } = await instancesOf(store, options);
  const { forgotten, findings: strange } = await tombstonesOf(source, {});
  const findings: Finding[] = [...strange];
  const kept = new Map<string, number>();
  const told = { failures: strange.length, segments: 0, instances: 0 };
  const signal = AbortSignal.timeout(Math.max(1, options.deadline - Date.now()));
  let next = 0;
  // What one function put there must not end the verification of all others.
  const verified = async (place: Place) => {
    let partial = false;
    try {
      const found = await verifyInstance(place, {
        source,
        noted: async (instanceId) => {
          const { noted, cut } = await notedOf(store, instanceId);
          partial ||= cut;
          return noted;
        },
        now: options.now / 1000,
        kept: options.retentionDays * 86_400_000,
        signal,
        forgotten,
      });
      if (partial) logger.warn('an instance has more segments than are looked through', { ...place });
      return { ...found, partial };
    } catch (error) {
      logger.error('an instance could not be verified', { ...place, error: error as Error });
      return undefined;
    }
  };
  const worker = async (): Promise<void> => {
    while (next < places.length && Date.now() < options.deadline) {
      const place = places[next++];
      if (place === undefined) return;
      const found = await verified(place);
      if (found === undefined) continue;
      if (!found.partial) told.instances++;
      told.segments += found.totals.segments;
      for (const one of found.findings) {
        // What a crash looks like, too, would drown what it does not.
        if (one.sure === 'possible' || one.sure === 'told') continue;
        told.failures++;
        const own = kept.get(place.fn) ?? 0;
        if (findings.length >= MOST_FINDINGS || own >= MOST_OF_FUNCTION) continue;
        kept.set(place.fn, own + 1);
        findings.push(one);
      }
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
  return { ...told, findings, left: places.length - told.instances, cut };
}

interface Place {
  readonly fn: string;
  readonly instanceId: InstanceId;
}

async function instancesOf({ lists }: Store, { now, hours }: RecentOptions) {
  const found = new Map<string, Place>();
  let rows = 0;
  for (const name of await lists.names(hourOf(now - hours * HOUR), '9')) {
    for (let before: string | undefined = ''; before !== undefined; ) {
      if (found.size >= MOST_INSTANCES || rows >= MOST_ROWS) return { places: [...found.values()], cut: true };
      const page: Awaited<ReturnType<typeof lists.rowsOf>> = await lists.rowsOf(name, before, ROWS);
      for (const { fn, instance } of page.rows) found.set(`${fn}/${instance}`, { fn, instanceId: instance });
      rows += page.rows.length;
      before = page.next;
    }
  }
  return { places: [...found.values()], cut: false };
}

/** What the tables have of an instance. `cut`: there is more than is looked through. */
async function notedOf(
  { lists }: Store,
  instanceId: InstanceId,
): Promise<{ readonly noted: Noted | undefined; readonly cut: boolean }> {
  const { segments: some, items, cut: partial } = await lists.instance(instanceId);
  // The items are in the order of their requests' ids: a part of them is one of the segments of any time.
  const { segments, cut } = partial ? await lists.digests(instanceId) : { segments: some, cut: false };
  if (segments.length === 0) return { noted: undefined, cut };
  const partitions = new Set(items.map((item) => (item.part?.S ?? '').split('#')[0] ?? ''));
  const digests = new Map(segments.map(({ segment, digest }) => [segment, digest]));
  const requests = [...partitions].filter((partition) => partition !== '' && !partition.startsWith('~'));
  return { noted: { digests, requests }, cut };
}
