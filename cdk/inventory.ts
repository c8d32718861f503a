import { ArnFormat, Duration, Stack } from 'aws-cdk-lib';
import { EventField, Rule, RuleTargetInput, Schedule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction as FunctionTarget, SqsQueue as QueueTarget } from 'aws-cdk-lib/aws-events-targets';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import { environment, mostReceives } from '../functions/store/schema.ts';
import type { EvidenceStore } from './evidence.ts';
import { OwnFunction } from './own-function.ts';
import type { AlastorSettings } from './props.ts';

const TIMEOUT = Duration.minutes(15);
/** Changes are gathered for so long: an app of hundreds of functions is deployed in minutes, and a look sees all of them. */
const GATHERED = Duration.seconds(60);
/** Messages of one batch, which are some hundred bytes each; Lambda takes up to 10,000. */
const MOST_GATHERED = 1000;

/** Looks at how the functions of the account are configured: every hour, and within two minutes of what CloudTrail tells of changes. */
export class Inventory extends OwnFunction {
  /** Changes after which the look failed, time and again. */
  readonly deadLetters: Queue;

  constructor(scope: Construct, id: string, store: EvidenceStore, { retentionDays }: AlastorSettings) {
    const variables = { [environment.retentionDays]: String(retentionDays) };
    super(scope, id, { folder: 'inventory', store, timeout: TIMEOUT, variables });
    store.links.grant(this, 'dynamodb:BatchWriteItem', 'dynamodb:Query');
    // What is missing from the record shows between the rows of segments.
    store.shards.grant(this, 'dynamodb:Query');
    const lists = ['lambda:ListFunctions', 'lambda:ListEventSourceMappings'];
    // These two lists cannot be limited to resources.
    this.addToRolePolicy(new PolicyStatement({ actions: lists, resources: ['*'] }));
    const functionArns = Stack.of(this).formatArn({
      ...{ service: 'lambda', resource: 'function', resourceName: '*', arnFormat: ArnFormat.COLON_RESOURCE_NAME },
    });
    const reads = ['lambda:GetPolicy', 'lambda:ListFunctionUrlConfigs'];
    this.addToRolePolicy(new PolicyStatement({ actions: reads, resources: [functionArns] }));
    this.#readTriggers(Stack.of(this));
    const targets = [new FunctionTarget(this)];
    new Rule(scope, 'InventorySchedule', { schedule: Schedule.rate(Duration.hours(1)), targets });
    this.deadLetters = this.#lookAfterChanges(scope);
  }

  /** @returns the queue of what was given up on */
  #lookAfterChanges(scope: Construct): Queue {
    const common = { encryption: QueueEncryption.SQS_MANAGED, enforceSSL: true } as const;
    const deadLetters = new Queue(this, 'DeadLetters', { ...common, retentionPeriod: Duration.days(14) });
    const changes = new Queue(this, 'Changes', {
      ...common,
      // Lambda's own advice: six times the function's timeout, and the time in which a batch is gathered.
      visibilityTimeout: Duration.seconds(TIMEOUT.toSeconds() * 6 + GATHERED.toSeconds()),
      deadLetterQueue: { queue: deadLetters, maxReceiveCount: mostReceives },
    });
    // What changed is not needed: the look sees it. Which call it was and when is for who reads a dead letter.
    const message = RuleTargetInput.fromObject({
      change: EventField.fromPath('$.detail.eventName'),
      time: EventField.fromPath('$.time'),
    });
    new Rule(scope, 'InventoryChanges', {
      eventPattern: {
        source: ['aws.lambda'],
        detailType: ['AWS API Call via CloudTrail'],
        detail: { eventSource: ['lambda.amazonaws.com'], readOnly: [false], managementEvent: [true] },
      },
      targets: [new QueueTarget(changes, { message })],
    });
    // Two at a time are the fewest that Lambda offers.
    const gathering = { batchSize: MOST_GATHERED, maxBatchingWindow: GATHERED, maxConcurrency: 2 };
    this.addEventSource(new SqsEventSource(changes, gathering));
    return deadLetters;
  }

  /** Configurations of what invokes functions, and nothing of what goes through it. */
  #readTriggers(stack: Stack): void {
    const all = (actions: string[], resources: string[]) => this.addToRolePolicy(new PolicyStatement({ actions, resources }));
    const apis = ['/apis', '/apis/*/routes', '/apis/*/integrations', '/restapis', '/restapis/*/resources'];
    // API Gateway's ARNs have no account; its action is the HTTP method.
    const { region, partition } = stack;
    all(
      ['apigateway:GET'],
      apis.map((path) => `arn:${partition}:apigateway:${region}::${path}`),
    );
    const rules = stack.formatArn({ service: 'events', resource: 'rule', resourceName: '*' });
    all(['events:ListTargetsByRule'], [rules]);
    all(['s3:GetBucketNotification'], [`arn:${partition}:s3:::*`]);
    // These lists cannot be limited to resources.
    all(['events:ListEventBuses', 'events:ListRules', 's3:ListAllMyBuckets', 'sns:ListSubscriptions'], ['*']);
  }
}
