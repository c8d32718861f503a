import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  BatchWriteItemCommand,
  DynamoDBClient,
  ListTablesCommand,
  PutItemCommand,
  ScanCommand,
} from '@aws-sdk/client-dynamodb';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { ReceiveMessageCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { App, Duration, Stack } from 'aws-cdk-lib';
import { Queue } from 'aws-cdk-lib/aws-sqs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Alastor } from '../../cdk/index.ts';
import { type Engine, startEngine } from '../../cdk/local/engine.ts';
import { linksTable, shardsTable } from '../../functions/store/schema.ts';
import { credentials, type Running, running } from '../cdk/local/running.ts';
import { handOver } from '../functions/attacks.ts';
import { hasJava } from '../functions/dynamodb-local.ts';

const ALASTOR = new URL('../../cli/alastor.ts', import.meta.url).pathname;
const AWS = { AWS_ACCESS_KEY_ID: 'AKIAEXAMPLE', AWS_SECRET_ACCESS_KEY: 'secret', AWS_REGION: 'us-east-1' };

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}
async function alastor(...args: string[]): Promise<Ran> {
  const env = { ...process.env, ...AWS };
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [ALASTOR, ...args], { env });
    return { code: 0, out: stdout, err: stderr };
  } catch (cause) {
    const { code, stdout, stderr } = cause as { code: number; stdout: string; stderr: string };
    return { code, out: stdout, err: stderr };
  }
}

describe.skipIf(!hasJava)('alastor restitch', () => {
  const assembly = mkdtempSync(join(tmpdir(), 'alastor-restitch-'));
  let engine: Engine;
  let where: string[];
  let segments: number;
  let key: string;
  const stats = async (): Promise<Record<string, unknown>> =>
    (await fetch(`${engine.apiUrl('AlastorQueryUrl')}v1/stats`)).json() as Promise<Record<string, unknown>>;

  beforeAll(async () => {
    const app = new App({ outdir: assembly, analyticsReporting: false });
    new Alastor(new Stack(app, 'Audit'), 'Alastor');
    app.synth();
    engine = await startEngine({ assembly });
    const { AlastorEvidenceBucket: bucket, AlastorStitcherQueueUrl: queue } = engine.outputs;
    where = ['--bucket', bucket ?? '', '--queue', queue ?? '', '--endpoint', engine.endpoint];
    const s3 = new S3Client({ endpoint: engine.endpoint, region: engine.region, credentials, forcePathStyle: true });
    const { a, b } = handOver('sqs');
    const all = [...a.segments(), ...b.segments()];
    segments = all.length;
    key = all[0]?.key ?? '';
    for (const { key: Key, bytes: Body } of all)
      await s3.send(new PutObjectCommand({ Bucket: bucket, Key, Body, IfNoneMatch: '*' }));
    await engine.idle();
  }, 120_000);
  afterAll(async () => {
    await engine?.stop();
    rmSync(assembly, { recursive: true, force: true });
  });

  /** As if an upgrade had thrown the graph away. */
  async function forget(): Promise<void> {
    const dynamo = new DynamoDBClient({ endpoint: engine.endpoint, region: engine.region, credentials });
    const { TableNames = [] } = await dynamo.send(new ListTablesCommand({}));
    for (const table of TableNames) {
      const { partitionKey, sortKey } = table.includes('Links') ? linksTable : shardsTable;
      const { Items = [] } = await dynamo.send(new ScanCommand({ TableName: table }));
      for (let at = 0; at < Items.length; at += 25) {
        const some = Items.slice(at, at + 25).map((item) => ({
          DeleteRequest: { Key: { [partitionKey]: item[partitionKey]!, [sortKey]: item[sortKey]! } },
        }));
        await dynamo.send(new BatchWriteItemCommand({ RequestItems: { [table]: some } }));
      }
    }
  }

  it('makes the graph anew from the segments, and the same twice', { timeout: 120_000 }, async () => {
    const before = await stats();
    expect(before).toMatchObject({ requests: 2, segments });
    await forget();
    expect(await stats()).toMatchObject({ requests: 0, segments: 0 });
    for (let time = 0; time < 2; time++) {
      const ran = await alastor('restitch', ...where, '--json');
      expect(ran).toMatchObject({ code: 0 });
      expect(JSON.parse(ran.out)).toMatchObject({ sent: segments, seen: segments });
      expect(await stats()).toEqual(before);
    }
  });

  it('takes a segment off the list of those set aside once it can be read', { timeout: 60_000 }, async () => {
    const dynamo = new DynamoDBClient({ endpoint: engine.endpoint, region: engine.region, credentials });
    const { TableNames = [] } = await dynamo.send(new ListTablesCommand({}));
    // As an older version left it that did not know the format.
    const aside = { key: { S: '~poison' }, place: { S: key }, code: { S: 'version' }, reason: { S: 'from the future' } };
    await dynamo.send(new PutItemCommand({ TableName: TableNames.find((name) => name.includes('Links')), Item: aside }));
    expect(await stats()).toMatchObject({ poison: 1 });
    expect(await alastor('restitch', ...where)).toMatchObject({ code: 0 });
    expect(await stats()).toMatchObject({ poison: 0 });
  });

  it('takes only what is asked for, and goes on where it is told', { timeout: 60_000 }, async () => {
    const count = async (...args: string[]): Promise<number> => {
      const { out } = await alastor('restitch', ...where, '--dry-run', '--json', ...args);
      return (JSON.parse(out) as { sent: number }).sent;
    };
    expect(await count('--from', '1h')).toBe(segments);
    expect(await count('--to', '1h')).toBe(0);
    expect(await count('--from', '2020-01-01T00:00:00Z', '--to', '2020-01-02T00:00:00Z')).toBe(0);
    expect(await count('--function', 'sender')).toBeLessThan(segments);
    expect(await count('--after', 'segments/zzz')).toBe(0);
  });

  it('says what is wrong with its arguments', async () => {
    expect(await alastor('restitch')).toMatchObject({ code: 2, err: expect.stringContaining('--bucket is missing') });
    expect(await alastor('restitch', ...where, '--from', 'yesterday')).toMatchObject({
      code: 2,
      err: expect.stringContaining('--from must be a time'),
    });
    expect(await alastor('restitch', ...where, '--from', '1h', '--to', '2h')).toMatchObject({ code: 2 });
    expect(await alastor('restitch', ...where, '--bucket', 'no-such-bucket')).toMatchObject({
      code: 1,
      err: expect.stringContaining('no-such-bucket'),
    });
  });
});

