import { readFileSync } from 'node:fs';
import { Duration, Stack } from 'aws-cdk-lib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Alastor } from '../../cdk/index.ts';
import { PRICES } from '../../cdk/prices.ts';
import { inlineFunction, templateOf, type Workbench, workbench } from './construct-parts.ts';

interface Resource {
  readonly Type: string;
  readonly Properties: Readonly<Record<string, unknown>>;
}

/** Paid by use, or not at all. What is in no list here must not come in unnoticed: it may have a price by the hour. */
const FREE_WHEN_IDLE = new Set([
  ...['AWS::Lambda::Function', 'AWS::Lambda::LayerVersion', 'AWS::Lambda::Permission', 'AWS::Lambda::EventSourceMapping'],
  ...['AWS::Lambda::EventInvokeConfig', 'AWS::Lambda::LayerVersionPermission'],
  ...[
    'AWS::IAM::Role',
    'AWS::IAM::Policy',
    'AWS::S3::Bucket',
    'AWS::S3::BucketPolicy',
    'AWS::SQS::Queue',
    'AWS::SQS::QueuePolicy',
  ],
  // Both tables are on demand: checked below.
  ...[
    'AWS::DynamoDB::Table',
    'AWS::Events::Rule',
    'AWS::Logs::SubscriptionFilter',
    'AWS::Logs::LogGroup',
    'AWS::Logs::ResourcePolicy',
  ],
  ...['AWS::ApiGatewayV2::Api', 'AWS::ApiGatewayV2::Integration', 'AWS::ApiGatewayV2::Route', 'AWS::ApiGatewayV2::Stage'],
  ...['AWS::CDK::Metadata', 'Custom::S3BucketNotifications', 'AWS::KMS::Alias'],
]);

/** Custom metrics that are sent every hour, though nothing happens: by the inventory. By the verification, in one hour of 24. */
const HOURLY_METRICS = 2;
const DAILY_METRICS = 3;
/** An hourly look takes some seconds at 1 GB. */
const LOOKS = 720 * (PRICES.lambdaCall + 3 * PRICES.lambdaGbSecond);

/** Lambda polls a queue with about five pollers, each of which waits up to 20 seconds for a message. */
const POLLS = (5 * 30 * 86_400) / 20;

let bench: Workbench;
let resources: Record<string, Resource>;
beforeAll(() => {
  bench = workbench();
  const stack = new Stack(bench.app(), 'Audit');
  new Alastor(stack, 'Alastor', { retention: Duration.days(30), layerDirectory: bench.layerDirectory }).audit(
    inlineFunction(stack, 'Worker'),
  );
  resources = templateOf(stack).toJSON().Resources;
});
afterAll(() => bench.remove());

const of = (type: string) => Object.values(resources).filter(({ Type }) => Type === type);

describe('an idle installation', () => {
  it('has nothing with a price by the hour', () => {
    const priced = new Set(['AWS::CloudWatch::Alarm', 'AWS::CloudWatch::Dashboard', 'AWS::KMS::Key']);
    const others = Object.values(resources)
      .map(({ Type }) => Type)
      .filter((type) => !FREE_WHEN_IDLE.has(type) && !priced.has(type));
    expect([...new Set(others)]).toEqual([]);
    for (const { Properties } of of('AWS::DynamoDB::Table')) expect(Properties.BillingMode).toBe('PAY_PER_REQUEST');
    for (const { Properties } of of('AWS::Lambda::Function')) {
      expect(Properties).not.toHaveProperty('SnapStart');
      expect(Properties).not.toHaveProperty('VpcConfig');
    }
  });

  it('costs what docs/operations.md says', () => {
    const watched = of('AWS::CloudWatch::Alarm').map(({ Properties: { Metrics } }) => {
      const metrics = (Metrics ?? [{ MetricStat: {} }]) as readonly { readonly MetricStat?: object }[];
      return metrics.filter(({ MetricStat }) => MetricStat !== undefined).length;
    });
    const metrics = watched.reduce((sum, count) => sum + count, 0);
    const verifies = Object.values(resources).some(({ Properties }) =>
      JSON.stringify(Properties ?? {}).includes('"ALASTOR_PART":"verify"'),
    );
    const polled = of('AWS::Lambda::EventSourceMapping').length;
    const rows = [
      [`${watched.length} alarms on ${metrics} metrics`, metrics * PRICES.alarmMetric],
      [`dashboard (\`monitoring: { dashboard: false }\` for none)`, of('AWS::CloudWatch::Dashboard').length * PRICES.dashboard],
      [
        'metrics that the hourly and daily looks send',
        (HOURLY_METRICS + (verifies ? DAILY_METRICS / 24 : 0)) * PRICES.customMetric,
      ],
      ['key for the evidence (`encryptionKey: false` for none)', of('AWS::KMS::Key').length * PRICES.key],
      [`empty polls of ${polled} queues: of the stitcher, of changes for the inventory`, polled * POLLS * PRICES.sqsCall],
      ['the looks themselves', LOOKS],
    ] as const;
    const total = rows.reduce((sum, [, usd]) => sum + usd, 0);
    const page = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8');
    const [, told = ''] = /^\| \| idle \|\n\|---\|---\|\n([\s\S]*?)\n\n/m.exec(page) ?? [];
    const wanted = [...rows, ['**together**', total] as const].map(([what, usd]) => `| ${what} | ${usd.toFixed(2)} |`);
    expect(told.split('\n')).toEqual(wanted);
  });
});

it('segments, their lock and the rows made of them end together', () => {
  const stitcher = of('AWS::Lambda::Function')
    .map(({ Properties }) => (Properties.Environment as { Variables?: Record<string, unknown> } | undefined)?.Variables ?? {})
    .find(({ ALASTOR_PART }) => ALASTOR_PART === 'stitcher');
  expect(stitcher?.ALASTOR_RETENTION_DAYS).toBe('30');
  const evidence = of('AWS::S3::Bucket').find(({ Properties }) => Properties.ObjectLockEnabled === true);
  expect(evidence?.Properties).toMatchObject({
    LifecycleConfiguration: { Rules: expect.arrayContaining([expect.objectContaining({ ExpirationInDays: 30 })]) },
    ObjectLockConfiguration: { Rule: { DefaultRetention: { Days: 30 } } },
  });
  for (const { Properties } of of('AWS::DynamoDB::Table'))
    expect(Properties.TimeToLiveSpecification).toEqual({ AttributeName: 'expires', Enabled: true });
});
