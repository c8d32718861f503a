import { Aws, Duration } from 'aws-cdk-lib';
import { Alarm, ComparisonOperator, Dashboard, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { type AlarmLimits, alarms } from './alarms.ts';
import { widgets } from './dashboard.ts';
import type { Watched } from './metrics.ts';

export interface MonitoringProps {
  /**
   * Whether there is a dashboard: 3 USD a month, after the first three of an account.
   * @default true
   */
  readonly dashboard?: boolean;

  /**
   * How late segments may be stitched before it alarms: 1 minute to 1 day.
   * @default 5 minutes
   */
  readonly ingestLag?: Duration;

  /**
   * What a day may cost before it alarms, in USD at list prices: more than 0. An estimate of what grows with traffic (docs/operations.md).
   * @default 10
   */
  readonly dailyCost?: number;
}

/** @throws Error naming the construct (`path`), the prop and what it may be. */
export function readMonitoring(
  path: string,
  { ingestLag = Duration.minutes(5), dailyCost = 10 }: MonitoringProps,
): AlarmLimits {
  const bad = (prop: keyof MonitoringProps, rule: string, given: unknown) =>
    new Error(`Alastor (${path}): monitoring.${prop} must be ${rule}; it is ${String(given)}.`);
  const seconds = ingestLag.toSeconds({ integral: false });
  if (!(seconds >= 60 && seconds <= 86_400)) throw bad('ingestLag', 'from 1 minute to 1 day', ingestLag.toHumanString());
  if (!(dailyCost > 0 && Number.isFinite(dailyCost))) throw bad('dailyCost', 'a number of USD above 0', dailyCost);
  return { ingestLag, dailyCost };
}

/** Alarms, each with a runbook in docs/operations.md, and a dashboard. */
export class Monitoring extends Construct {
  readonly alarms: readonly Alarm[];

  /** @param topic told when an alarm goes on or off; without one alarms only show */
  constructor(scope: Construct, id: string, watched: Watched, props: MonitoringProps, topic: ITopic | undefined) {
    super(scope, id);
    const limits = readMonitoring(scope.node.path, props);
    this.alarms = alarms(watched, limits).map(({ id: name, says, metric, from, periods = [1, 1], missing }) => {
      const alarm = new Alarm(this, name, {
        alarmName: `${watched.installation}-${name}`,
        alarmDescription: `Alastor: ${says}. What to do: docs/operations.md#${name.toLowerCase()}`,
        ...{ metric, threshold: from, comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD },
        ...{ datapointsToAlarm: periods[0], evaluationPeriods: periods[1] },
        treatMissingData: missing ?? TreatMissingData.NOT_BREACHING,
      });
      if (topic !== undefined) {
        const action = new SnsAction(topic);
        alarm.addAlarmAction(action);
        alarm.addOkAction(action);
      }
      return alarm;
    });
    // Dashboards belong to the account, whatever their region.
    const dashboardName = `${watched.installation}-${Aws.REGION}`;
    if (props.dashboard !== false) new Dashboard(this, 'Dashboard', { dashboardName, widgets: widgets(watched, this.alarms) });
  }
}
