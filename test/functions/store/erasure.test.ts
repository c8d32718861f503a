import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stitchEvent } from '../../../functions/stitcher/handler.ts';
import { Doomed } from '../../../functions/store/doomed.ts';
import { Erasure } from '../../../functions/store/erasure.ts';
import { Table } from '../../../functions/store/table.ts';
import { handOver } from '../attacks.ts';
import { hasJava, LocalDynamo } from '../dynamodb-local.ts';
import { messages } from '../messages.ts';

describe.skipIf(!hasJava)('erasing an instance from the tables', () => {
  let dynamo: LocalDynamo;
  beforeAll(async () => {
    dynamo = await LocalDynamo.start();
  }, 60_000);
  afterAll(async () => await dynamo?.stop());

  const silent = { apply: true, signal: new AbortController().signal, note: () => undefined };
  const rows = (text: string, id: string) => text.split(id).length - 1;

  async function stitched() {
    const { store, objects, dump, tables } = await dynamo.store();
    const { a, b } = handOver('sqs');
    const stored = [...a.segments([6]), ...b.segments()];
    for (const { key, bytes } of stored) objects.set(key, bytes, Date.now() * 1000);
    await stitchEvent(messages(stored.map(({ key }) => key)), store);
    const [shards, links] = tables.map((name) => new Table(dynamo.client, name));
    const doomed = (at: number) => new Doomed(a.segments([6]).map(({ key: segment }) => ({ segment, stored: at })));
    return { store, a, b, doomed, erasure: new Erasure(shards!, links!, 90), dump: async () => JSON.stringify(await dump()) };
  }

  it('leaves nothing of the instance but what keeps its chain whole, and the other instance as it was', async () => {
    const { store, a, b, doomed, erasure, dump } = await stitched();
    const before = await dump();
    expect(rows(before, a.id)).toBeGreaterThan(10);
    const counted = await erasure.run(doomed(Date.now()), { ...silent, apply: false });
    expect(await dump()).toBe(before);
    const { segments } = await store.lists.instance(a.id);

    const erased = await erasure.run(doomed(Date.now()), silent);
    expect({ ...erased, read: 0 }).toEqual({ ...counted, read: 0 });
    const after = await dump();
    // Each row's place stands in the dump twice.
    expect(rows(after, a.id)).toBe(2 * segments.length);
    expect(rows(after, b.id)).toBe(rows(before, b.id));
    const kept = await store.lists.instance(a.id);
    expect([kept.items, kept.segments.map(({ digest, forgotten }) => [digest, forgotten])]).toEqual([
      [],
      segments.map(({ digest }) => [digest, true]),
    ]);
    // The sums are right without counting anew.
    const stats = await store.lists.stats();
    expect(stats).toMatchObject({ segments: b.segments().length, requests: 1, instances: 1, cut: [] });
    // Once more it finds nothing.
    expect(await erasure.run(doomed(Date.now()), silent)).toMatchObject({ links: 0, lists: 0, shards: 0 });
  });

  it('takes names out of the index that nothing else has, when no stitcher can think them written', async () => {
    const young = await stitched();
    const { names, namesLeft } = await young.erasure.run(young.doomed(Date.now()), silent);
    expect([names, namesLeft > 0]).toEqual([0, true]);
    const old = await stitched();
    expect(await old.erasure.run(old.doomed(0), silent)).toMatchObject({ names: namesLeft, namesLeft: 0 });
  });

  it('can be interrupted anywhere, and completed', async () => {
    const { a, b, store, doomed, erasure, dump } = await stitched();
    const stop = new AbortController();
    const first = erasure.run(doomed(Date.now()), { apply: true, signal: stop.signal, note: () => stop.abort() });
    await expect(first).rejects.toThrow('aborted');
    expect(rows(await dump(), a.id)).toBeGreaterThan(2);
    await erasure.run(doomed(Date.now()), silent);
    const { segments } = await store.lists.instance(a.id);
    expect(rows(await dump(), a.id)).toBe(2 * segments.length);
    expect(await store.lists.stats()).toMatchObject({ segments: b.segments().length, requests: 1, cut: [] });
  });
});
