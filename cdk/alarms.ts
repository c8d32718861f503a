import { Duration } from 'aws-cdk-lib';
import { type IMetric, MathExpression, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import type { MetricName } from '../functions/telemetry/catalogue.ts';
import { dailyCost, functionsOf, ownMetric, type Watched } from './metrics.ts';

export interface AlarmLimits {
  readonly ingestLag: Duration;
  /** USD. */
  readonly dailyCost: number;
}

/** An alarm. docs/operations.md has a heading of the same name that says what it means and what to do. */
export interface AlarmSpec {
  readonly id: string;
  readonly says: string;
  readonly metric: IMetric;
  /** Alarms from this value on. */
  readonly from: number;
  /** Periods that must reach it, of the last so many. @default [1, 1] */
  readonly periods?: readonly [reaching: number, of: number];
  /** @default NOT_BREACHING: nothing happened, nothing was sent */
  readonly missing?: TreatMissingData;
}

const FIVE_MINUTES = Duration.minutes(5);
const HOUR = Duration.hours(1);

/** The alarms of an installation; those of functions that are not there are left out. */
export function alarms(watched: Watched, limits: AlarmLimits): readonly AlarmSpec[] {
  const { store, stitcher, others } = watched;
  const own = (id: MetricName, says: string, more: Partial<AlarmSpec> = {}): AlarmSpec => {
    return { id, says, metric: ownMetric(watched, id, 'Sum', FIVE_MINUTES), from: 1, ...more };
  };
  // Looked for once an hour, and sent when there is something; two periods, for a look may fall just behind the end of one.
  const looked = (id: MetricName, says: string, more: Partial<AlarmSpec> = {}): AlarmSpec => {
    return own(id, says, { metric: ownMetric(watched, id, 'Maximum', HOUR), periods: [1, 2], ...more });
  };
  const waiting = (id: string, says: string, queue: IQueue): AlarmSpec => {
    const metric = queue.metricApproximateNumberOfMessagesVisible({ period: FIVE_MINUTES, statistic: 'Maximum' });
    return { id, says, metric, from: 1 };
  };
  return [
    {
      ...{
        id: 'IngestLag',
        says: `segments wait longer than ${limits.ingestLag.toHumanString()} for their place in the graph`,
      },
      ...{ metric: ownMetric(watched, 'IngestLag', 'p95', FIVE_MINUTES), from: limits.ingestLag.toMilliseconds() },
      periods: [3, 3],
    },
    {
      ...{ id: 'QueueAge', says: 'nobody takes segments from the queue' },
      metric: store.queue.metricApproximateAgeOfOldestMessage({ period: FIVE_MINUTES, statistic: 'Maximum' }),
      ...{ from: 3 * limits.ingestLag.toSeconds(), periods: [2, 2] },
    },
    waiting('DeadLetters', 'the stitcher gave up on messages', store.deadLetters),
    own('FailedMessages', 'the stitcher cannot put segments into the graph', { periods: [3, 3] }),
    {
      ...{ id: 'StitcherThrottles', says: 'the account runs too many functions at once for the stitcher to start' },
      metric: stitcher.metricThrottles({ period: FIVE_MINUTES, statistic: 'Sum' }),
      ...{ from: 1, periods: [3, 3] },
    },
    {
      ...{
        id: 'FunctionErrors',
        says: "one of Alastor's own functions fails",
        metric: errorsOf(watched),
        from: 1,
        periods: [2, 3],
      },
    },
    own('QueryErrors', 'questions fail by no fault of who asks', { periods: [2, 3] }),
    own('SetAside', 'segments cannot be read: of another version, damaged or forged'),
    own('Gaps', 'audited functions lost part of their record'),
    own('CaptureFailures', 'part of the capture failed inside audited functions'),
    own('DegradedInstances', 'audited functions started without shim, or with requests that nothing tells apart'),
    ...(watched.witnessDeadLetters === undefined
      ? []
      : [waiting('WitnessDeadLetters', 'what other witnesses said could not be stored', watched.witnessDeadLetters)]),
    ...(watched.inventoryDeadLetters === undefined
      ? []
      : [waiting('InventoryDeadLetters', 'the inventory could not look after changes', watched.inventoryDeadLetters)]),
    ...(others.inventory === undefined
      ? []
      : [
          looked('FunctionsDrifted', 'functions that were audited are so no more'),
          looked('FunctionsNew', 'functions appeared that are not audited'),
          looked('MissingSegments', 'segments are missing between others', { periods: [2, 3] }),
          looked('SilencedInvocations', 'functions ran of which there is no record'),
        ]),
    ...(others.verify === undefined
      ? []
      : [
          // Said once a day, also when there is nothing: it holds until the next time.
          looked('VerificationFailures', 'stored evidence was deleted, altered, forged or cut off', {
            ...{ periods: [1, 1], missing: TreatMissingData.IGNORE },
          }),
          looked('UnverifiedInstances', 'the daily verification did not get to the end', {
            ...{ periods: [1, 1], missing: TreatMissingData.IGNORE },
          }),
          // One that crashes sends neither of the two, which then go on saying what they said the day before.
          {
            ...{ id: 'VerificationErrors', says: 'the daily verification failed, and may have found nothing because of it' },
            ...{ metric: others.verify.metricErrors({ period: HOUR, statistic: 'Sum' }), from: 1 },
          },
        ]),
    {
      id: 'DailyCost',
      says: `a day costs more than about ${limits.dailyCost} USD`,
      metric: dailyCost(watched),
      from: limits.dailyCost,
    },
  ];
}

function errorsOf(watched: Watched): MathExpression {
  const usingMetrics = Object.fromEntries(
    functionsOf(watched).map(([name, fn]) => [name, fn.metricErrors({ period: FIVE_MINUTES, statistic: 'Sum' })]),
  );
  return new MathExpression({ expression: 'SUM(METRICS())', usingMetrics, label: 'Errors', period: FIVE_MINUTES });
}
