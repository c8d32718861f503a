import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ConfiguredFunction } from '../../../functions/store/inventory.ts';
import { hasJava, LocalDynamo } from '../dynamodb-local.ts';

const DAY = 86_400_000_000;

describe.skipIf(!hasJava)('the inventory', () => {
  let dynamo: LocalDynamo;
  beforeAll(async () => {
    dynamo = await LocalDynamo.start();
  }, 60_000);
  afterAll(async () => await dynamo?.stop());

  it('lists the functions that are there, however many are gone', async () => {
    const { store } = await dynamo.store();
    const now = Date.now() * 1000;
    const fn = (name: string): ConfiguredFunction => ({ name, arn: `arn:${name}`, layers: [], audited: true, sources: [] });
    const gone = Array.from({ length: 5100 }, (_, n) => fn(`a-${n}`));
    await store.inventory.put(gone, now - 3 * DAY);
    await store.inventory.put([fn('zebra'), fn('b')], now, ['s3: not read']);
    const { functions, cut } = await store.inventory.functions(now);
    expect([...functions.keys()]).toEqual(['b', 'zebra']);
    expect(cut).toBe(false);
    expect(await store.inventory.look()).toEqual({ seen: now, unread: ['s3: not read'] });
    expect([...(await store.inventory.of(['zebra', 'a-1', 'none'], now)).keys()]).toEqual(['zebra']);
  });
});
