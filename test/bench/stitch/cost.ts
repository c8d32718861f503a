/**
 * What stitching and storing a million requests costs, from measured figures and list prices: the table of docs/cost.md, which a
 * test compares with it. `node test/bench/stitch/cost.ts` prints it.
 */

import { PRICES } from '../../../cdk/prices.ts';
import figures from './figures.json' with { type: 'json' };

/** Of `npm run bench:stitch -- --json`; for each request unless it says otherwise. */
export interface Figures {
  readonly segments: number;
  /** Bytes of a segment as stored. */
  readonly segmentBytes: number;
  readonly writeUnits: number;
  readonly tableBytes: number;
  /** CPU of one core to decode, build and write one segment, ms. */
  readonly segmentMs: number;
}

const MILLION = 1e6;
/** Receiving and deleting a batch, empty receives of an idle queue's pollers left out: calls for each segment, batches not full. */
const SQS_CALLS = 1.2;
/** Segments that the queue hands over at once (cdk/stitcher.ts). */
const BATCH = 10;
/** A function of 1,024 MB has 1,024/1,769 of a core: https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html */
const CORE = 1024 / 1769;
/** Waiting for S3 and DynamoDB in a batch, ms: three round trips in a row of 5 to 10 ms each. An estimate, not measured on AWS. */
const WAITING = 25;

/** USD for a million requests whose evidence and graph are kept for `days`. */
export function costOf(of: Figures, days: number): readonly (readonly [what: string, usd: number])[] {
  const segments = of.segments * MILLION;
  const months = days / 30;
  const gb = (bytes: number) => (bytes * MILLION) / 1e9;
  const calls = segments / BATCH;
  const seconds = (calls * ((BATCH * of.segmentMs) / CORE + WAITING)) / 1000;
  return [
    ['DynamoDB, writing', of.writeUnits * MILLION * PRICES.dynamoWriteUnit],
    [`DynamoDB, ${days} days kept`, gb(of.tableBytes) * months * PRICES.dynamoGbMonth],
    ['S3, puts', segments * PRICES.s3Put],
    ['S3, gets', segments * PRICES.s3Get],
    [`S3, ${days} days kept`, gb(of.segments * of.segmentBytes) * months * PRICES.s3GbMonth],
    ['SQS', segments * SQS_CALLS * PRICES.sqsCall],
    ['Lambda, the stitcher', calls * PRICES.lambdaCall + seconds * PRICES.lambdaGbSecond],
  ];
}

/** Columns: a million requests; a month of 10⁶ and of 10⁹ requests a day. */
export function costTable(of: Figures = figures, days = 90): string {
  const rows = costOf(of, days);
  const all: readonly (readonly [string, number])[] = [...rows, ['**in all**', rows.reduce((sum, [, usd]) => sum + usd, 0)]];
  const line = ([what, usd]: readonly [string, number]) =>
    `| ${what} | ${usd.toFixed(2)} | ${Math.round(usd * 30).toLocaleString('en')} | ${Math.round(usd * 30_000).toLocaleString('en')} |`;
  const head = ['| US dollars | a million requests | a month of 10⁶ a day | a month of 10⁹ a day |', '|---|---|---|---|'];
  return [...head, ...all.map(line)].join('\n');
}

if (import.meta.main) process.stdout.write(`${costTable()}\n`);
