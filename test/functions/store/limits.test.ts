import { createHash } from 'node:crypto';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { stitchEvent } from '../../../functions/stitcher/handler.ts';
import { stitch } from '../../../functions/stitcher/stitch.ts';
import { openStore } from '../../../functions/store/connect.ts';
import { linksTable, shardsTable } from '../../../functions/store/schema.ts';
import { type Item, Table } from '../../../functions/store/table.ts';
import { containerReuse, handOver } from '../attacks.ts';
import { hasJava, LocalDynamo } from '../dynamodb-local.ts';
import { messages } from '../messages.ts';
import { Clock, Recorded, START } from '../scenario.ts';

const DAY = 86_400;

/** Bytes of an item as DynamoDB counts them: names and values (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html). */
function sizeOf(item: Item): number {
  return Object.entries(item).reduce((sum, [name, { S, N, B }]) => {
    return sum + Buffer.byteLength(name) + Buffer.byteLength(S ?? '') + (N === undefined ? 0 : 21) + (B?.length ?? 0);
  }, 0);
}

describe.skipIf(!hasJava)('the store', () => {
  let dynamo: LocalDynamo;
  beforeAll(async () => {
    dynamo = await LocalDynamo.start();
  }, 60_000);
  afterAll(async () => await dynamo?.stop());

  it('keeps every item below 400 KB and gives it an end, whatever a request did', async () => {
    const { store, objects, dump } = await dynamo.store();
    const wide = new Recorded('wide', new Clock());
    const name = (i: number) => createHash('sha512').update(String(i)).digest('hex');
    wide.begin(
      'r',
      { type: 'http', sourceIp: '9'.repeat(2000), userAgent: '\u{1f4a3}'.repeat(1000), path: `/${'€'.repeat(2000)}` },
      Array.from({ length: 20 }, (_, i) => ({ key: `x:${'k'.repeat(900)}${i}`, sure: 'exact' as const })),
      Array.from({ length: 20 }, (_, i) => ({
        type: 's3-object',
        id: `s3://${'o'.repeat(900)}/${i}@v`,
        access: 'read' as const,
      })),
    );
    wide.exchange(wide.runtime, { host: `${'h'.repeat(8000)}.example`, path: `/${'p'.repeat(8000)}`, addr: 'a'.repeat(8000) });
    for (let i = 0; i < 5000; i++) wide.write(wide.runtime, `/tmp/${name(i)}`);
    wide.end();
    const [segment] = wide.segments();
    objects.set(segment!.key, segment!.bytes, START);
    expect(await stitchEvent(messages([segment!.key]), store)).toEqual({ batchItemFailures: [] });
    expect(await store.lists.poison(1)).toEqual([]);
    const { shards, links } = (await dump()) as Record<'shards' | 'links', Record<string, Item>>;
    const items = [...Object.values(shards), ...Object.values(links)];
    expect(Math.max(...items.map(sizeOf))).toBeLessThan(400 * 1024);
    expect(Object.keys(objects.spilled())).toHaveLength(1);
    const ends = items.map(({ expires }) => Number(expires?.N));
    expect(Math.min(...ends)).toBeGreaterThanOrEqual(START / 1e6 + 89 * DAY);
    expect(Math.max(...ends)).toBeLessThanOrEqual(START / 1e6 + 93 * DAY);
  });

  it('writes few and small items for a request, and none of them twice into one partition of a hot key', async () => {
    const { store, objects, dump } = await dynamo.store();
    const instances = Array.from({ length: 12 }, (_, i) => {
      const one = new Recorded('api', new Clock());
      one.begin(`r${i}`, { type: 'http', sourceIp: `203.0.113.${i}` }, [{ key: `apigw:a${i}`, sure: 'exact' }]);
      one.aws(one.runtime, 's3', 'GetObject', [], [{ type: 's3-object', id: 's3://config/all.json@v1', access: 'read' }]);
      one.end();
      return one;
    });
    const segments = instances.flatMap((one) => one.segments());
    for (const { key, bytes } of segments) objects.set(key, bytes, START);
    await stitchEvent(messages(segments.map(({ key }) => key)), store);
    const { shards, links } = (await dump()) as Record<'shards' | 'links', Record<string, Item>>;
    const hot = new Set(Object.values(links).flatMap(({ key }) => (key?.S?.startsWith('resource:s3://config') ? [key.S] : [])));
    expect(hot.size).toBeGreaterThan(1);
    const { links: found } = await store.source.linksOf('resource:s3://config/all.json@v1' as never, { limit: 100 });
    expect(found).toHaveLength(12);
    for (const item of [...Object.values(shards), ...Object.values(links)]) expect(sizeOf(item)).toBeLessThan(1024);
    const own = Object.values(links).filter(({ place, key }) => /^\d/.test(place?.S ?? '') && !key?.S?.startsWith('~hours'));
    // Request, its two keys, its caller's address, the object; nothing for the runtime's process.
    expect(own.filter(({ place }) => place?.S?.includes(instances[0]!.id)).length).toBeLessThanOrEqual(5 + 1);
  });

  /** A client of the real service whose writes the service takes only in part: `refuse` says of each call what it does to it. */
  function throttled(refuse: (call: number) => 'all' | 'some' | 'none'): { client: DynamoDBClient; calls: () => number } {
    const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
    const endpoint = async () => await dynamo.client.config.endpoint!();
    const client = new DynamoDBClient({ region: 'eu-west-1', credentials, endpoint, maxAttempts: 1 });
    let calls = 0;
    client.middlewareStack.add(
      (next, context) => async (args) => {
        if (context.commandName !== 'BatchWriteItemCommand') return await next(args);
        const what = refuse(calls++);
        if (what === 'all') throw Object.assign(new Error('slow down'), { name: 'ProvisionedThroughputExceededException' });
        const input = args.input as { RequestItems: Record<string, object[]> };
        const [[table, requests]] = Object.entries(input.RequestItems) as [[string, object[]]];
        const taken = what === 'some' ? Math.max(1, requests.length >> 1) : requests.length;
        const result = await next({ ...args, input: { RequestItems: { [table]: requests.slice(0, taken) } } });
        const left = requests.slice(taken);
        if (left.length > 0) Object.assign(result.output as object, { UnprocessedItems: { [table]: left } });
        return result;
      },
      { step: 'initialize' },
    );
    return { client, calls: () => calls };
  }

  it('tries what a throttled table did not take again, until all of it is there', async () => {
    const plain = await dynamo.store();
    const { instances } = containerReuse();
    const segments = instances.flatMap((one) => one.segments([9]));
    for (const { key, bytes } of segments) plain.objects.set(key, bytes, START);
    await stitchEvent(messages(segments.map(({ key }) => key)), plain.store);
    const [shards, links] = [await dynamo.table('shards-slow', shardsTable), await dynamo.table('links-slow', linksTable)];
    const { client } = throttled((call) => (call % 4 === 0 ? 'all' : call % 4 === 3 ? 'none' : 'some'));
    const slow = openStore(new Table(client, shards.name), new Table(client, links.name), plain.objects);
    expect(await stitchEvent(messages(segments.map(({ key }) => key)), slow)).toEqual({ batchItemFailures: [] });
    const wanted = (await plain.dump()) as { links: object; shards: object };
    expect(await dynamo.all(shards.name)).toEqual(wanted.shards);
    expect(await dynamo.all(links.name)).toEqual(wanted.links);
    client.destroy();
  });

  it('gives up on a table that takes nothing after a bounded number of tries, and hands the message back', {
    timeout: 60_000,
  }, async () => {
    const { objects } = await dynamo.store();
    const [shards, links] = [await dynamo.table('shards-never', shardsTable), await dynamo.table('links-never', linksTable)];
    const { client, calls } = throttled(() => 'all');
    const never = openStore(new Table(client, shards.name), new Table(client, links.name), objects);
    const [segment] = handOver('sqs').a.segments();
    objects.set(segment!.key, segment!.bytes, START);
    expect(await stitchEvent(messages([segment!.key]), never)).toEqual({ batchItemFailures: [{ itemIdentifier: 'm0' }] });
    expect(calls()).toBe(10);
    client.destroy();
  });
});

