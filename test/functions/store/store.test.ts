import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hostId, joinLink, linkKey, requestPartition } from '../../../functions/graph/ids.ts';
import { hostKey } from '../../../functions/graph/observe-network.ts';
import { Provenance } from '../../../functions/graph/provenance.ts';
import { story } from '../../../functions/graph/story.ts';
import { stitch } from '../../../functions/stitcher/stitch.ts';
import { containerReuse } from '../attacks.ts';
import { hasJava, LocalDynamo, type MemoryObjects } from '../dynamodb-local.ts';
import { Clock, Recorded, START, type Stored } from '../scenario.ts';

const RECEIVED = START + 3_600_000_000;

function fill(objects: MemoryObjects, segments: readonly Stored[]): void {
  for (const { key, bytes } of segments) objects.set(key, bytes, RECEIVED);
}

describe.skipIf(!hasJava)('store', () => {
  let dynamo: LocalDynamo;
  beforeAll(async () => {
    dynamo = await LocalDynamo.start();
  }, 60_000);
  afterAll(async () => await dynamo?.stop());

  it('gives the same story from the tables as from memory', async () => {
    const { instances, cards, notify, purchase } = containerReuse();
    const { store, objects } = await dynamo.store();
    const segments = instances.flatMap((one) => one.segments([4, 19]));
    fill(objects, segments);
    await Promise.all(segments.map(({ key }) => stitch(key, objects, store.writer)));
    await store.writer.settle();
    const told = await story(new Provenance(store.source), hostId('drop.evil'), { limit: 500, inputs: 'data' });
    expect([...told.instances].sort()).toEqual([cards.id, notify.id, purchase.id].sort());
    expect(told.requests.map(({ requestId }) => requestId).sort()).toEqual(['req-buy', 'req-notify', 'req-plant', 'req-use']);
    expect(await store.lists.stats()).toMatchObject({
      requests: 7,
      segments: segments.length,
      gaps: 0,
      instances: 3,
      functions: 3,
      cut: [],
    });
  });

  it('spills a shard that is too large for an item, and reads it back', async () => {
    const { store, objects } = await dynamo.store();
    const one = new Recorded('f', new Clock());
    one.begin('r');
    for (let i = 0; i < 6000; i++) {
      const path = `/tmp/${createHash('sha512').update(String(i)).digest('hex')}`;
      one.add(one.runtime, { kind: 'file-open', path, mode: 'w', created: true, truncated: true, fd: 3 });
    }
    const segments = one.segments();
    fill(objects, segments);
    await stitch(segments[0]!.key, objects, store.writer);
    expect(Object.keys(objects.spilled())).toHaveLength(1);
    const [shard] = await store.source.shardsOf(one.id, requestPartition('r'));
    expect(shard!.nodes.length).toBeGreaterThan(6000);
  });

  it('finds links of a spread key over several days, newest first, within a range', async () => {
    const { store, objects } = await dynamo.store();
    const day = 86_400_000_000;
    const times: number[] = [];
    for (const offset of [0, 1, 2, 400]) {
      const clock = new Clock();
      clock.now = START + offset * day;
      const one = new Recorded('f', clock);
      one.begin(`r${offset}`);
      const from = clock.now;
      one.exchange(one.runtime, { host: 'spread.example', from, to: from + 1 });
      times.push(from);
      const [segment] = one.segments();
      // The last one came in long before the time it claims: it is kept where every query looks.
      objects.set(segment!.key, segment!.bytes, offset === 400 ? START : clock.now + 1000);
      await stitch(segment!.key, objects, store.writer);
    }
    const all = await store.source.linksOf(hostKey('spread.example'), { limit: 10 });
    expect(all.links.map(({ t }) => t)).toEqual([...times].reverse());
    const some = await store.source.linksOf(hostKey('spread.example'), {
      after: times[0]! + 1,
      before: times[1]! + day,
      limit: 10,
    });
    expect(some.links.map(({ t }) => t)).toEqual([times[2]!, times[1]!].filter((t) => t <= times[1]! + day));
    const cut = await store.source.linksOf(hostKey('spread.example'), { limit: 2, order: 'oldest' });
    expect(cut).toMatchObject({ cut: true, links: [{ t: times[0] }, { t: times[1] }] });
  });

  it('finds who touched a shared resource in the rows of the list of requests, in order and within a range', async () => {
    const { store, objects, dump } = await dynamo.store();
    const key = linkKey('resource', 'sqs:orders');
    const queue = { type: 'queue', id: 'sqs:orders', access: 'call' } as const;
    const times: number[] = [];
    for (let i = 0; i < 30; i++) {
      const clock = new Clock();
      clock.now = START + i * 25_000_000;
      const one = new Recorded('f', clock);
      one.begin(`r${i}`);
      one.aws(one.runtime, 'sqs', 'SendMessage', [], [queue]);
      times.push(one.records.at(-1)!.t);
      one.end();
      fill(objects, one.segments());
      for (const segment of one.segments()) await stitch(segment.key, objects, store.writer);
    }
    const { links: rows } = await dump();
    const own = Object.values(rows).filter(({ key: row }) => row?.S?.startsWith('resource:sqs'));
    // One for each minute and part of the list at the most, however many requests there were.
    expect(own.length).toBeLessThan(30);
    const all = await store.source.linksOf(key, { limit: 100 });
    expect(all.cut).toBe(false);
    expect(all.links.map(({ partition }) => partition)).toEqual(times.map((_, i) => `r${i}`).reverse());
    expect(all.links[0]).toMatchObject({ key, direction: 'out', node: key, kind: 'resource', label: 'sqs:orders', fn: 'f' });
    expect((await objects.get(all.links[0]!.evidence.segment)).bytes.length).toBeGreaterThan(0);
    const range = { after: times[5]! - 500_000, before: times[9]! + 500_000, order: 'oldest', limit: 100 } as const;
    const some = await store.source.linksOf(key, range);
    expect(some.links.map(({ partition }) => partition)).toEqual(['r5', 'r6', 'r7', 'r8', 'r9']);
    expect(await store.source.linksOf(key, { limit: 3 })).toMatchObject({ cut: true, links: [{}, {}, {}] });
    expect((await store.source.linksOf(linkKey('resource', 'sqs:order'), { limit: 3 })).links).toEqual([]);
  });

  it('keeps rows for what a segment touches beyond what its row in the list can tell', async () => {
    const { store, objects } = await dynamo.store();
    const one = new Recorded('f', new Clock());
    one.begin('r');
    const queues = Array.from({ length: 60 }, (_, i) => ({ type: 'queue', id: `sqs:q${i}`, access: 'call' }) as const);
    for (const queue of queues) one.aws(one.runtime, 'sqs', 'SendMessage', [], [queue]);
    fill(objects, one.segments());
    for (const { key } of one.segments()) await stitch(key, objects, store.writer);
    for (const { id } of queues) {
      const { links } = await store.source.linksOf(linkKey('resource', id), { limit: 5 });
      expect(links).toMatchObject([{ direction: 'out', node: `resource:${id}`, instance: one.id, partition: 'r' }]);
    }
  });

  it('keeps one row per batch entry, so that each joins to its own cause', async () => {
    const { store, objects } = await dynamo.store();
    const one = new Recorded('f', new Clock());
    one.begin(
      'r',
      { type: 'sqs' },
      ['a', 'b', 'c'].map((id) => ({ key: `sqs:${id}`, sure: 'exact' as const })),
    );
    fill(objects, one.segments());
    for (const { key } of one.segments()) await stitch(key, objects, store.writer);
    for (const id of ['a', 'b', 'c']) {
      const { links } = await store.source.linksOf(joinLink(`sqs:${id}`), { limit: 5 });
      expect(links).toMatchObject([{ direction: 'in', kind: 'request', partition: 'r' }]);
    }
    expect((await store.source.linksOf(linkKey('join', 'sqs:d'), { limit: 5 })).links).toEqual([]);
  });
});