describe('alastor redrive', () => {
  let local: Running;
  beforeAll(async () => {
    local = await running((stack) => {
      const dead = new Queue(stack, 'Dead', { queueName: 'dead' });
      const deadLetterQueue = { queue: dead, maxReceiveCount: 1 };
      new Queue(stack, 'Work', { queueName: 'work', visibilityTimeout: Duration.seconds(0), deadLetterQueue });
    });
  });
  afterAll(async () => await local?.stop());

  it('gives back what was given up on', { timeout: 60_000 }, async () => {
    const sqs = new SQSClient(local.client);
    const url = (name: string) => `${local.engine.endpoint}/${local.engine.accountId}/${name}`;
    const receive = async (name: string) =>
      (await sqs.send(new ReceiveMessageCommand({ QueueUrl: url(name), MaxNumberOfMessages: 10 }))).Messages ?? [];
    for (const MessageBody of ['one', 'two']) await sqs.send(new SendMessageCommand({ QueueUrl: url('work'), MessageBody }));
    expect(await receive('work')).toHaveLength(2);
    expect(await receive('work')).toHaveLength(0);
    const ran = await alastor('redrive', '--dead-letters', url('dead'), '--endpoint', local.engine.endpoint, '--json');
    expect(ran).toMatchObject({ code: 0, out: '{"moved":2}\n' });
    expect((await receive('work')).map(({ Body }) => Body).sort()).toEqual(['one', 'two']);
    const missing = await alastor('redrive', '--dead-letters', url('none'), '--endpoint', local.engine.endpoint);
    expect(missing).toMatchObject({ code: 1, err: expect.stringContaining('does not exist') });
  });
});
