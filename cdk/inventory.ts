import { ArnFormat, Duration, Stack } from 'aws-cdk-lib';
import { Rule, Schedule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction as FunctionTarget } from 'aws-cdk-lib/aws-events-targets';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { Construct } from 'constructs';
import { environment } from '../functions/store/schema.ts';
import type { EvidenceStore } from './evidence.ts';
import { OwnFunction } from './own-function.ts';
import type { AlastorSettings } from './props.ts';

/** Looks at how the functions of the account are configured: every hour, and when CloudTrail tells of a change. */
export class Inventory extends OwnFunction {
  constructor(scope: Construct, id: string, store: EvidenceStore, { retentionDays }: AlastorSettings) {
    const variables = { [environment.retentionDays]: String(retentionDays) };
    super(scope, id, { folder: 'inventory', store, timeout: Duration.minutes(15), variables });
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
    const target = new FunctionTarget(this);
    new Rule(scope, 'InventorySchedule', { schedule: Schedule.rate(Duration.hours(1)), targets: [target] });
    new Rule(scope, 'InventoryChanges', {
      eventPattern: {
        source: ['aws.lambda'],
        detailType: ['AWS API Call via CloudTrail'],
        detail: { eventSource: ['lambda.amazonaws.com'], readOnly: [false], managementEvent: [true] },
      },
      targets: [target],
    });
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