describe.skipIf(!hasJava)('the sums', () => {
  let dynamo: LocalDynamo;
  beforeAll(async () => {
    dynamo = await LocalDynamo.start();
  }, 60_000);
  afterAll(async () => await dynamo?.stop());
  beforeEach(() => {
    vi.spyOn(console, 'info').mockReturnValue();
  });

  it('are exact although a stitcher died after it had written a segment and before it had counted it', async () => {
    const { store: dying, reopen, objects } = await dynamo.store();
    const { instances } = handOver('sqs');
    const segments = instances.flatMap((one) => one.segments());
    for (const { key, bytes } of segments) objects.set(key, bytes, START);
    const keys = segments.map(({ key }) => key);
    // It never comes to settle: what it owed is gone with it.
    for (const key of keys.slice(0, 2)) await stitch(key, dying.objects, dying.writer);
    const store = reopen();
    await stitchEvent(messages(keys, 2), store);
    const records = instances.reduce((sum, one) => sum + one.records.length, 0);
    expect(await store.lists.stats()).toMatchObject({ segments: 3, requests: 3, records, instances: 3, cut: [] });
  });

  it('are exact although the stitcher died so on its last attempt, and somebody gave the message back', async () => {
    const { store: dying, reopen, objects } = await dynamo.store();
    const { a } = handOver('sqs');
    const [segment] = a.segments();
    const { key, bytes } = segment!;
    objects.set(key, bytes, START);
    await dying.writer.putPoison({ segment: key, code: 'gave-up', reason: 'its last attempt did not come to an end' }, START);
    await stitch(key, dying.objects, dying.writer, true);
    const store = reopen();
    // What comes back from the dead-letter queue is a new message, received for the first time.
    expect(await stitchEvent(messages([key]), store)).toEqual({ batchItemFailures: [] });
    const counts = { segments: 1, requests: 1, records: a.records.length, instances: 1, poison: 0, cut: [] };
    expect(await store.lists.stats()).toMatchObject(counts);
  });

  it('show a hole between two segments as a gap', async () => {
    const { store, objects } = await dynamo.store();
    const { cards } = containerReuse();
    const segments = cards.segments([4, 9, 20]);
    for (const { key, bytes } of segments) objects.set(key, bytes, START);
    const [first, , third, last] = segments.map(({ key }) => key);
    await stitchEvent(messages([last!, first!, third!]), store);
    expect(await store.lists.stats()).toMatchObject({ segments: 3, gaps: 1, instances: 1 });
  });
});
