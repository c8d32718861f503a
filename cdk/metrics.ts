import { Duration } from 'aws-cdk-lib';
import { MathExpression, Metric } from 'aws-cdk-lib/aws-cloudwatch';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { FUNCTION, type MetricName, NAMESPACE, SERVICE } from '../functions/telemetry/catalogue.ts';
import type { EvidenceStore } from './evidence.ts';
import { PRICES } from './prices.ts';

export interface Watched {
  /** Value of the dimension by which this installation's metrics are told from others'. */
  readonly installation: string;
  readonly store: EvidenceStore;
  readonly stitcher: LambdaFunction;
  readonly query: LambdaFunction;
  /** Functions that may not be there, by their folder in `functions/`. */
  readonly others: { readonly [K in 'inventory' | 'witness' | 'verify']?: LambdaFunction | undefined };
  /** What the witness function gave up on. */
  readonly witnessDeadLetters: IQueue | undefined;
  /** Changes after which the inventory could not look. */
  readonly inventoryDeadLetters: IQueue | undefined;
}

/** A metric that Alastor's functions publish. @param stat of CloudWatch: `Sum`, `Maximum`, `p95`, … */
export function ownMetric({ installation }: Watched, name: MetricName, stat: string, period: Duration): Metric {
  return new Metric({
    ...{ namespace: NAMESPACE, metricName: name, dimensionsMap: { [SERVICE]: installation } },
    ...{ statistic: stat, period, label: name },
  });
}

/** The same metric of each audited function, as far as it was sent. */
export function perFunction({ installation }: Watched, name: MetricName, period: Duration): MathExpression {
  const search = `{${NAMESPACE},${FUNCTION},${SERVICE}} MetricName="${name}" ${SERVICE}="${installation}"`;
  const expression = `SEARCH('${search}', 'Sum', ${period.toSeconds()})`;
  return new MathExpression({ expression, label: `${name} of \${PROP('Dim.${FUNCTION}')}`, period });
}

export const functionsOf = ({ stitcher, query, others }: Watched): readonly (readonly [string, LambdaFunction])[] => [
  ['stitcher', stitcher],
  ['query', query],
  ...Object.entries(others).flatMap(([name, fn]) => (fn === undefined ? [] : [[name, fn] as const])),
];

/** Calls of SQS for one segment: taken, deleted, and the empty polls between, as measured in docs/scale.md. */
const SQS_CALLS = 1.2;

/**
 * What a day costs, in USD at list prices, as far as it grows with traffic: writes to the tables, storing, fetching and announcing
 * segments, the stitcher's time. What is kept, the questions asked and the audited functions' own longer run are not in it.
 */
export function dailyCost(watched: Watched): MathExpression {
  const period = Duration.days(1);
  const { shards, links } = watched.store;
  const { memorySize } = watched.stitcher.node.defaultChild as { readonly memorySize?: number };
  const gigabyteMs = ((memorySize ?? 1024) / 1024) * (PRICES.lambdaGbSecond / 1000);
  const segment = PRICES.s3Put + PRICES.s3Get + SQS_CALLS * PRICES.sqsCall;
  return new MathExpression({
    expression: `(shards+links)*${price(PRICES.dynamoWriteUnit)} + FILL(segments,0)*${price(segment)} + ms*${price(gigabyteMs)}`,
    usingMetrics: {
      shards: shards.metricConsumedWriteCapacityUnits({ period, statistic: 'Sum' }),
      links: links.metricConsumedWriteCapacityUnits({ period, statistic: 'Sum' }),
      segments: ownMetric(watched, 'Segments', 'Sum', period),
      ms: watched.stitcher.metricDuration({ period, statistic: 'Sum' }),
    },
    label: 'USD a day',
    period,
  });
}

/** CloudWatch reads no exponents. */
const price = (usd: number) => usd.toFixed(12).replace(/0+$/, '');
