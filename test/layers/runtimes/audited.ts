import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { onTestFinished } from 'vitest';
import { buildLayer } from '../../../layers/build.ts';
import { type Fixture, startService } from '../../cdk/local/lambda/service.fixture.ts';
import { type Bucket, startBucket } from '../capture/bucket.ts';

/** Where scripts/runtime-clients puts AWS's own runtime clients. */
const CLIENTS = resolve(import.meta.dirname, '../../../build/runtime-clients');

/** The folder with a runtime client, or undefined, with a line that says how to get it. */
export function runtimeClient(language: 'node' | 'python'): string | undefined {
  const folder = `${CLIENTS}/${language === 'node' ? 'node/node_modules/aws-lambda-ric' : 'python'}`;
  if (existsSync(folder)) return folder;
  console.warn(`the ${language} runtime client is not installed (scripts/runtime-clients brings it): its tests are skipped`);
  return undefined;
}

export interface Audited extends Fixture {
  readonly bucket: Bucket;
  readonly auditLayer: string;
  /** Environment that the construct sets. */
  readonly environment: Readonly<Record<string, string>>;
  readonly of: Bucket['of'];
}

/** The engine's Lambda service with a bucket for evidence and the built layer. */
export async function startAudited(): Promise<Audited> {
  const bucket = await startBucket();
  onTestFinished(() => bucket.close());
  const layer = await buildLayer({ withNode: true });
  const fixture = startService({ endpoint: bucket.url });
  return {
    ...fixture,
    bucket,
    auditLayer: layer,
    environment: { ALASTOR_BUCKET: bucket.name },
    of: (kind) => bucket.of(kind),
  };
}
