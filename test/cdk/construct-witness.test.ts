import { Stack } from 'aws-cdk-lib';
import { Annotations, Match } from 'aws-cdk-lib/assertions';
import { CfnSubscriptionFilter, LogGroup } from 'aws-cdk-lib/aws-logs';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Alastor } from '../../cdk/index.ts';
import { inlineFunction, templateOf, type Workbench, workbench } from './construct-parts.ts';

let bench: Workbench;
beforeAll(() => {
  bench = workbench();
});
afterAll(() => bench.remove());

function stackWith(witness?: boolean): { stack: Stack; alastor: Alastor } {
  const stack = new Stack(bench.app(), 'Audit');
  const alastor = new Alastor(stack, 'Alastor', {
    ...(witness === undefined ? {} : { witness }),
    inventory: false,
    layerDirectory: bench.layerDirectory,
  });
  const logGroup = new LogGroup(stack, 'CartLog');
  alastor.audit([inlineFunction(stack, 'Cart', { logGroup }), inlineFunction(stack, 'Loose')]);
  return { stack, alastor };
}

describe('the inventory', () => {
  it('looks once an hour and on changes, and may read configurations and the tables, and write the table of links only', () => {
    const stack = new Stack(bench.app(), 'Audit');
    new Alastor(stack, 'Alastor', { witness: false, layerDirectory: bench.layerDirectory });
    const template = templateOf(stack);
    template.hasResourceProperties('AWS::Events::Rule', { ScheduleExpression: 'rate(1 hour)' });
    const rules = Object.keys(template.findResources('AWS::Events::Rule')).filter((id) => id.startsWith('AlastorInventory'));
    expect(rules).toHaveLength(2);
    const policies = template.findResources('AWS::IAM::Policy', {
      Properties: { PolicyName: Match.stringLikeRegexp('^AlastorInventoryServiceRole') },
    });
    const actions = Object.values(policies).flatMap((one) =>
      (one.Properties.PolicyDocument.Statement as { readonly Action: string | string[] }[]).flatMap(({ Action }) => Action),
    );
    expect(actions.sort()).toEqual([
      'apigateway:GET',
      'dynamodb:BatchWriteItem',
      'dynamodb:Query',
      'dynamodb:Query',
      'events:ListEventBuses',
      'events:ListRules',
      'events:ListTargetsByRule',
      'lambda:GetPolicy',
      'lambda:ListEventSourceMappings',
      'lambda:ListFunctionUrlConfigs',
      'lambda:ListFunctions',
      's3:GetBucketNotification',
      's3:ListAllMyBuckets',
      'sns:ListSubscriptions',
      // Of the queue of changes only: below.
      'sqs:ChangeMessageVisibility',
      'sqs:DeleteMessage',
      'sqs:GetQueueAttributes',
      'sqs:GetQueueUrl',
      'sqs:ReceiveMessage',
    ]);
    const ofQueues = Object.values(policies)
      .flatMap((one) => one.Properties.PolicyDocument.Statement as { readonly Action: string[]; readonly Resource: unknown }[])
      .filter(({ Action }) => String(Action).startsWith('sqs:'));
    expect(ofQueues.map(({ Resource }) => Resource)).toEqual([
      { 'Fn::GetAtt': [expect.stringMatching(/^AlastorInventoryChanges/), 'Arn'] },
    ]);
  });

  it('is told of changes by a queue that gathers them, so that a deployment of many functions is one look', () => {
    const stack = new Stack(bench.app(), 'Audit');
    new Alastor(stack, 'Alastor', { witness: false, layerDirectory: bench.layerDirectory });
    const template = templateOf(stack);
    const own = Match.stringLikeRegexp('^AlastorInventory');
    const queue = { 'Fn::GetAtt': [Match.stringLikeRegexp('^AlastorInventoryChanges'), 'Arn'] };
    // The schedule starts it directly: who stops the queue does not stop the looks.
    template.hasResourceProperties('AWS::Events::Rule', {
      ScheduleExpression: 'rate(1 hour)',
      Targets: [{ Arn: { 'Fn::GetAtt': [own, 'Arn'] } }],
    });
    template.hasResourceProperties('AWS::Events::Rule', {
      EventPattern: { detail: { eventSource: ['lambda.amazonaws.com'], readOnly: [false], managementEvent: [true] } },
      // Nothing of the call goes through the queue but its name and time.
      Targets: [
        {
          Arn: queue,
          InputTransformer: {
            InputPathsMap: { 'detail-eventName': '$.detail.eventName', time: '$.time' },
            InputTemplate: '{"change":<detail-eventName>,"time":<time>}',
          },
        },
      ],
    });
    template.hasResourceProperties('AWS::Lambda::EventSourceMapping', {
      ...{ EventSourceArn: queue, FunctionName: { Ref: own }, BatchSize: 1000, MaximumBatchingWindowInSeconds: 60 },
      ScalingConfig: { MaximumConcurrency: 2 },
    });
    template.hasResourceProperties('AWS::SQS::Queue', {
      // Six times the 15 minutes of the function, and the 60 seconds of the gathering.
      ...{ VisibilityTimeout: 5460, SqsManagedSseEnabled: true },
      RedrivePolicy: {
        deadLetterTargetArn: { 'Fn::GetAtt': [Match.stringLikeRegexp('^AlastorInventoryDeadLetters'), 'Arn'] },
        maxReceiveCount: 5,
      },
    });
    template.hasResourceProperties('AWS::CloudWatch::Alarm', {
      AlarmName: 'Audit-Alastor-InventoryDeadLetters',
      Dimensions: [
        { Name: 'QueueName', Value: { 'Fn::GetAtt': [Match.stringLikeRegexp('^AlastorInventoryDeadLetters'), 'QueueName'] } },
      ],
    });
    const [policy] = Object.values(
      template.findResources('AWS::SQS::QueuePolicy', {
        Properties: { Queues: [{ Ref: Match.stringLikeRegexp('^AlastorInventoryChanges') }] },
      }),
    );
    const statements = (policy?.Properties.PolicyDocument.Statement ?? []) as readonly { readonly Effect: string }[];
    const allowed = statements.filter(({ Effect }) => Effect === 'Allow');
    // Nobody but the rule puts anything in.
    expect(allowed).toEqual([
      expect.objectContaining({
        Principal: { Service: 'events.amazonaws.com' },
        Condition: {
          ArnEquals: { 'aws:SourceArn': { 'Fn::GetAtt': [expect.stringMatching(/^AlastorInventoryChanges/), 'Arn'] } },
        },
      }),
    ]);
  });
});

