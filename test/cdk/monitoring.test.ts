import { readFileSync } from 'node:fs';
import { Duration, Stack } from 'aws-cdk-lib';
import { Annotations, Match } from 'aws-cdk-lib/assertions';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Alastor, type AlastorProps, type MonitoringProps } from '../../cdk/index.ts';
import { METRICS, NAMESPACE, SERVICE, serviceVariable } from '../../functions/telemetry/catalogue.ts';
import { templateOf, type Workbench, workbench } from './construct-parts.ts';

interface Metric {
  readonly Namespace: string;
  readonly MetricName: string;
  readonly Dimensions: readonly { readonly Name: string; readonly Value: unknown }[];
}
interface AlarmProperties extends Partial<Metric> {
  readonly AlarmName: string;
  readonly AlarmDescription: string;
  readonly AlarmActions?: readonly unknown[];
  readonly OKActions?: readonly unknown[];
  readonly TreatMissingData: string;
  readonly Metrics?: readonly { readonly MetricStat?: { readonly Metric: Metric } }[];
}
interface Resource {
  readonly Type: string;
  readonly Properties: Readonly<Record<string, unknown>>;
}

/** What AWS publishes: docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/aws-services-cloudwatch-metrics.html, and of what. */
const OF_AWS: Readonly<Record<string, { readonly of: string; readonly dimension: string; readonly names: readonly string[] }>> =
  {
    'AWS/Lambda': {
      of: 'AWS::Lambda::Function',
      dimension: 'FunctionName',
      names: ['Errors', 'Throttles', 'Duration', 'Invocations'],
    },
    'AWS/SQS': {
      ...{ of: 'AWS::SQS::Queue', dimension: 'QueueName' },
      names: ['ApproximateAgeOfOldestMessage', 'ApproximateNumberOfMessagesVisible'],
    },
    'AWS/DynamoDB': { of: 'AWS::DynamoDB::Table', dimension: 'TableName', names: ['ConsumedWriteCapacityUnits'] },
  };

const operations = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8');
let bench: Workbench;
let usual: ReturnType<typeof synth>;
beforeAll(() => {
  bench = workbench();
  usual = synth();
});
afterAll(() => bench.remove());

function synth(props: AlastorProps | ((stack: Stack) => AlastorProps) = {}) {
  const stack = new Stack(bench.app(), 'Audit');
  new Alastor(stack, 'Alastor', { inventory: true, witness: true, ...(typeof props === 'function' ? props(stack) : props) });
  const resources = templateOf(stack).toJSON().Resources as Record<string, Resource>;
  const of = (type: string) => Object.entries(resources).filter(([, { Type }]) => Type === type);
  const alarms = of('AWS::CloudWatch::Alarm').map(([, { Properties }]) => Properties as unknown as AlarmProperties);
  // Among others for metrics that an expression names and does not have.
  Annotations.fromStack(stack).hasNoWarning('*', Match.anyValue());
  return { resources, of, alarms };
}

const metricsOf = (alarm: AlarmProperties): readonly Metric[] =>
  alarm.Metrics === undefined ? [alarm as Metric] : alarm.Metrics.flatMap(({ MetricStat }) => MetricStat?.Metric ?? []);
const idOf = ({ AlarmName }: AlarmProperties) => AlarmName.split('-').at(-1) ?? '';

