/** `npm run bench:stitch`: what stitching costs, and whether questions take longer when more is stored. */
import { parseArgs } from 'node:util';
import { openStore } from '../../../functions/store/connect.ts';
import { linksTable, shardsTable } from '../../../functions/store/schema.ts';
import { hasJava, LocalDynamo, MemoryObjects } from '../../functions/dynamodb-local.ts';
import { quantile } from '../statistics.ts';
import { countUnits, measure, type Size, type Written } from './measure.ts';
import { MemoryTable, sizeOf } from './memory-table.ts';
import { merged, type Rate, rateOf } from './rates.ts';
import { recordShop } from './record.ts';
import { Replay } from './replay.ts';

const HELP = `bench:stitch: segments into the graph store, and questions to it, at several sizes

Usage: npm run bench:stitch -- [options]        (npm run -s bench:stitch -- --json for JSON alone)

  --requests <n,n,…>  sizes (default 1000,10000,100000; 1000000 needs 24 GB of memory and half an hour)
  --visits <n>        ordinary visitors of the shop whose evidence is recorded and replayed (default 40)
  --json              print one JSON object instead of the report
  --help              print this

First the sample shop runs, audited, under the local engine; its evidence is then replayed under other identifiers. Up to 2,000
requests go into DynamoDB Local and into a store in memory, more into the latter alone.
`;
/** DynamoDB Local takes some ten thousand requests in 512 MB, and minutes for them. */
const MOST_LOCAL = 2000;
const say = (line: string): void => void process.stderr.write(`bench:stitch: ${line}\n`);

const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '1000,10000,100000' },
    visits: { type: 'string', default: '40' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
const sizes = values.requests.split(',').map(Number);
const visits = Number(values.visits);
if (values.help) process.stdout.write(HELP);
else if (!sizes.every((n) => Number.isInteger(n) && n > 0 && n <= 10_000_000) || !(visits >= 6 && visits <= 500)) {
  process.stderr.write(`bench:stitch: --requests are whole numbers, --visits is from 6 to 500\n\n${HELP}`);
  process.exitCode = 2;
} else await run();

async function run(): Promise<void> {
  const interrupted = new AbortController();
  process.once('SIGINT', () => interrupted.abort()).once('SIGTERM', () => interrupted.abort());
  const recording = await recordShop(visits, say, interrupted.signal);
  const replay = new Replay(recording.benign);
  // What is measured is the code as it is after a while: a Lambda function's process lives for hours.
  await inMemory(2000, recording, replay, say);
  const rates = [rateOf(recording.benign), rateOf(merged(recording.benign))];
  const measured: Size[] = [];
  for (const requests of sizes) {
    interrupted.signal.throwIfAborted();
    if (requests <= MOST_LOCAL && hasJava) measured.push(await inDynamo(requests, recording, replay));
    measured.push(await inMemory(requests, recording, replay, say));
  }
  const lag = { median: quantile(recording.lag, 0.5), p95: quantile(recording.lag, 0.95), segments: recording.lag.length };
  const recorded = { requests: replay.requestsPerCopy, records: replay.recordsPerCopy, segments: recording.benign.length };
  process.stdout.write(
    values.json ? `${JSON.stringify({ recorded, lag, rates, sizes: measured })}\n` : report(measured, lag, recorded, rates),
  );
}

type Recorded = Awaited<ReturnType<typeof recordShop>>;

async function inMemory(requests: number, recording: Recorded, replay: Replay, tell: typeof say): Promise<Size> {
  const shards = new MemoryTable('shards', shardsTable.partitionKey, shardsTable.sortKey);
  const links = new MemoryTable('links', linksTable.partitionKey, linksTable.sortKey);
  const store = openStore(shards, links, new MemoryObjects());
  const written = async (): Promise<Written> => ({
    ...{
      writeUnits: shards.writeUnits + links.writeUnits,
      items: shards.items + links.items,
      bytes: shards.bytes + links.bytes,
    },
  });
  return await measure(requests, { name: 'memory', store, written }, replay, recording, tell);
}

async function inDynamo(requests: number, recording: Recorded, replay: Replay): Promise<Size> {
  const dynamo = await LocalDynamo.start();
  try {
    const units = countUnits(dynamo.client);
    const { store, dump } = await dynamo.store();
    const written = async (): Promise<Written> => {
      const { shards, links } = (await dump()) as Record<string, Record<string, Parameters<typeof sizeOf>[0]>>;
      const items = [...Object.values(shards ?? {}), ...Object.values(links ?? {})];
      return { writeUnits: units(), items: items.length, bytes: items.reduce((sum, item) => sum + sizeOf(item), 0) };
    };
    return await measure(requests, { name: 'DynamoDB Local', store, written }, replay, recording, say);
  } finally {
    await dynamo.stop();
  }
}

function report(
  measured: readonly Size[],
  lag: { median: number; p95: number; segments: number },
  recorded: object,
  rates: readonly Rate[],
): string {
  const rows: readonly (readonly [string, (size: Size) => string | number])[] = [
    ['requests', (one) => one.requests],
    ['store', (one) => one.store],
    ['segments', (one) => one.segments],
    ['records', (one) => one.records],
    ['records/s per core: decode', (one) => one.perCore.decode],
    ['  build', (one) => one.perCore.build],
    ['  decode + build', (one) => one.perCore.decodeAndBuild],
    ['  shards to JSON', (one) => one.perCore.json],
    ['  compress shards', (one) => one.perCore.compress],
    ['  write (all of it)', (one) => one.perCore.write],
    ['write units per request', (one) => one.perRequest.writeUnits.toFixed(2)],
    ['items per request', (one) => one.perRequest.items.toFixed(2)],
    ['bytes per request', (one) => Math.round(one.perRequest.bytes)],
    ['peak memory, MB', (one) => Math.round(one.peakMb)],
    ['seconds in all', (one) => one.seconds.toFixed(1)],
    ['trace, ms (p95)', (one) => `${one.trace.median.toFixed(1)} (${one.trace.p95.toFixed(1)}), ${one.trace.nodes} nodes`],
    ['story, ms (p95)', (one) => `${one.story.median.toFixed(1)} (${one.story.p95.toFixed(1)}), ${one.story.steps} steps`],
    ['stats, ms (p95)', (one) => `${one.stats.median.toFixed(1)} (${one.stats.p95.toFixed(1)})`],
  ];
  const lines = rows.map(([name, of]) => name.padEnd(28) + measured.map((one) => String(of(one)).padStart(26)).join(''));
  const behind = `stored to stitched under the engine: ${Math.round(lag.median)} ms, p95 ${Math.round(lag.p95)} ms (${lag.segments} segments)`;
  const best = rates
    .map(
      (one) =>
        `at best, ${one.recordsPerSegment.toFixed(0)} records a segment: ${one.decodeAndBuild} records/s per core (decode ${one.decode}, build ${one.build})`,
    )
    .join('\n');
  return `recorded and replayed: ${JSON.stringify(recorded)}\n${behind}\n${best}\n\n${lines.join('\n')}\n`;
}
