import { type AttributeValue, DeleteItemCommand, QueryCommand, ScanCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stitchEvent } from '../../../functions/stitcher/handler.ts';
import { linksTable, shardsTable } from '../../../functions/store/schema.ts';
import { handOver } from '../attacks.ts';
import { hasJava, LocalDynamo } from '../dynamodb-local.ts';
import { messages } from '../messages.ts';

/** The procedure of docs/operations.md, "Retention and deletion", step 4. */
describe.skipIf(!hasJava)('erasing an instance from the tables', () => {
  let dynamo: LocalDynamo;
  beforeAll(async () => {
    dynamo = await LocalDynamo.start();
  }, 60_000);
  afterAll(async () => await dynamo?.stop());

  async function erase(instance: string, shards: string, links: string): Promise<void> {
    const of = { ':instance': { S: instance } };
    const own = await dynamo.client.send(
      new QueryCommand({ TableName: shards, KeyConditionExpression: 'instanceId = :instance', ExpressionAttributeValues: of }),
    );
    const met = await dynamo.client.send(
      new ScanCommand({ TableName: links, FilterExpression: 'contains(place, :instance)', ExpressionAttributeValues: of }),
    );
    const remove = async (table: string, item: Record<string, AttributeValue>, keys: readonly string[]) => {
      const Key = Object.fromEntries(keys.map((name) => [name, item[name] as AttributeValue]));
      await dynamo.client.send(new DeleteItemCommand({ TableName: table, Key }));
    };
    for (const item of own.Items ?? []) await remove(shards, item, [shardsTable.partitionKey, shardsTable.sortKey]);
    for (const item of met.Items ?? []) await remove(links, item, [linksTable.partitionKey, linksTable.sortKey]);
  }

  it('leaves nothing that names it, and the other instance as it was', async () => {
    const { store, objects, dump, tables } = await dynamo.store();
    const [shards = '', links = ''] = tables;
    const { a, b } = handOver('sqs');
    const stored = [...a.segments([6]), ...b.segments()];
    for (const { key, bytes } of stored) objects.set(key, bytes, Date.now() * 1000);
    await stitchEvent(messages(stored.map(({ key }) => key)), store);
    const rows = (text: string, id: string) => text.split(id).length - 1;
    const before = JSON.stringify(await dump());
    expect(rows(before, a.id)).toBeGreaterThan(10);
    await erase(a.id, shards, links);
    const after = JSON.stringify(await dump());
    expect(rows(after, a.id)).toBe(0);
    expect(rows(after, b.id)).toBe(rows(before, b.id));
  });
});