describe('witnesses', () => {
  it('can be left out', () => {
    const template = templateOf(stackWith(false).stack);
    template.resourceCountIs('AWS::Logs::SubscriptionFilter', 0);
    const named = Object.keys(template.toJSON().Resources as object).filter((id) => /Witness|Changes/.test(id));
    expect(named).toEqual([]);
  });

  it('hear the lines of the platform in the log of each audited function that has one, and name the others', () => {
    const { stack } = stackWith();
    const template = templateOf(stack);
    template.resourceCountIs('AWS::Logs::SubscriptionFilter', 1);
    template.hasResourceProperties('AWS::Logs::SubscriptionFilter', {
      LogGroupName: { Ref: Match.stringLikeRegexp('^CartLog') },
      FilterPattern: Match.stringLikeRegexp(
        '^[?]"START RequestId:" .*[?]"EXTENSION" [?]"platform.start" .*[?]"platform.extension"$',
      ),
      FilterName: { 'Fn::Join': ['', ['alastor-', { Ref: Match.stringLikeRegexp('^Cart') }]] },
      DestinationArn: { 'Fn::GetAtt': [Match.stringLikeRegexp('^AlastorWitness'), 'Arn'] },
    });
    Annotations.fromStack(stack).hasInfo('/Audit/Loose', Match.stringLikeRegexp('log group is not part of the app'));
    Annotations.fromStack(stack).hasNoWarning('/Audit/Loose', Match.anyValue());
    Annotations.fromStack(stackWith(true).stack).hasWarning('/Audit/Loose', Match.stringLikeRegexp('log group is not part'));
  });

  it('hear functions whose log groups CDK makes by itself, where the app has that switched on', () => {
    const app = bench.app();
    app.node.setContext('@aws-cdk/aws-lambda:useCdkManagedLogGroup', true);
    const stack = new Stack(app, 'Audit');
    new Alastor(stack, 'Alastor', { layerDirectory: bench.layerDirectory }).audit(inlineFunction(stack, 'Cart'));
    templateOf(stack).resourceCountIs('AWS::Logs::SubscriptionFilter', 1);
  });

  it('hear functions that share a log group once', () => {
    const stack = new Stack(bench.app(), 'Audit');
    const logGroup = new LogGroup(stack, 'Log');
    const shared = ['Cart', 'Pay', 'Ship'].map((name) => inlineFunction(stack, name, { logGroup }));
    new Alastor(stack, 'Alastor', { inventory: false, layerDirectory: bench.layerDirectory }).audit(shared);
    templateOf(stack).resourceCountIs('AWS::Logs::SubscriptionFilter', 1);
    Annotations.fromStack(stack).hasNoInfo('*', Match.stringLikeRegexp('takes no more'));
  });

  it('learn of changes by EventBridge, and of no invocation: it would be told of its own', () => {
    templateOf(stackWith(true).stack).hasResourceProperties('AWS::Events::Rule', {
      EventPattern: {
        source: ['aws.lambda'],
        'detail-type': ['AWS API Call via CloudTrail'],
        detail: { eventSource: ['lambda.amazonaws.com'], readOnly: [false], managementEvent: [true] },
      },
      Targets: [{ Arn: { 'Fn::GetAtt': [Match.stringLikeRegexp('^AlastorWitness'), 'Arn'] } }],
    });
  });

  it('leave a log group alone that takes no more filters, and say so', () => {
    const stack = new Stack(bench.app(), 'Audit');
    const alastor = new Alastor(stack, 'Alastor', { inventory: false, layerDirectory: bench.layerDirectory });
    const logGroup = new LogGroup(stack, 'Log');
    const fn = inlineFunction(stack, 'Cart', { logGroup });
    const { logGroupName } = logGroup;
    for (const id of ['One', 'Two'])
      new CfnSubscriptionFilter(stack, id, { logGroupName, destinationArn: `arn:${id}`, filterPattern: '' });
    alastor.audit(fn);
    templateOf(stack).resourceCountIs('AWS::Logs::SubscriptionFilter', 2);
    Annotations.fromStack(stack).hasInfo('/Audit/Cart', Match.stringLikeRegexp('takes no more'));
  });

  it('leave what could not be taken in a queue, of which the query function may know how much it holds', () => {
    const template = templateOf(stackWith().stack);
    template.hasResourceProperties('AWS::Lambda::EventInvokeConfig', {
      FunctionName: { Ref: Match.stringLikeRegexp('^AlastorWitness') },
      DestinationConfig: { OnFailure: { Destination: { 'Fn::GetAtt': [Match.stringLikeRegexp('DeadLetters'), 'Arn'] } } },
    });
    template.hasResourceProperties('AWS::IAM::Policy', {
      PolicyName: Match.stringLikeRegexp('^AlastorQuery'),
      PolicyDocument: { Statement: Match.arrayWith([Match.objectLike({ Action: 'sqs:GetQueueAttributes' })]) },
    });
  });

  it('may add to the table of links, and do nothing else', () => {
    const template = templateOf(stackWith().stack);
    const policies = template.findResources('AWS::IAM::Policy', {
      Properties: { PolicyName: Match.stringLikeRegexp('^AlastorWitnessServiceRole') },
    });
    const statements = Object.values(policies).flatMap((one) => one.Properties.PolicyDocument.Statement as object[]);
    expect(statements).toMatchObject([
      { Effect: 'Allow', Action: ['dynamodb:UpdateItem', 'dynamodb:BatchWriteItem'] },
      { Effect: 'Allow', Action: expect.arrayContaining(['sqs:SendMessage']) },
    ]);
    expect(statements).toHaveLength(2);
    template.hasResourceProperties('AWS::Lambda::Permission', {
      Principal: 'logs.amazonaws.com',
      SourceAccount: { Ref: 'AWS::AccountId' },
    });
  });

  it('read the log files of a trail, and the access log of an API', () => {
    const { stack, alastor } = stackWith(true);
    alastor.witness?.readTrail(new Bucket(stack, 'Trail'));
    alastor.witness?.readAccessLog(new LogGroup(stack, 'ApiLog'));
    const template = templateOf(stack);
    template.hasResourceProperties('Custom::S3BucketNotifications', {
      NotificationConfiguration: {
        LambdaFunctionConfigurations: [{ Filter: { Key: { FilterRules: [{ Name: 'prefix', Value: 'AWSLogs/' }] } } }],
      },
    });
    template.hasResourceProperties('AWS::Logs::SubscriptionFilter', {
      LogGroupName: { Ref: Match.stringLikeRegexp('^ApiLog') },
    });
  });
});
