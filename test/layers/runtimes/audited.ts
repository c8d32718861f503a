import { onTestFailed, onTestFinished } from 'vitest';
import type { LambdaOptions } from '../../../cdk/local/lambda/index.ts';
import { buildLayer } from '../../../layers/build.ts';
import { type Fixture, startService } from '../../cdk/local/lambda/service.fixture.ts';
import { type Bucket, startBucket } from '../capture/bucket.ts';

export interface Audited extends Fixture {
  readonly bucket: Bucket;
  readonly auditLayer: string;
  /** Environment that the construct sets. */
  readonly environment: Readonly<Record<string, string>>;
  readonly of: Bucket['of'];
}

/** The engine's Lambda service with a bucket for evidence and the built layer. */
export async function startAudited(options: Partial<LambdaOptions> = {}): Promise<Audited> {
  const bucket = await startBucket();
  onTestFinished(() => bucket.close());
  const layer = await buildLayer({ withNode: true });
  const fixture = startService({ endpoint: bucket.url, ...options });
  onTestFailed(() => console.error(fixture.lines.join('\n')));
  return {
    ...fixture,
    bucket,
    auditLayer: layer,
    environment: { ALASTOR_BUCKET: bucket.name },
    of: (kind) => bucket.of(kind),
  };
}
