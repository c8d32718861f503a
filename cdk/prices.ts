/**
 * List prices of us-east-1, USD, without free tiers: what docs/cost.md reckons with, and the estimate of a day's cost.
 */
export const PRICES = {
  dynamoWriteUnit: 0.625e-6,
  /** An eventually consistent read of 8 KB. */
  dynamoReadUnit: 0.125e-6,
  s3Put: 5e-6,
  s3Get: 0.4e-6,
  sqsCall: 0.4e-6,
  lambdaCall: 0.2e-6,
  /** On arm64; a quarter more on x86_64. */
  lambdaGbSecond: 13.3334e-6,
  /** A gigabyte for a month, standard classes. */
  dynamoGbMonth: 0.25,
  s3GbMonth: 0.023,
  /** An alarm a month, for each metric that it looks at. */
  alarmMetric: 0.1,
  /** A month of a custom metric; by the hour, only for hours in which it was sent. */
  customMetric: 0.3,
  /** A month, beyond the first three of an account. */
  dashboard: 3,
  /** A month of a customer managed key. */
  key: 1,
} as const;
