/**
 * `npm run fuzz -- --seconds 60`: segments of a compromised function, changed at random, through the stitcher and every question
 * of the API, into a store that also holds honest instances. Ends with 1 at the first finding, and says how to see it again.
 */
import { parseArgs } from 'node:util';
import { shardOf } from '../../functions/graph/ids.ts';
import { Problem } from '../../functions/query/problem.ts';
import { answer } from '../../functions/query/routes.ts';
import { stitch } from '../../functions/stitcher/stitch.ts';
import { openStore, type Store } from '../../functions/store/connect.ts';
import { linksTable, shardsTable } from '../../functions/store/schema.ts';
import { newInstanceId } from '../../layers/record/instance-id.ts';
import { segmentKey } from '../../layers/record/key.ts';
import { MemoryTable } from '../bench/stitch/memory-table.ts';
import { containerReuse, handOver, survivingProcess, tamperedAnswer } from '../functions/attacks.ts';
import { MemoryObjects } from '../functions/dynamodb-local.ts';
import { type Recorded, START } from '../functions/scenario.ts';
import { Mutator, randomNumbers } from './mutate.ts';

/** Hostile segments beside the same honest instances, before everything begins anew. */
const ROUND = 40;
/** ms after which a segment or question is taken to hang. */
const HANGS = 20_000;
const LARGEST_ITEM = 400 * 1024;
const RECEIVED = START + 60_000_000;

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '60' }, seed: { type: 'string' } } });
const seconds = Number(values.seconds);
const firstSeed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed);
if (!(seconds > 0) || !Number.isSafeInteger(firstSeed)) {
  process.stderr.write('fuzz: usage: npm run fuzz -- [--seconds <n>] [--seed <n>]\n');
  process.exit(2);
}

interface World {
  readonly store: Store;
  readonly objects: MemoryObjects;
  readonly tables: readonly MemoryTable[];
  readonly honest: readonly Recorded[];
  /** What is told of the honest instances alone. */
  readonly before: string;
}

async function begin(): Promise<World> {
  const tables = [shardsTable, linksTable].map(
    ({ partitionKey, sortKey }) => new MemoryTable(partitionKey, partitionKey, sortKey),
  );
  const [shards, links] = tables as [MemoryTable, MemoryTable];
  const objects = new MemoryObjects();
  const store = openStore(shards, links, objects);
  const honest = [...containerReuse().instances, ...handOver('sqs').instances];
  for (const { key, bytes } of honest.flatMap((one) => one.segments([5]))) {
    objects.set(key, bytes, RECEIVED);
    await stitch(key, objects, store.writer);
  }
  await store.writer.settle();
  const world = { store, objects, tables, honest, before: '' };
  return { ...world, before: await toldOf(world) };
}

/** Everything that the instances' own records tell, whatever others claim. */
async function toldOf({ store, honest }: Omit<World, 'before'>): Promise<string> {
  const told: object[] = [];
  for (const one of honest) {
    for (const path of [`/v1/instances/${one.id}`, `/v1/instances/${one.id}/graph`])
      told.push(await answer(path, new URLSearchParams(path.endsWith('graph') ? { limit: '10000' } : {}), store));
  }
  return JSON.stringify(told);
}

