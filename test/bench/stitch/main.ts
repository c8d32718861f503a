/** `npm run bench:stitch`: what stitching costs, and whether questions take longer when more is stored. */
import { parseArgs } from 'node:util';
import { openStore } from '../../../functions/store/connect.ts';
import { linksTable, shardsTable } from '../../../functions/store/schema.ts';
import { hasJava, LocalDynamo, MemoryObjects } from '../../functions/dynamodb-local.ts';
import { quantile } from '../statistics.ts';
import { type Asked, countUnits, measure, type Size, type Written } from './measure.ts';
import { MemoryTable, sizeOf, Turns } from './memory-table.ts';
import { merged, type Rate, rateOf } from './rates.ts';
import { recordShop } from './record.ts';
import { Replay } from './replay.ts';

const HELP = `bench:stitch: segments into the graph store, and questions to it, at several sizes

Usage: npm run bench:stitch -- [options]        (npm run -s bench:stitch -- --json for JSON alone)

  --requests <n,n,…>  sizes (default 1000,10000,100000; 1000000 needs 24 GB of memory and half an hour)
  --visits <n>        ordinary visitors of the shop whose evidence is recorded and replayed (default 40)
  --json              print one JSON object instead of the report
  --help              print this

First the sample shop runs, audited, under the local engine; its evidence is then replayed under other identifiers. All goes
into a store in memory, and what is not too much into DynamoDB Local as well.
`;
const say = (line: string): void => void process.stderr.write(`bench:stitch: ${line}\n`);

const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '1000,10000,100000' },
    visits: { type: 'string', default: '40' },
    dynamodb: { type: 'string', default: '2000' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
const sizes = values.requests.split(',').map(Number);
const visits = Number(values.visits);
const mostLocal = Number(values.dynamodb);
if (values.help) process.stdout.write(HELP);
else if (
  !sizes.every((n) => Number.isInteger(n) && n > 0 && n <= 10_000_000) ||
  !(visits >= 6 && visits <= 500) ||
  !(mostLocal >= 0)
) {
  process.stderr.write(
    `bench:stitch: --requests are whole numbers, --visits is from 6 to 500, --dynamodb is a number\n\n${HELP}`,
  );
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
    if (requests <= mostLocal && hasJava) measured.push(await inDynamo(requests, recording, replay));
    measured.push(await inMemory(requests, recording, replay, say));
    // A large size takes long: who stops it has what was measured before.
    if (sizes.length > 1) say(`${requests} requests: ${JSON.stringify(measured.at(-1))}`);
  }
  const lag = { median: quantile(recording.lag, 0.5), p95: quantile(recording.lag, 0.95), segments: recording.lag.length };
  const bytes = recording.benign.reduce((sum, one) => sum + one.bytes.length, 0);
  const recorded = {
    ...{ requests: replay.requestsPerCopy, records: replay.recordsPerCopy, segments: recording.benign.length, bytes },
  };
  process.stdout.write(
    values.json ? `${JSON.stringify({ recorded, lag, rates, sizes: measured })}\n` : report(measured, lag, recorded, rates),
  );
}

type Recorded = Awaited<ReturnType<typeof recordShop>>;

async function inMemory(requests: number, recording: Recorded, replay: Replay, tell: typeof say): Promise<Size> {
  const turns = new Turns();
  const shards = new MemoryTable('shards', shardsTable.partitionKey, shardsTable.sortKey, turns);
  const links = new MemoryTable('links', linksTable.partitionKey, linksTable.sortKey, turns);
  const store = openStore(shards, links, new MemoryObjects());
  const written = async (): Promise<Written> => ({
    ...{
      writeUnits: shards.writeUnits + links.writeUnits,
      items: shards.items + links.items,
      bytes: shards.bytes + links.bytes,
    },
  });
  return await measure(requests, { name: 'memory', store, written, turns }, replay, recording, tell);
}

async function inDynamo(requests: number, recording: Recorded, replay: Replay): Promise<Size> {
  const dynamo = await LocalDynamo.start();
  try {
    const counted = countUnits(dynamo.client);
    const { store, tables } = await dynamo.store();
    const written = async (): Promise<Written> => {
      let [items, bytes] = [0, 0];
      for (const name of tables) {
        for await (const page of dynamo.pages(name)) {
          items += page.length;
          for (const item of page) bytes += sizeOf(item);
        }
      }
      return { writeUnits: counted.units, items, bytes };
    };
    return await measure(requests, { name: 'DynamoDB Local', store, written, turns: counted }, replay, recording, say);
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
  const rows: readonly Row[] = [
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
    ...questions('trace', (one) => [one.trace, `${one.trace.nodes} nodes`]),
    ...questions('story', (one) => [one.story, `${one.story.steps} steps`]),
    ...questions('stats', (one) => [one.stats, '']),
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

type Row = readonly [string, (size: Size) => string | number];

function questions(name: string, of: (size: Size) => readonly [Asked, string]): readonly Row[] {
  return [
    [`${name}, ms (p95)`, (size) => `${of(size)[0].median.toFixed(1)} (${of(size)[0].p95.toFixed(1)}) ${of(size)[1]}`],
    ['  CPU, ms', (size) => of(size)[0].cpu.toFixed(1)],
    ['  queries (in a row)', (size) => `${of(size)[0].queries} (${of(size)[0].inARow || '?'})`],
    ['  of these needed', (size) => of(size)[0].needed ?? '?'],
  ];
}
