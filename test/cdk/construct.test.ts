import { Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { Match } from 'aws-cdk-lib/assertions';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Alastor, type AlastorProps } from '../../cdk/index.ts';
import { templateOf, type Workbench, workbench } from './construct-parts.ts';

let bench: Workbench;
beforeAll(() => {
  bench = workbench();
});
afterAll(() => bench.remove());

function stackWith(props: AlastorProps = {}): Stack {
  const stack = new Stack(bench.app(), 'Audit');
  new Alastor(stack, 'Alastor', props);
  return stack;
}

describe('Alastor in an account', () => {
  it('keeps segments in a versioned bucket that nobody reaches from outside or without TLS', () => {
    const template = templateOf(stackWith());
    template.hasResource('AWS::S3::Bucket', {
      DeletionPolicy: 'Retain',
      Properties: {
        VersioningConfiguration: { Status: 'Enabled' },
        PublicAccessBlockConfiguration: {
          BlockPublicAcls: true,
          BlockPublicPolicy: true,
          IgnorePublicAcls: true,
          RestrictPublicBuckets: true,
        },
      },
    });
    template.hasResourceProperties('AWS::S3::BucketPolicy', {
      PolicyDocument: {
        Statement: Match.arrayWith([
          Match.objectLike({ Effect: 'Deny', Action: 's3:*', Condition: { Bool: { 'aws:SecureTransport': 'false' } } }),
        ]),
      },
    });
  });

  it('tells the queue of new segments, and of nothing else in the bucket', () => {
    templateOf(stackWith()).hasResourceProperties('Custom::S3BucketNotifications', {
      NotificationConfiguration: {
        QueueConfigurations: [
          { Events: ['s3:ObjectCreated:*'], Filter: { Key: { FilterRules: [{ Name: 'prefix', Value: 'segments/' }] } } },
        ],
      },
    });
  });

  it('gives a message up after five failures, and to the stitcher entry by entry', () => {
    const template = templateOf(stackWith({ stitcherConcurrency: 4 }));
    template.hasResourceProperties('AWS::SQS::Queue', { RedrivePolicy: { maxReceiveCount: 5 }, VisibilityTimeout: 360 });
    template.hasResourceProperties('AWS::Lambda::EventSourceMapping', {
      FunctionResponseTypes: ['ReportBatchItemFailures'],
      ScalingConfig: { MaximumConcurrency: 4 },
    });
  });

  it('creates the tables with the keys of the schema', () => {
    const template = templateOf(stackWith());
    for (const [partitionKey, sortKey] of [
      ['instanceId', 'part'],
      ['key', 'place'],
    ]) {
      template.hasResourceProperties('AWS::DynamoDB::Table', {
        KeySchema: [
          { AttributeName: partitionKey, KeyType: 'HASH' },
          { AttributeName: sortKey, KeyType: 'RANGE' },
        ],
        TimeToLiveSpecification: { AttributeName: 'expires', Enabled: true },
        BillingMode: 'PAY_PER_REQUEST',
      });
    }
  });

  it('answers queries only of principals of the account, unless told otherwise', () => {
    templateOf(stackWith()).allResourcesProperties('AWS::ApiGatewayV2::Route', { AuthorizationType: 'AWS_IAM' });
  });

  it('lets the stitcher write no segments and the query function write nothing', () => {
    const policies = Object.entries(templateOf(stackWith()).findResources('AWS::IAM::Policy'));
    const actionsOf = (owner: string) =>
      policies
        .filter(([id]) => id.startsWith(owner))
        .flatMap(
          ([, { Properties }]) => Properties.PolicyDocument.Statement as { Action: string | string[]; Resource: unknown }[],
        )
        .flatMap(({ Action, Resource }) => [Action].flat().map((action) => `${action} ${JSON.stringify(Resource)}`));
    const writes = /:(Put|Update|Delete|BatchWrite)/;
    expect(actionsOf('AlastorQuery').filter((action) => writes.test(action))).toEqual([]);
    const stitcherPuts = actionsOf('AlastorStitcher').filter((action) => action.startsWith('s3:Put'));
    expect(stitcherPuts).not.toEqual([]);
    for (const put of stitcherPuts) expect(put).toMatch(/spill\//);
  });

  it('lets the query function read segments, as evidence, and spilled shards, of the bucket nothing else', () => {
    const policies = Object.entries(templateOf(stackWith()).findResources('AWS::IAM::Policy'));
    const objects = policies
      .filter(([id]) => id.startsWith('AlastorQuery'))
      .flatMap(
        ([, { Properties }]) => Properties.PolicyDocument.Statement as { Action: string | string[]; Resource: unknown }[],
      )
      .filter(({ Action }) => [Action].flat().some((action) => action.startsWith('s3:GetObject')))
      .flatMap(({ Resource }) => JSON.stringify(Resource).match(/"\/[^"]*"/g) ?? []);
    expect(objects.sort()).toEqual(['"/segments/*"', '"/spill/*"']);
  });

  it('names its outputs so that a script can rely on them', () => {
    const outputs = templateOf(stackWith()).toJSON().Outputs;
    expect(Object.keys(outputs).sort()).toEqual([
      'AlastorDeadLettersUrl',
      'AlastorEvidenceBucket',
      'AlastorEvidenceKey',
      'AlastorQueryUrl',
      'AlastorStitcherQueueUrl',
    ]);
  });

  it('deletes what it keeps with the stack when told so', () => {
    const template = templateOf(stackWith({ removalPolicy: RemovalPolicy.DESTROY }));
    template.allResources('AWS::DynamoDB::Table', { DeletionPolicy: 'Delete' });
    template.allResources('AWS::S3::Bucket', { DeletionPolicy: 'Delete' });
  });
});

describe('props', () => {
  it.each<[keyof AlastorProps, AlastorProps]>([
    ['stitcherConcurrency', { stitcherConcurrency: 1 }],
    ['stitcherConcurrency', { stitcherConcurrency: 2.5 }],
    ['stitcherConcurrency', { stitcherConcurrency: 1001 }],
    ['retention', { retention: Duration.hours(5) }],
    ['retention', { retention: Duration.days(4000) }],
    ['benignRetention', { retention: Duration.days(30), benignRetention: Duration.days(31) }],
    ['removalPolicy', { removalPolicy: RemovalPolicy.SNAPSHOT }],
    ['layerDirectory', { layerDirectory: '' }],
  ])('%s out of bounds is named, with its construct: %o', (prop, props) => {
    expect(() => stackWith(props)).toThrow(new RegExp(`Audit/Alastor.*${prop} must be`));
  });
});