async function attempt(world: World, seed: number): Promise<'stitched' | 'set-aside'> {
  const random = randomNumbers(seed);
  const words = world.honest.flatMap((one) => [one.id, ...new Set(one.records.flatMap(({ req }) => req ?? []))]);
  const claims = ['drop.evil', '/tmp/.x.js', 'sqs:m-1', 'lambda:req-use', 'ddb:cards/1111'];
  const honest = world.honest.flatMap((one) => one.records);
  const mutator = new Mutator(random, [...words, ...claims], honest);
  const scenario = mutator.pick([
    containerReuse,
    survivingProcess,
    tamperedAnswer,
    () => handOver('s3'),
    () => handOver('sqs'),
  ])();
  const source = mutator.pick<Recorded>(scenario.instances);
  const records = mutator.records(source.records);
  const instanceId = newInstanceId(START / 1000 + mutator.below(1e6));
  const range = { first: 0, last: Math.max(0, records.length - 1) };
  const template = source.segments()[0]?.segment.header;
  const header = { ...template, ...range, fn: 'evil', instanceId, prev: null, count: records.length };
  const key = segmentKey({ fn: 'evil', instanceId, ...range });
  world.objects.set(key, mutator.bytes(header, records), RECEIVED);
  const outcome = await stitch(key, world.objects, world.store.writer);
  await world.store.writer.settle();
  for (const { largest, name } of world.tables)
    if (largest > LARGEST_ITEM) throw new Error(`an item of ${largest} bytes in ${name}`);
  if (outcome.done === 'ignored') throw new Error(`ignored: ${outcome.reason}`);
  if (outcome.done === 'set-aside') return 'set-aside';
  const graph = await ask(world.store, `/v1/instances/${instanceId}/graph`, { limit: '300' });
  const nodes = ((graph as { nodes?: { id: string; label: string }[] }).nodes ?? []).filter(({ id }) => id.length < 2000);
  for (const { id, label } of nodes) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
    if (/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/.test(id + label))
      throw new Error(`unsafe text in ${JSON.stringify(id)}`);
    const place = shardOf(id as never);
    if (place !== undefined && place.instance !== instanceId) throw new Error(`${id} in the graph of ${instanceId}`);
  }
  for (let n = 0; n < 2 && nodes.length > 0; n++) {
    const { id } = mutator.pick(nodes);
    await ask(world.store, '/v1/trace', { node: id, direction: mutator.pick(['backward', 'forward']), limit: '200' });
    await ask(world.store, '/v1/path', { node: id, inputs: mutator.pick(['none', 'data', 'all']) });
    await ask(world.store, '/v1/search', { q: id.slice(id.indexOf(':') + 1, 900) });
  }
  const req = mutator.pick(records as { req?: unknown }[]).req;
  if (typeof req === 'string') await ask(world.store, `/v1/requests/${encodeURIComponent(req)}/workflow`, { requests: '20' });
  await ask(world.store, '/v1/requests', { since: '0' });
  return 'stitched';
}

/** A question may be refused; it may not fail. */
async function ask(store: Store, path: string, query: Record<string, string>): Promise<object> {
  const began = performance.now();
  try {
    return await answer(path, new URLSearchParams(query), store);
  } catch (error) {
    if (error instanceof Problem && error.status < 500) return {};
    throw new Error(`${path} ${JSON.stringify(query)}`, { cause: error });
  } finally {
    if (performance.now() - began > HANGS) process.exitCode = 1;
  }
}

const counts = { stitched: 0, 'set-aside': 0 };
const until = Date.now() + seconds * 1000;
process.stderr.write(`fuzz: seed ${firstSeed}, ${seconds} s\n`);
let seed = firstSeed;
try {
  while (Date.now() < until) {
    const world = await begin();
    for (let i = 0; i < ROUND && Date.now() < until; i++, seed++) {
      const began = performance.now();
      counts[await attempt(world, seed)]++;
      if (performance.now() - began > HANGS) throw new Error('it took too long');
    }
    if ((await toldOf(world)) !== world.before) throw new Error('what is told of honest instances has changed');
  }
  process.stdout.write(`fuzz: no finding in ${counts.stitched} segments stitched and ${counts['set-aside']} set aside\n`);
} catch (error) {
  process.stdout.write(
    `fuzz: FINDING with --seed ${seed} (begun with ${firstSeed}): ${error instanceof Error ? error.stack : error}\n`,
  );
  if (error instanceof Error && error.cause !== undefined) process.stdout.write(`${(error.cause as Error).stack}\n`);
  process.exitCode = 1;
}
