import { Duration } from 'aws-cdk-lib';
import { type Alarm, AlarmStatusWidget, GraphWidget, type IMetric, type IWidget, Metric } from 'aws-cdk-lib/aws-cloudwatch';
import { type MetricName, PER_FUNCTION } from '../functions/telemetry/catalogue.ts';
import { dailyCost, functionsOf, ownMetric, perFunction, type Watched } from './metrics.ts';

const PERIOD = Duration.minutes(5);
const HALF = 12;

/** Rows of widgets: state of the alarms first, then the way of a segment, then what is missing, then costs. */
export function widgets(watched: Watched, alarms: readonly Alarm[]): IWidget[][] {
  const { store } = watched;
  const own = (name: MetricName, stat = 'Sum', period = PERIOD) => ownMetric(watched, name, stat, period);
  const graph = (title: string, left: readonly IMetric[], right: readonly IMetric[] = []) =>
    new GraphWidget({ title, left: [...left], right: [...right], width: HALF, height: 6, leftYAxis: { min: 0 } });
  const looks = watched.others.inventory === undefined ? [] : [lookRow(own, graph)];
  return [
    [new AlarmStatusWidget({ title: 'Alarms', alarms: [...alarms], width: 24, height: 4 })],
    [
      graph('Segments', [own('Segments'), own('Requests'), own('Duplicates'), own('Redelivered')]),
      graph(
        'Ingest: lag (ms), messages waiting',
        [own('IngestLag', 'p50'), own('IngestLag', 'p95')].map((one, i) =>
          one.with({ label: `lag ${i === 0 ? 'p50' : 'p95'}` }),
        ),
        [
          store.queue.metricApproximateNumberOfMessagesVisible({ period: PERIOD, statistic: 'Maximum', label: 'waiting' }),
          store.deadLetters.metricApproximateNumberOfMessagesVisible({
            period: PERIOD,
            statistic: 'Maximum',
            label: 'dead letters',
          }),
        ],
      ),
    ],
    [
      graph(
        'Missing and failed, all functions',
        PER_FUNCTION.map((name) => own(name)),
      ),
      graph(
        'Missing and failed, by function',
        PER_FUNCTION.map((name) => perFunction(watched, name, PERIOD)),
      ),
    ],
    ...looks,
    [
      graph(
        'Questions: time (ms), failed and cut answers',
        [own('QueryLatency', 'p50'), own('QueryLatency', 'p95')].map((one, i) => one.with({ label: i === 0 ? 'p50' : 'p95' })),
        [own('QueryErrors'), own('CutAnswers')],
      ),
      graph(
        "Errors of Alastor's functions",
        functionsOf(watched).map(([label, fn]) => fn.metricErrors({ period: PERIOD, statistic: 'Sum', label })),
        [watched.stitcher.metricThrottles({ period: PERIOD, statistic: 'Sum', label: 'stitcher throttled' })],
      ),
    ],
    [
      graph('Cost: USD a day, estimated', [dailyCost(watched)]),
      graph(
        'Stored: bytes of segments a day; bytes in the bucket',
        [own('SegmentBytes', 'Sum', Duration.days(1))],
        [stored(watched)],
      ),
    ],
  ];
}

type Own = (name: MetricName, stat?: string, period?: Duration) => Metric;
type Graph = (title: string, left: readonly IMetric[]) => GraphWidget;

function lookRow(own: Own, graph: Graph): IWidget[] {
  const hourly = (name: MetricName) => own(name, 'Maximum', Duration.hours(1));
  return [
    graph('Functions', [
      hourly('FunctionsAudited'),
      hourly('FunctionsNotAudited'),
      hourly('FunctionsDrifted'),
      hourly('FunctionsNew'),
    ]),
    graph('Missing from the record', [
      ...[hourly('MissingSegments'), hourly('SilencedInvocations')],
      ...[hourly('VerificationFailures'), hourly('UnverifiedInstances')],
    ]),
  ];
}

/** S3 counts once a day. */
function stored({ store }: Watched): Metric {
  return new Metric({
    ...{ namespace: 'AWS/S3', metricName: 'BucketSizeBytes', statistic: 'Maximum', period: Duration.days(1), label: 'bucket' },
    dimensionsMap: { BucketName: store.bucket.bucketName, StorageType: 'StandardStorage' },
  });
}
