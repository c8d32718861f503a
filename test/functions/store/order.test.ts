import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildShards } from '../../../functions/graph/build.ts';
import { INIT, type Partition } from '../../../functions/graph/ids.ts';
import { localGraph, runtimeProcesses } from '../../../functions/graph/local.ts';
import type { Shard } from '../../../functions/graph/shard.ts';
import { stitchEvent } from '../../../functions/stitcher/handler.ts';
import type { Item } from '../../../functions/store/table.ts';
import type { InstanceId } from '../../../layers/record/types.ts';
import { type Dump, hasJava, LocalDynamo } from '../dynamodb-local.ts';
import { messages } from '../messages.ts';
import type { Recorded } from '../scenario.ts';
import { type Delivery, deliver, deliveries } from './deliveries.ts';
import { plans, type Recording, recorded } from './recordings.ts';

/** Ways in which the same segments are delivered, each into tables of its own, at the same time. */
const WAYS = 4;
/** A case is one way. `ALASTOR_LONG_TESTS=5000` runs that many. */
const CASES = Number(process.env.ALASTOR_LONG_TESTS ?? 80);
const LIMIT_MS = Math.max(240_000, CASES * 5_000);

/** A graph without the names of the segments that its evidence lies in. */
function essence(shards: readonly Shard[], init: readonly Shard[]) {
  const graph = localGraph(shards, runtimeProcesses(init));
  const edges = graph.edges().map(({ evidence, ...edge }) => ({ ...edge, seqs: evidence.map(({ seq }) => seq) }));
  const place = (edge: object) => JSON.stringify(Object.values({ ...edge, seqs: 0 }));
  const by =
    <T>(name: (one: T) => string) =>
    (a: T, b: T) =>
      name(a) < name(b) ? -1 : 1;
  return {
    nodes: [...graph.nodes.values()].sort(by(({ id }) => id)),
    edges: edges.sort(by(({ op, sure, from, to }) => place({ op, sure, from, to }))),
  };
}

/** All local graphs of the instances. */
async function graphs(
  instances: readonly Recorded[],
  shardsOf: (instance: InstanceId, partition: Partition) => Promise<readonly Shard[]>,
): Promise<object> {
  const found: Record<string, object> = {};
  for (const one of instances) {
    const whole = one.segments().flatMap(({ segment, key }) => buildShards(segment, key).shards);
    const init = await shardsOf(one.id, INIT);
    for (const partition of new Set(whole.map((shard) => shard.partition)))
      found[`${one.id} ${partition}`] = essence(await shardsOf(one.id, partition), init);
  }
  return found;
}

/** What the instances recorded, built as if it had never been cut, without any table. */
async function wholeGraphs(instances: readonly Recorded[]): Promise<object> {
  const uncut = instances
    .flatMap((one) => one.segments().map(({ segment, key }) => buildShards(segment, key)))
    .flatMap(({ shards }) => shards);
  return await graphs(instances, async (instance, partition) =>
    uncut.filter((one) => one.instance === instance && one.partition === partition),
  );
}

describe.skipIf(!hasJava)('the tables', () => {
  let dynamo: LocalDynamo;
  beforeAll(async () => {
    dynamo = await LocalDynamo.start();
  }, 60_000);
  afterAll(async () => await dynamo?.stop());

  /** New tables, and a bucket with the segments. */
  async function opened({ segments }: Recording) {
    const made = await dynamo.store();
    for (const { key, bytes, received } of segments) made.objects.set(key, bytes, received);
    return made;
  }

  /** The tables after each segment came once, in order; they tell what was recorded, and count it. */
  async function expected(recording: Recording) {
    const { instances, segments } = recording;
    const { store, dump, drop } = await opened(recording);
    const answer = await stitchEvent(messages(segments.map(({ key }) => key)), store);
    expect(answer).toEqual({ batchItemFailures: [] });
    const records = instances.reduce((sum, one) => sum + one.records.length, 0);
    const stats = await store.lists.stats();
    expect(stats).toMatchObject({ records, segments: segments.length, instances: instances.length, poison: 0, cut: [] });
    const stored = await graphs(instances, (instance, partition) => store.source.shardsOf(instance, partition));
    expect(stored).toEqual(await wholeGraphs(instances));
    const tables = await dump();
    await drop();
    return { stats, tables };
  }

  async function holds(recording: Recording, { stats, tables }: Awaited<ReturnType<typeof expected>>, delivery: Delivery) {
    const { reopen, dump, drop } = await opened(recording);
    const keys = recording.segments.map(({ key }) => key);
    await deliver(keys, dynamo.client, reopen, delivery);
    const found = await dump();
    // A stitcher that ended in the middle leaves a doubt about its sums, and whoever asks counts anew.
    const doubted = inDoubt(found);
    if (doubted) expect(await reopen().lists.stats()).toEqual(stats);
    expect(doubted ? withoutSums(found) : found).toEqual(doubted ? withoutSums(tables) : tables);
    await drop();
  }

  it('are the same in whatever order, batches and number of times segments come, and tell the same however they were cut', {
    timeout: LIMIT_MS,
  }, async () => {
    const ways = fc.array(deliveries, { minLength: WAYS, maxLength: WAYS });
    await fc.assert(
      fc.asyncProperty(plans, ways, async (plan, each) => {
        const recording = recorded(plan);
        const wanted = await expected(recording);
        const results = await Promise.allSettled(each.map((delivery) => holds(recording, wanted, delivery)));
        for (const result of results) if (result.status === 'rejected') throw result.reason;
      }),
      // Made simpler until shortly before the end: a failure is told in any case.
      { numRuns: Math.ceil(CASES / WAYS), interruptAfterTimeLimit: LIMIT_MS - 30_000, markInterruptAsFailure: true },
    );
  });
});

const isSum = ([name]: readonly [string, Item]) => name.startsWith('~sums\n');

function inDoubt({ links }: Dump): boolean {
  return Object.entries(links).some((row) => isSum(row) && row[1].doubt?.N !== '0');
}

function withoutSums(dump: Dump): Dump {
  return { ...dump, links: Object.fromEntries(Object.entries(dump.links).filter((row) => !isSum(row))) };
}