describe('alarms', () => {
  it('wait for metrics that somebody sends, of this installation', () => {
    const { alarms, of, resources } = usual;
    expect(alarms.length).toBeGreaterThan(10);
    const services = of('AWS::Lambda::Function').flatMap(([, { Properties }]) => {
      const { Variables = {} } = (Properties.Environment ?? {}) as { readonly Variables?: Readonly<Record<string, unknown>> };
      return Variables[serviceVariable] ?? [];
    });
    expect(services.length).toBe(5);
    const [installation] = services;
    expect(new Set(services)).toEqual(new Set(['Audit-Alastor']));
    for (const alarm of alarms) {
      const metrics = metricsOf(alarm);
      expect(metrics.length, alarm.AlarmName).toBeGreaterThan(0);
      for (const { Namespace, MetricName, Dimensions } of metrics) {
        if (Namespace === NAMESPACE) {
          expect(Object.keys(METRICS)).toContain(MetricName);
          expect(Dimensions).toEqual([{ Name: SERVICE, Value: installation }]);
          continue;
        }
        const known = OF_AWS[Namespace];
        expect(known?.names, `${Namespace} ${alarm.AlarmName}`).toContain(MetricName);
        const [{ Name, Value }] = Dimensions as [{ Name: string; Value: { Ref?: string; 'Fn::GetAtt'?: string[] } }];
        expect(Name).toBe(known?.dimension);
        expect(resources[Value.Ref ?? Value['Fn::GetAtt']?.[0] ?? '']?.Type).toBe(known?.of);
      }
    }
  });

  it('are not raised by silence: an idle installation sends nothing', () => {
    for (const { TreatMissingData, AlarmName } of usual.alarms)
      expect(['notBreaching', 'ignore'], AlarmName).toContain(TreatMissingData);
  });

  it('each have a runbook, which their description names, and there is no runbook without an alarm', () => {
    const { alarms } = usual;
    const headings = [...operations.matchAll(/^### ([A-Z][A-Za-z]+)$/gm)].map(([, heading]) => heading);
    expect(headings.sort()).toEqual(alarms.map(idOf).sort());
    for (const alarm of alarms) expect(alarm.AlarmDescription).toContain(`docs/operations.md#${idOf(alarm).toLowerCase()}`);
  });

  it('tell the topic when they go on and off; without one they only show', () => {
    const { alarms } = synth((stack) => ({ alarmTopic: new Topic(stack, 'Pager') }));
    for (const { AlarmActions, OKActions } of alarms) {
      expect(AlarmActions).toEqual([{ Ref: expect.stringMatching(/^Pager/) }]);
      expect(OKActions).toEqual(AlarmActions);
    }
    expect(usual.alarms.filter(({ AlarmActions }) => AlarmActions !== undefined)).toEqual([]);
  });

  it('of functions that are not there are left out', () => {
    const ids = synth({ inventory: false, witness: false }).alarms.map(idOf);
    expect(ids).not.toContain('FunctionsDrifted');
    expect(ids).toContain('DeadLetters');
  });
});

describe('the dashboard', () => {
  it('shows metrics that somebody sends', () => {
    const [board] = usual.of('AWS::CloudWatch::Dashboard');
    const body = JSON.stringify(board?.[1].Properties.DashboardBody);
    const shown = [...body.matchAll(/\\"Alastor\\",\\"(\w+)\\",\\"service\\",\\"([\w-]+)\\"/g)].map(([, name, service]) => [
      name,
      service,
    ]);
    expect(shown.length).toBeGreaterThan(15);
    for (const [name, service] of shown) {
      expect(Object.keys(METRICS)).toContain(name);
      expect(service).toBe('Audit-Alastor');
    }
    const searched = [...body.matchAll(/MetricName=\\*"(\w+)/g)].map(([, name]) => name);
    expect(searched).toContain('LostEvents');
    for (const name of searched) expect(Object.keys(METRICS)).toContain(name);
  });

  it('and alarms can be left out', () => {
    const { of, alarms } = synth({ monitoring: { dashboard: false } });
    expect(of('AWS::CloudWatch::Dashboard')).toEqual([]);
    expect(alarms).not.toEqual([]);
    const none = synth({ monitoring: false });
    expect([...none.of('AWS::CloudWatch::Dashboard'), ...none.alarms]).toEqual([]);
  });
});

it.each<[keyof MonitoringProps, MonitoringProps]>([
  ['ingestLag', { ingestLag: Duration.seconds(30) }],
  ['ingestLag', { ingestLag: Duration.days(2) }],
  ['dailyCost', { dailyCost: 0 }],
  ['dailyCost', { dailyCost: Number.NaN }],
])('monitoring.%s out of bounds is named, with its construct: %o', (prop, monitoring) => {
  expect(() => synth({ monitoring })).toThrow(new RegExp(`Audit/Alastor.*monitoring\\.${prop} must be`));
});

it('every metric stands in docs/operations.md with what it says', () => {
  for (const [name, { says }] of Object.entries(METRICS)) expect(operations).toContain(`| \`${name}\` | ${says} |`);
});
