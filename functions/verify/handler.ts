import { type Store, storeFromEnvironment } from '../store/connect.ts';
import { s3Client } from '../store/objects.ts';
import { environment } from '../store/schema.ts';
import { emit, logger } from '../telemetry/emit.ts';
import type { EvidenceSource } from './evidence.ts';
import { verifyRecent } from './recent.ts';
import { S3Evidence } from './s3-source.ts';

/** Looks back further than to the last run, so that what was under way then is looked at, too. */
const HOURS = 26;
/** ms that are left for writing down what was found. */
const RESERVE = 60_000;

let store: Store | undefined;
let source: EvidenceSource | undefined;

/** Verifies the record of the last day, once a day. */
export async function handler(_event: unknown, context?: { getRemainingTimeInMillis(): number }): Promise<void> {
  store ??= storeFromEnvironment();
  source ??= new S3Evidence(s3Client(), process.env[environment.bucket] ?? '');
  const now = Date.now();
  const found = await verifyRecent(store, source, {
    ...{ now: now * 1000, hours: HOURS, retentionDays: Number(process.env[environment.retentionDays] ?? '90') },
    deadline: now + (context?.getRemainingTimeInMillis() ?? 900_000) - RESERVE,
  });
  const { failures, segments, instances, left, cut, findings } = found;
  for (const one of findings.slice(0, 50))
    logger.warn('the record is not whole', { ...one, requests: one.requests.slice(0, 20) });
  logger[failures > 0 || left > 0 || cut ? 'warn' : 'info']('verified', {
    ...{ instances, segments, failures, kept: findings.length, left, cut },
  });
  // Before they are stored, which may fail: the alarms go by these.
  emit({ VerifiedSegments: segments, VerificationFailures: failures, UnverifiedInstances: left + (cut ? 1 : 0) });
  await store.findings.put(found.findings, now * 1000);
}
