import { Annotations, ArnFormat, Aws, Duration, Stack, Token } from 'aws-cdk-lib';
import { Rule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction as FunctionTarget } from 'aws-cdk-lib/aws-events-targets';
import { ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { CfnFunction, Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { CfnSubscriptionFilter, type ILogGroup } from 'aws-cdk-lib/aws-logs';
import { type Bucket, EventType, type IBucket } from 'aws-cdk-lib/aws-s3';
import { LambdaDestination } from 'aws-cdk-lib/aws-s3-notifications';
import { Construct } from 'constructs';
import { environment } from '../functions/store/schema.ts';
import { filterPrefix } from '../functions/witness/log-delivery.ts';
import type { EvidenceStore } from './evidence.ts';
import { OwnFunction } from './own-function.ts';
import type { AlastorSettings } from './props.ts';

/** Lines that say that an invocation began or ended, as text and as JSON; nothing else is paid for. */
const PLATFORM_LINES = '?"START RequestId:" ?"REPORT RequestId:" ?"platform.start" ?"platform.report"';

/** Writes down what witnesses say; reads no evidence. */
export class WitnessFunction extends OwnFunction {
  constructor(scope: Construct, id: string, store: EvidenceStore, { retentionDays }: AlastorSettings) {
    const variables = { [environment.retentionDays]: String(retentionDays) };
    super(scope, id, { folder: 'witness', store, timeout: Duration.seconds(60), variables });
    store.links.grant(this, 'dynamodb:UpdateItem', 'dynamodb:BatchWriteItem');
  }
}

/** Where other witnesses than the audited instances are heard: docs/witnesses.md. */
export class PlatformWitness extends Construct {
  readonly #hearer: LambdaFunction;

  /** @param hearer the function behind `functions/witness` */
  constructor(scope: Construct, id: string, hearer: LambdaFunction) {
    super(scope, id);
    this.#hearer = hearer;
    hearer.addPermission('Logs', {
      principal: new ServicePrincipal('logs.amazonaws.com'),
      sourceAccount: Aws.ACCOUNT_ID,
      sourceArn: Stack.of(this).formatArn({
        service: 'logs',
        resource: 'log-group',
        resourceName: '*',
        arnFormat: ArnFormat.COLON_RESOURCE_NAME,
      }),
    });
    // Where a trail records management events, EventBridge passes on what changes functions.
    new Rule(this, 'Changes', {
      eventPattern: {
        source: ['aws.lambda'],
        detailType: ['AWS API Call via CloudTrail'],
        detail: { eventSource: ['lambda.amazonaws.com'] },
      },
      targets: [new FunctionTarget(hearer)],
    });
  }

  /** Subscribes to a function's log group. Called for every audited function. */
  hear(fn: LambdaFunction): void {
    const { loggingConfig } = fn.node.defaultChild as CfnFunction;
    const { logGroup } = (Stack.of(fn).resolve(loggingConfig) ?? {}) as { readonly logGroup?: unknown };
    if (logGroup === undefined) {
      const how = 'give it one with `logGroup`, so that it is there when its subscription is deployed';
      Annotations.of(fn).addWarningV2(
        'alastor:not-witnessed',
        `Alastor does not hear what the platform says of ${fn.node.path}: its log group is not part of the app; ${how}.`,
      );
      return;
    }
    new CfnSubscriptionFilter(fn, 'AlastorWitness', {
      logGroupName: Token.asString(logGroup),
      destinationArn: this.#hearer.functionArn,
      filterPattern: PLATFORM_LINES,
      filterName: `${filterPrefix}${fn.functionName}`,
    }).node.addDependency(this.#hearer);
  }

  /** Reads the log files that a trail puts into this bucket: who invoked functions, who changed them. */
  readTrail(bucket: Bucket | IBucket): void {
    bucket.grantRead(this.#hearer, 'AWSLogs/*');
    bucket.addEventNotification(EventType.OBJECT_CREATED, new LambdaDestination(this.#hearer), { prefix: 'AWSLogs/' });
  }

  /** Reads the access log of an API whose stage writes it there in `ACCESS_LOG_FORMAT` (functions/witness/access-log.ts). */
  readAccessLog(group: ILogGroup): void {
    new CfnSubscriptionFilter(this, `AccessLog-${group.node.addr}`, {
      logGroupName: group.logGroupName,
      destinationArn: this.#hearer.functionArn,
      filterPattern: '',
    }).node.addDependency(this.#hearer);
  }
}
