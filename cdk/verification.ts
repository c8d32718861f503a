import { Duration } from 'aws-cdk-lib';
import { Rule, Schedule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction as FunctionTarget } from 'aws-cdk-lib/aws-events-targets';
import type { Construct } from 'constructs';
import { environment } from '../functions/store/schema.ts';
import type { EvidenceStore } from './evidence.ts';
import { OwnFunction } from './own-function.ts';
import { letVerify } from './permissions.ts';
import type { AlastorSettings } from './props.ts';

/** Verifies the record of the last day, once a day: what it finds is a metric, and listed by the query API. */
export class Verification extends OwnFunction {
  constructor(scope: Construct, id: string, store: EvidenceStore, { retentionDays }: AlastorSettings) {
    const variables = { [environment.retentionDays]: String(retentionDays) };
    super(scope, id, { folder: 'verify', store, timeout: Duration.minutes(15), variables });
    letVerify(this, store);
    new Rule(scope, `${id}Schedule`, { schedule: Schedule.rate(Duration.days(1)), targets: [new FunctionTarget(this)] });
  }
}
