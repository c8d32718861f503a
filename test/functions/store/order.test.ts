import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { buildShards } from '../../../functions/graph/build.ts';
import { INIT, type Partition } from '../../../functions/graph/ids.ts';
import { localGraph, runtimeProcesses } from '../../../functions/graph/local.ts';
import type { Shard } from '../../../functions/graph/shard.ts';
import { stitchEvent } from '../../../functions/stitcher/handler.ts';
import type { Store } from '../../../functions/store/connect.ts';
import type { InstanceId } from '../../../layers/record/types.ts';
import { containerReuse, handOver, survivingProcess, tamperedAnswer } from '../attacks.ts';
import { hasJava, LocalDynamo } from '../dynamodb-local.ts';
import { messages } from '../messages.ts';
import { type Recorded, START, type Stored } from '../scenario.ts';

/** `ALASTOR_LONG_TESTS=5000` runs that many cases. */
const RUNS = Number(process.env.ALASTOR_LONG_TESTS ?? 60);
const RECEIVED = START + 3_600_000_000;

const scenarios: readonly (() => { readonly instances: readonly Recorded[] })[] = [
  containerReuse,
  survivingProcess,
  tamperedAnswer,
  () => handOver('s3'),
  () => handOver('sqs'),
];

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
    for (const partition of new Set(whole.map((shard) => shard.partition)))
      found[`${one.id} ${partition}`] = essence(await shardsOf(one.id, partition), await shardsOf(one.id, INIT));
  }
  return found;
}

async function deliver(store: Store, batches: readonly (readonly Stored[])[]): Promise<void> {
  for (const batch of batches) {
    const answer = await stitchEvent(messages(batch.map(({ key }) => key)), store);
    expect(answer).toEqual({ batchItemFailures: [] });
  }
}

describe.skipIf(!hasJava)('the tables', () => {
  let dynamo: LocalDynamo;
  beforeAll(async () => {
    dynamo = await LocalDynamo.start();
  }, 60_000);
  afterAll(async () => await dynamo?.stop());
  beforeEach(() => {
    vi.spyOn(console, 'info').mockReturnValue();
  });

  it('are the same in whatever order, batches and number of times segments come, and tell the same however they were cut', {
    timeout: Math.max(240_000, RUNS * 20_000),
  }, async () => {
    const arbitrary = fc.record({
      which: fc.nat(scenarios.length - 1),
      cuts: fc.array(fc.nat(60), { maxLength: 8 }),
      order: fc.infiniteStream(fc.nat(1_000_000)),
      again: fc.array(fc.nat(1000), { maxLength: 8 }),
      width: fc.integer({ min: 1, max: 10 }),
    });
    await fc.assert(
      fc.asyncProperty(arbitrary, async ({ which, cuts, order, again, width }) => {
        const { instances } = scenarios[which]!();
        const segments = instances.flatMap((one) => one.segments(cuts));
        const plain = await dynamo.store();
        const mixed = await dynamo.store();
        for (const { objects } of [plain, mixed]) for (const { key, bytes } of segments) objects.set(key, bytes, RECEIVED);
        await deliver(plain.store, [segments]);

        const twice = [...segments, ...again.map((i) => segments[i % segments.length]!)];
        const shuffled = twice.map((one) => ({ one, at: order.next().value as number })).sort((a, b) => a.at - b.at);
        const batches: Stored[][] = [];
        for (let i = 0; i < shuffled.length; i += width) batches.push(shuffled.slice(i, i + width).map(({ one }) => one));
        await deliver(mixed.store, batches);

        expect(await mixed.dump()).toEqual(await plain.dump());
        const records = instances.reduce((sum, one) => sum + one.records.length, 0);
        const counts = { records, segments: segments.length, instances: instances.length, gaps: 0, cut: [] };
        expect(await mixed.store.lists.stats()).toMatchObject(counts);

        const uncut = instances
          .flatMap((one) => one.segments().map(({ segment, key }) => buildShards(segment, key)))
          .flatMap(({ shards }) => shards);
        const inMemory = async (instance: InstanceId, partition: Partition) =>
          uncut.filter((one) => one.instance === instance && one.partition === partition);
        const stored = await graphs(instances, (instance, partition) => mixed.store.source.shardsOf(instance, partition));
        expect(stored).toEqual(await graphs(instances, inMemory));
        await Promise.all([plain.drop(), mixed.drop()]);
      }),
      { numRuns: RUNS },
    );
  });
});
