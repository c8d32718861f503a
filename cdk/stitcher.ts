import { Duration } from 'aws-cdk-lib';
import { SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources';
import type { Construct } from 'constructs';
import { environment } from '../functions/store/schema.ts';
import type { EvidenceStore } from './evidence.ts';
import { OwnFunction } from './own-function.ts';
import { letStitch } from './permissions.ts';
import type { AlastorSettings } from './props.ts';

export const stitcherTimeout = Duration.seconds(60);

/** Makes graph items of each new segment that the queue tells of. */
export class Stitcher extends OwnFunction {
  constructor(scope: Construct, id: string, store: EvidenceStore, settings: AlastorSettings) {
    const { retentionDays, benignRetentionDays, stitcherConcurrency } = settings;
    const variables = {
      [environment.retentionDays]: String(retentionDays),
      ...(benignRetentionDays === retentionDays ? {} : { [environment.benignRetentionDays]: String(benignRetentionDays) }),
    };
    super(scope, id, { folder: 'stitcher', store, timeout: stitcherTimeout, variables });
    letStitch(this, store);
    this.addEventSource(
      new SqsEventSource(store.queue, { batchSize: 10, reportBatchItemFailures: true, maxConcurrency: stitcherConcurrency }),
    );
  }
}
