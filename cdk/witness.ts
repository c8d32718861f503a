import { Annotations, ArnFormat, Aws, Duration, Stack, Token } from 'aws-cdk-lib';
import { Rule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction as FunctionTarget } from 'aws-cdk-lib/aws-events-targets';
import { ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { CfnFunction, Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { SqsDestination } from 'aws-cdk-lib/aws-lambda-destinations';
import { CfnSubscriptionFilter, type ILogGroup, LogGroup } from 'aws-cdk-lib/aws-logs';
import { type Bucket, EventType, type IBucket } from 'aws-cdk-lib/aws-s3';
import { LambdaDestination } from 'aws-cdk-lib/aws-s3-notifications';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { environment } from '../functions/store/schema.ts';
import { filterPrefix } from '../functions/witness/log-delivery.ts';
import type { EvidenceStore } from './evidence.ts';
import { OwnFunction } from './own-function.ts';
import type { AlastorSettings } from './props.ts';

/** Lines that say that an invocation or an instance began or ended, as text and as JSON; nothing else is paid for. */
const PLATFORM_LINES = [
  ...['START RequestId:', 'REPORT RequestId:', 'INIT_START', 'INIT_REPORT', 'RESTORE_START', 'RESTORE_REPORT', 'EXTENSION'],
  ...['start', 'report', 'initStart', 'initRuntimeDone', 'initReport'].map((name) => `platform.${name}`),
  ...['restoreStart', 'restoreRuntimeDone', 'restoreReport', 'extension'].map((name) => `platform.${name}`),
]
  .map((term) => `?"${term}"`)
  .join(' ');
/** CloudWatch Logs takes so many subscription filters on one log group. */
const MOST_FILTERS = 2;

/** Writes down what witnesses say; reads no evidence. What it cannot take in three tries waits in a queue, and is counted. */
export class WitnessFunction extends OwnFunction {
  readonly deadLetters: Queue;

  constructor(scope: Construct, id: string, store: EvidenceStore, { retentionDays }: AlastorSettings) {
    const variables = { [environment.retentionDays]: String(retentionDays) };
    super(scope, id, { folder: 'witness', store, timeout: Duration.seconds(60), variables });
    store.links.grant(this, 'dynamodb:UpdateItem', 'dynamodb:BatchWriteItem');
    this.deadLetters = new Queue(this, 'DeadLetters', {
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      retentionPeriod: Duration.days(14),
    });
    // Logs, S3 and EventBridge all invoke it asynchronously.
    this.configureAsyncInvoke({ onFailure: new SqsDestination(this.deadLetters) });
  }

  /** Lets the query function see how much waits in the queue, so that it shows as a gap. */
  tellLossesTo(query: LambdaFunction): void {
    query.addEnvironment(environment.witnessDeadLetters, this.deadLetters.queueUrl);
    this.deadLetters.grant(query, 'sqs:GetQueueAttributes');
  }
}

/** Where other witnesses than the audited instances are heard: docs/witnesses.md. */
export class PlatformWitness extends Construct {
  readonly #hearer: LambdaFunction;
  readonly #demanded: boolean;

  /**
   * @param hearer the function behind `functions/witness`
   * @param options `demanded`: somebody asked for it, so that a function which cannot be heard deserves a warning
   */
  constructor(scope: Construct, id: string, hearer: LambdaFunction, { demanded }: { readonly demanded: boolean }) {
    super(scope, id);
    this.#hearer = hearer;
    this.#demanded = demanded;
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
    // Where a trail records management events, EventBridge passes on what changes functions. Not data events: the witness's own
    // invocation is one, and would be its next.
    new Rule(this, 'Changes', {
      eventPattern: {
        source: ['aws.lambda'],
        detailType: ['AWS API Call via CloudTrail'],
        detail: { eventSource: ['lambda.amazonaws.com'], readOnly: [false], managementEvent: [true] },
      },
      targets: [new FunctionTarget(hearer)],
    });
  }

  /** Subscribes to a function's log group. Called for every audited function. */
  hear(fn: LambdaFunction): void {
    const logGroup = logGroupOf(fn);
    if (logGroup === undefined) {
      const how = 'give it one with `logGroup`, so that it is there when its subscription is deployed';
      this.#unheard(fn, `its log group is not part of the app; ${how}`);
      return;
    }
    const filters = filtersOf(Stack.of(fn), logGroup);
    // Functions that share a log group are heard together.
    if (filters.some((one) => this.#isHeardBy(one))) return;
    if (filters.length >= MOST_FILTERS) {
      this.#unheard(fn, `its log group has ${MOST_FILTERS} subscription filters already, and takes no more`);
      return;
    }
    new CfnSubscriptionFilter(fn, 'AlastorWitness', {
      logGroupName: Token.asString(logGroup),
      destinationArn: this.#hearer.functionArn,
      filterPattern: PLATFORM_LINES,
      filterName: `${filterPrefix}${fn.functionName}`,
    }).node.addDependency(this.#hearer);
  }

  #isHeardBy({ stack, destinationArn, filterPattern }: CfnSubscriptionFilter): boolean {
    const [theirs, ours] = [destinationArn, this.#hearer.functionArn].map((arn) => JSON.stringify(stack.resolve(arn)));
    return theirs === ours && filterPattern === PLATFORM_LINES;
  }

  #unheard(fn: LambdaFunction, why: string): void {
    const message = `Alastor does not hear what the platform says of ${fn.node.path}: ${why}.`;
    if (this.#demanded) Annotations.of(fn).addWarningV2('alastor:not-witnessed', message);
    else Annotations.of(fn).addInfoV2('alastor:not-witnessed', `${message} \`witness: false\` switches this off.`);
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

/** Name of the log group that the app made for a function: given by `logGroup`, or made by CDK itself; undefined when there is none. */
function logGroupOf(fn: LambdaFunction): unknown {
  const { loggingConfig } = fn.node.defaultChild as CfnFunction;
  const { logGroup } = (Stack.of(fn).resolve(loggingConfig) ?? {}) as { readonly logGroup?: unknown };
  // As the feature flag @aws-cdk/aws-lambda:useCdkManagedLogGroup has it made.
  const managed = fn.node.tryFindChild('LogGroup');
  return logGroup ?? (managed instanceof LogGroup ? Stack.of(fn).resolve(managed.logGroupName) : undefined);
}

/** Subscription filters of a stack on one log group. */
function filtersOf(stack: Stack, logGroup: unknown): readonly CfnSubscriptionFilter[] {
  const wanted = JSON.stringify(logGroup);
  const filters = stack.node.findAll().filter((one) => one instanceof CfnSubscriptionFilter);
  return filters.filter((one) => JSON.stringify(stack.resolve(one.logGroupName)) === wanted);
}
