import { Logger } from '@aws-lambda-powertools/logger';
import { Metrics } from '@aws-lambda-powertools/metrics';
import { FUNCTION, METRICS, type MetricName, NAMESPACE, serviceVariable } from './catalogue.ts';

const serviceName = process.env[serviceVariable] || 'alastor';

/** One JSON object a line. The level is that of `POWERTOOLS_LOG_LEVEL`, INFO by default. */
export const logger = new Logger({ serviceName });

const metrics = new Metrics({ namespace: NAMESPACE, serviceName });

export type Values = Readonly<Partial<Record<MetricName, number | readonly number[]>>>;

/** Functions told apart by one process; what others lose counts under this name, so that metrics stay few whatever happens. */
const MOST_FUNCTIONS = 100;
const OTHERS = '~others';
const named = new Set<string>();

/**
 * Publishes metrics as a log line in CloudWatch's embedded metric format. A list stands for several values of one metric, of which
 * CloudWatch makes percentiles. Nothing is published when there are no values.
 * @param fn audited function that the values are of; without it they are of the whole installation
 */
export function emit(values: Values, fn?: string): void {
  const told = Object.entries(values) as [MetricName, number | readonly number[]][];
  for (const [name, value] of told)
    for (const one of [value].flat() as readonly number[]) metrics.addMetric(name, METRICS[name].unit, one);
  if (!metrics.hasStoredMetrics()) return;
  if (fn !== undefined) metrics.addDimension(FUNCTION, nameOf(fn));
  metrics.publishStoredMetrics();
}

/** Only what is not zero: a metric that is not sent costs nothing, and no alarm on these takes silence for trouble. */
export function nonZero(values: Values): Values {
  return Object.fromEntries(
    Object.entries(values).filter(([, value]) => (typeof value === 'number' ? value !== 0 : value.length > 0)),
  );
}

function nameOf(fn: string): string {
  if (named.size < MOST_FUNCTIONS) named.add(fn);
  return named.has(fn) ? fn : OTHERS;
}
