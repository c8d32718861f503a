import { Stack } from 'aws-cdk-lib';
import { Annotations, Match } from 'aws-cdk-lib/assertions';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Alastor } from '../../cdk/index.ts';
import { inlineFunction, templateOf, type Workbench, workbench } from './construct-parts.ts';

let bench: Workbench;
beforeAll(() => {
  bench = workbench();
});
afterAll(() => bench.remove());

function stackWith(witness: boolean): { stack: Stack; alastor: Alastor } {
  const stack = new Stack(bench.app(), 'Audit');
  const alastor = new Alastor(stack, 'Alastor', { witness, layerDirectory: bench.layerDirectory });
  const logGroup = new LogGroup(stack, 'CartLog');
  alastor.audit([inlineFunction(stack, 'Cart', { logGroup }), inlineFunction(stack, 'Loose')]);
  return { stack, alastor };
}

describe('the inventory', () => {
  it('looks once an hour and on changes, and may read configurations and the tables, and write the table of links only', () => {
    const stack = new Stack(bench.app(), 'Audit');
    new Alastor(stack, 'Alastor', { inventory: true, layerDirectory: bench.layerDirectory });
    const template = templateOf(stack);
    template.hasResourceProperties('AWS::Events::Rule', { ScheduleExpression: 'rate(1 hour)' });
    template.resourceCountIs('AWS::Events::Rule', 2);
    const policies = template.findResources('AWS::IAM::Policy', {
      Properties: { PolicyName: Match.stringLikeRegexp('^AlastorInventoryServiceRole') },
    });
    const actions = Object.values(policies).flatMap((one) =>
      (one.Properties.PolicyDocument.Statement as { readonly Action: string | string[] }[]).flatMap(({ Action }) => Action),
    );
    expect(actions.sort()).toEqual([
      'dynamodb:BatchWriteItem',
      'dynamodb:Query',
      'dynamodb:Query',
      'lambda:GetPolicy',
      'lambda:ListEventSourceMappings',
      'lambda:ListFunctionUrlConfigs',
      'lambda:ListFunctions',
    ]);
  });
});

describe('witnesses', () => {
  it('are not asked unless wanted', () => {
    const template = templateOf(stackWith(false).stack);
    template.resourceCountIs('AWS::Logs::SubscriptionFilter', 0);
    template.resourceCountIs('AWS::Events::Rule', 0);
  });

  it('hear the lines of the platform in the log of each audited function that has one, and name the others', () => {
    const { stack } = stackWith(true);
    const template = templateOf(stack);
    template.resourceCountIs('AWS::Logs::SubscriptionFilter', 1);
    template.hasResourceProperties('AWS::Logs::SubscriptionFilter', {
      LogGroupName: { Ref: Match.stringLikeRegexp('^CartLog') },
      FilterPattern: '?"START RequestId:" ?"REPORT RequestId:" ?"platform.start" ?"platform.report"',
      FilterName: { 'Fn::Join': ['', ['alastor-', { Ref: Match.stringLikeRegexp('^Cart') }]] },
      DestinationArn: { 'Fn::GetAtt': [Match.stringLikeRegexp('^AlastorWitness'), 'Arn'] },
    });
    Annotations.fromStack(stack).hasWarning('/Audit/Loose', Match.stringLikeRegexp('log group is not part of the app'));
  });

  it('may add to the table of links, and do nothing else', () => {
    const template = templateOf(stackWith(true).stack);
    const policies = template.findResources('AWS::IAM::Policy', {
      Properties: { PolicyName: Match.stringLikeRegexp('^AlastorWitnessServiceRole') },
    });
    const statements = Object.values(policies).flatMap((one) => one.Properties.PolicyDocument.Statement as object[]);
    expect(statements).toMatchObject([{ Effect: 'Allow', Action: ['dynamodb:UpdateItem', 'dynamodb:BatchWriteItem'] }]);
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
