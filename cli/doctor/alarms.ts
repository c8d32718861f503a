import { type CloudWatchClient, DescribeAlarmsCommand, GetMetricStatisticsCommand } from '@aws-sdk/client-cloudwatch';
import { type Finding, look, ok, warning, wrong } from './finding.ts';
import type { Installation } from './survey.ts';

const MINUTE = 60_000;
/** s: three times the usual limit of the lag, as the alarm QueueAge has it. */
const OLD = 900;

export async function alarmChecks(cloudWatch: CloudWatchClient, { name }: Installation): Promise<readonly Finding[]> {
  return await look('alarms', 'cloudwatch:DescribeAlarms', async () => {
    const { MetricAlarms = [] } = await cloudWatch.send(
      new DescribeAlarmsCommand({ AlarmNamePrefix: `${name}-`, MaxRecords: 100 }),
    );
    if (MetricAlarms.length === 0)
      return warning('alarms', 'there are none', 'deploy with the prop `monitoring` left out or true');
    const raised = MetricAlarms.filter(({ StateValue }) => StateValue === 'ALARM').map(({ AlarmName = '' }) =>
      AlarmName.slice(name.length + 1),
    );
    const deaf = MetricAlarms.every(({ AlarmActions = [] }) => AlarmActions.length === 0);
    return [
      ...(raised.length === 0 ? [ok('alarms', `none of ${MetricAlarms.length} is raised`)] : []),
      ...raised.map((one) => wrong(`alarm ${one}`, 'is raised', `docs/operations.md#${one.toLowerCase()}`)),
      ...(deaf
        ? [warning('alarm actions', 'nobody is told when an alarm is raised', 'deploy with the prop `alarmTopic`')]
        : []),
    ];
  });
}

export async function queueAge(cloudWatch: CloudWatchClient, queueArn: string | undefined): Promise<readonly Finding[]> {
  const QueueName = queueArn?.split(':').at(-1);
  if (QueueName === undefined) return [];
  return await look('oldest message', 'cloudwatch:GetMetricStatistics', async () => {
    const { Datapoints = [] } = await cloudWatch.send(
      new GetMetricStatisticsCommand({
        ...{ Namespace: 'AWS/SQS', MetricName: 'ApproximateAgeOfOldestMessage', Statistics: ['Maximum'], Period: 300 },
        Dimensions: [{ Name: 'QueueName', Value: QueueName }],
        ...{ StartTime: new Date(Date.now() - 15 * MINUTE), EndTime: new Date() },
      }),
    );
    // A queue that nobody used for hours sends no metrics.
    const oldest = Math.max(0, ...Datapoints.map(({ Maximum = 0 }) => Maximum));
    if (oldest < OLD) return ok('oldest message', `waited ${Math.round(oldest)} s at most in the last 15 minutes`);
    return wrong('oldest message', `waits for ${Math.round(oldest / 60)} minutes`, 'docs/operations.md#queueage');
  });
}
