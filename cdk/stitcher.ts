import { Duration } from 'aws-cdk-lib';
import { SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources';
import type { Construct } from 'constructs';
import { environment, segmentPrefix, spillPrefix } from '../functions/store/schema.ts';
import type { EvidenceStore } from './evidence.ts';
import { OwnFunction } from './own-function.ts';
import type { AlastorSettings } from './props.ts';

export const stitcherTimeout = Duration.seconds(60);

/** Makes graph items of each new segment that the queue tells of. */
export class Stitcher extends OwnFunction {
  constructor(scope: Construct, id: string, store: EvidenceStore, { retentionDays, stitcherConcurrency }: AlastorSettings) {
    const variables = { [environment.retentionDays]: String(retentionDays) };
    super(scope, id, { folder: 'stitcher', store, timeout: stitcherTimeout, variables });
    const { bucket, queue, shards, links } = store;
    bucket.grantRead(this, `${segmentPrefix}*`);
    bucket.grantPut(this, `${spillPrefix}*`);
    shards.grantReadWriteData(this);
    links.grantReadWriteData(this);
    this.addEventSource(
      new SqsEventSource(queue, { batchSize: 10, reportBatchItemFailures: true, maxConcurrency: stitcherConcurrency }),
    );
  }
}
