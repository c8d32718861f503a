import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateTableCommand, DeleteTableCommand, DynamoDBClient, ScanCommand } from '@aws-sdk/client-dynamodb';
import { type DynamoDbProcess, startDynamoDbLocal } from '../../cdk/local/services/dynamodb/process.ts';
import { openStore, type Store } from '../../functions/store/connect.ts';
import { NoSuchObject } from '../../functions/store/errors.ts';
import type { Objects, StoredObject } from '../../functions/store/objects.ts';
import { linksTable, shardsTable } from '../../functions/store/schema.ts';
import { type Item, Table } from '../../functions/store/table.ts';

export const hasJava = spawnSync('java', ['-version']).status === 0;
if (!hasJava)
  console.warn('java is missing: tests over DynamoDB Local are skipped; install a Java runtime (scripts/setup does)');

/** Everything that a store holds. */
export interface Dump {
  readonly shards: Readonly<Record<string, Item>>;
  readonly links: Readonly<Record<string, Item>>;
  readonly spilled: object;
}

/** DynamoDB Local for a test file; `stop` ends it and waits until it is gone. */
export class LocalDynamo {
  readonly client: DynamoDBClient;
  readonly #running: DynamoDbProcess;
  readonly #scratch: string;
  #tables = 0;

  private constructor(client: DynamoDBClient, running: DynamoDbProcess, scratch: string) {
    this.client = client;
    this.#running = running;
    this.#scratch = scratch;
  }

  static async start(): Promise<LocalDynamo> {
    const scratch = mkdtempSync(join(tmpdir(), 'alastor-test-dynamodb-'));
    const running = await startDynamoDbLocal(scratch, () => undefined);
    const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
    const endpoint = `http://127.0.0.1:${running.port}`;
    return new LocalDynamo(new DynamoDBClient({ endpoint, region: 'eu-west-1', credentials }), running, scratch);
  }

  async stop(): Promise<void> {
    this.client.destroy();
    await this.#running.stop();
    rmSync(this.#scratch, { recursive: true, force: true });
  }

  async table(
    name: string,
    { partitionKey, sortKey }: { readonly partitionKey: string; readonly sortKey: string },
  ): Promise<Table> {
    await this.client.send(
      new CreateTableCommand({
        TableName: name,
        BillingMode: 'PAY_PER_REQUEST',
        KeySchema: [
          { AttributeName: partitionKey, KeyType: 'HASH' },
          { AttributeName: sortKey, KeyType: 'RANGE' },
        ],
        AttributeDefinitions: [partitionKey, sortKey].map((AttributeName) => ({ AttributeName, AttributeType: 'S' })),
      }),
    );
    return new Table(this.client, name);
  }

  /** A new, empty store. */
  async store(): Promise<{
    store: Store;
    /** The same tables, for a process that has just begun; with a client of its own, if one is given. */
    reopen(client?: DynamoDBClient): Store;
    objects: MemoryObjects;
    dump(): Promise<Dump>;
    drop(): Promise<void>;
    /** Names of its tables. */
    tables: readonly string[];
  }> {
    const n = ++this.#tables;
    const shards = await this.table(`shards${n}`, shardsTable);
    const links = await this.table(`links${n}`, linksTable);
    const objects = new MemoryObjects();
    const reopen = (client = this.client) => openStore(new Table(client, shards.name), new Table(client, links.name), objects);
    const store = reopen();
    const drop = async () => {
      for (const { name } of [shards, links]) await this.client.send(new DeleteTableCommand({ TableName: name }));
    };
    const dump = async () => ({
      shards: await this.all(shards.name),
      links: await this.all(links.name),
      spilled: objects.spilled(),
    });
    return { store, reopen, objects, dump, drop, tables: [shards.name, links.name] };
  }

  async *pages(name: string): AsyncGenerator<readonly Item[]> {
    let from: Item | undefined;
    do {
      const page = await this.client.send(new ScanCommand({ TableName: name, ExclusiveStartKey: from }));
      yield page.Items ?? [];
      from = page.LastEvaluatedKey;
    } while (from !== undefined);
  }

  /** Everything in a table, by key. */
  async all(name: string): Promise<Readonly<Record<string, Item>>> {
    const items: Item[] = [];
    for await (const page of this.pages(name)) items.push(...page);
    const key = (item: Item) => `${(item.key ?? item.instanceId)?.S}\n${(item.place ?? item.part)?.S}`;
    return Object.fromEntries(items.map((item) => [key(item), item] as const).sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}

/** The bucket, in memory, behind the store's own interface. */
export class MemoryObjects implements Objects {
  readonly #objects = new Map<string, StoredObject>();
  failures = 0;

  set(key: string, bytes: Uint8Array, received: number): void {
    this.#objects.set(key, { bytes, received });
  }

  async get(key: string): Promise<StoredObject> {
    if (this.failures > 0) {
      this.failures--;
      throw new Error('connection reset');
    }
    const found = this.#objects.get(key);
    if (found === undefined) throw new NoSuchObject(key);
    return found;
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    this.#objects.set(key, { bytes, received: 0 });
  }

  spilled(): object {
    return Object.fromEntries(
      [...this.#objects].filter(([key]) => key.startsWith('spill/')).map(([key, { bytes }]) => [key, bytes]),
    );
  }
}
