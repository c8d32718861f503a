import { describe, expect, it } from 'vitest';
import { stitch } from '../../../functions/stitcher/stitch.ts';
import { openStore } from '../../../functions/store/connect.ts';
import { linksTable, shardsTable } from '../../../functions/store/schema.ts';
import type { Item } from '../../../functions/store/table.ts';
import { MemoryTable } from '../../bench/stitch/memory-table.ts';
import { MemoryObjects } from '../dynamodb-local.ts';
import { Clock, Recorded, START } from '../scenario.ts';

const DAY = 86_400;

/** All that is written for a request, as (place, days it is kept). */
async function kept(act: (one: Recorded) => void, benignDays?: number, { received = START, restitching = false } = {}) {
  const rows: Item[] = [];
  class Watched extends MemoryTable {
    override async putAll(items: readonly Item[]) {
      rows.push(...items);
      await super.putAll(items);
    }
    override async replace(item: Item) {
      rows.push(item);
      return await super.replace(item);
    }
  }
  const objects = new MemoryObjects();
  const shards = new Watched('shards', shardsTable.partitionKey, shardsTable.sortKey);
  const links = new Watched('links', linksTable.partitionKey, linksTable.sortKey);
  const store = openStore(shards, links, objects, 90, undefined, benignDays);
  const clock = new Clock();
  clock.now = received;
  const one = new Recorded('shop', clock);
  const cold = one.records.length;
  one.begin('r', { type: 'http', sourceIp: '203.0.113.9' }, [{ key: 'apigw:a', sure: 'exact' }]);
  act(one);
  one.end();
  const segment = one.segments([cold - 1]).at(-1)!;
  objects.set(segment.key, segment.bytes, received);
  await stitch(segment.key, objects, store.writer, false, restitching);
  const days = (item: Item) => Math.round((Number(item.expires?.N) - received / 1e6) / DAY);
  const of = (name: RegExp) => rows.filter((row) => name.test(row.key?.S ?? row.part?.S ?? '')).map(days);
  return {
    index: of(/^(?:addr|join:apigw|join:s3req|resource:s3):/),
    byId: of(/^join:lambda:r$/),
    graph: of(/^r#/),
    list: of(/^~requests/),
  };
}

const reads = (one: Recorded) =>
  void one.aws(one.runtime, 's3', 'GetObject', [], [{ type: 's3-object', id: 's3://b/k@1', access: 'read' }]);

describe('benignRetention', () => {
  it('shortens the index of a request that only called services, and nothing else of it', async () => {
    const { index, byId, graph, list } = await kept(reads, 7);
    expect(new Set(index.filter((days) => days < 80))).toEqual(new Set([7]));
    expect(index.filter((days) => days === 7).length).toBeGreaterThanOrEqual(3);
    expect([byId, graph, list]).toEqual([[90], [90], [90]]);
  });

  it.each<[string, (one: Recorded) => void]>([
    ['speaks to a host', (one) => one.exchange(one.runtime, { host: 'elsewhere.example' })],
    ['writes a file', (one) => one.write(one.runtime, '/tmp/x')],
    ['fails', (one) => one.add(undefined, { kind: 'gap', why: 'ring-full', lost: 3 })],
  ])('keeps the index of a request that %s', async (_, act) => {
    const { index } = await kept((one) => {
      reads(one);
      act(one);
    }, 7);
    expect(Math.min(...index)).toBe(90);
  });

  it('begins again where a segment is stitched again, and ends with the rest of it', async () => {
    const ago = (days: number) => ({ received: Date.now() * 1000 - days * DAY * 1e6, restitching: true });
    const soonest = async (days: number) => Math.min(...(await kept(reads, 7, ago(days))).index);
    expect(await soonest(30)).toBe(37);
    expect(await soonest(88)).toBe(90);
  });

  it('is the retention unless told otherwise', async () => {
    expect(Math.min(...(await kept(reads)).index)).toBe(90);
  });
});
