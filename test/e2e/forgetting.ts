/** `alastor forget` on what a real function left: what goes, what stays, and that nothing brings it back. */
import { spawn } from 'node:child_process';
import { DynamoDBClient, ListTablesCommand, ScanCommand } from '@aws-sdk/client-dynamodb';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { DeleteObjectCommand, ListObjectVersionsCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Engine } from '../../cdk/local/engine.ts';
import forget from '../../cli/forget.ts';
import restitch from '../../cli/restitch.ts';
import { UsageError } from '../../cli/usage.ts';
import verify from '../../cli/verify.ts';
import type { Finding } from '../../functions/store/finding.ts';
import type { Gap } from '../../functions/store/gap.ts';
import { inProcess } from '../cli/in-process.ts';
import { hasPython, inTerminal } from '../cli/terminal.ts';

const REASON = 'ticket 4711';
const BYPASS = '--bypass-governance';
/** The function whose record is forgotten: it writes a file, and a tombstone when it is told to. */
export const VISITED = 'visited';
export const visitedCode = `const { writeFileSync } = require('fs');
  exports.handler = async ({ name, forge }) => {
    writeFileSync('/tmp/' + name, 'x');
    if (forge === undefined) return name;
    const { S3Client, PutObjectCommand } = require('@aws-sdk/client-s3');
    const s3 = new S3Client({ forcePathStyle: true });
    const put = { Bucket: process.env.ALASTOR_BUCKET, Key: forge, Body: '{}', IfNoneMatch: '*' };
    return await s3.send(new PutObjectCommand(put)).then(() => 'done', (error) => error.name);
  };`;

const requests: string[] = [];
let engine: Engine;
let lambda: LambdaClient;
let s3: S3Client;
let dynamo: DynamoDBClient;
let Bucket: string;

async function invoke(event: object): Promise<{ readonly id: string; readonly answer: unknown }> {
  const { Payload, $metadata } = await lambda.send(
    new InvokeCommand({ FunctionName: VISITED, Payload: JSON.stringify(event) }),
  );
  await engine.idle();
  return { id: $metadata.requestId ?? '', answer: JSON.parse(Buffer.from(Payload ?? []).toString()) };
}

interface Told {
  readonly applied: boolean;
  readonly segments: readonly string[];
  readonly otherRequests: readonly string[];
  readonly begun: number;
  readonly locked: number;
  readonly versions: number;
  readonly rows: Readonly<Record<string, number>>;
}
const aws = () => ['--endpoint', engine.endpoint, '--region', engine.region];
const forgetting = (...args: string[]) => inProcess<Told>(forget, ...aws(), ...args);
const apply = (...args: string[]) => forgetting('--apply', '--yes', '--reason', REASON, ...args);
const verified = (...args: string[]) =>
  inProcess<{ findings: Finding[] }>(
    verify,
    ...[
      '--bucket',
      Bucket,
      '--aws-endpoint',
      engine.endpoint,
      '--endpoint',
      engine.apiUrl('AlastorQueryUrl'),
      '--function',
      VISITED,
      ...args,
    ],
  );
const ask = async <T>(path: string): Promise<T> =>
  (await (await fetch(`${engine.apiUrl('AlastorQueryUrl')}v1/${path}`)).json()) as T;
const gaps = async (kind: string) =>
  (await ask<{ gaps: readonly Gap[] }>(`gaps?kind=${kind}&function=${VISITED}&grace=0`)).gaps;

/** All rows of both tables, and all keys of the bucket with any version, as text. */
async function everything(): Promise<string> {
  const { TableNames = [] } = await dynamo.send(new ListTablesCommand({}));
  const rows = await Promise.all(TableNames.map((TableName) => dynamo.send(new ScanCommand({ TableName }))));
  const { Versions = [], DeleteMarkers = [] } = await s3.send(new ListObjectVersionsCommand({ Bucket }));
  return JSON.stringify([rows.map(({ Items }) => Items), Versions.map(({ Key }) => Key), DeleteMarkers.map(({ Key }) => Key)]);
}
const keysOf = async (prefix: string) =>
  ((await s3.send(new ListObjectVersionsCommand({ Bucket, Prefix: prefix }))).Versions ?? []).map(({ Key = '' }) => Key);

/** Tests on an engine that runs, whose app has the function and audits it. */
export function forgettingOn(running: () => Engine): void {
  beforeAll(async () => {
    engine = running();
    const { endpoint, region, outputs } = engine;
    const client = { endpoint, region, credentials: { accessKeyId: 'local', secretAccessKey: 'local' }, maxAttempts: 1 };
    lambda = new LambdaClient(client);
    s3 = new S3Client({ ...client, forcePathStyle: true });
    dynamo = new DynamoDBClient(client);
    Bucket = outputs.AlastorEvidenceBucket ?? '';
    for (let n = 0; n < 4; n++) requests.push((await invoke({ name: `visitor-${n}` })).id);
  });
  afterAll(() => {
    for (const one of [lambda, s3, dynamo]) one?.destroy();
  });

  it('tells what would go, with what goes with it, and changes nothing', async () => {
    const before = await everything();
    const { code, told } = await forgetting('--request', requests[1]!);
    expect(code).toBe(0);
    expect(told).toMatchObject({ applied: false, begun: 0, locked: told.versions });
    expect(told.segments.length).toBeGreaterThan(0);
    expect(told.rows).toMatchObject({ lists: expect.any(Number), links: expect.any(Number), shards: expect.any(Number) });
    // Of each kind there is something, or what is said below could not fail.
    for (const kind of ['shards', 'links', 'lists', 'witnesses']) expect([kind, told.rows[kind]! > 0]).toEqual([kind, true]);
    expect(await everything()).toBe(before);
    // The first has what the instance did before any request.
    const { told: all } = await forgetting('--function', VISITED);
    expect(all.segments.length).toBeGreaterThanOrEqual(4);
    const [, , instance = ''] = all.segments[0]!.split('/');
    expect((await forgetting('--instance', instance)).told.segments).toEqual(
      all.segments.filter((key) => key.includes(instance)),
    );
    const { told: none } = await forgetting('--function', VISITED, '--before', '1d');
    expect(none.segments).toEqual([]);
  });

  it('deletes nothing that Object Lock keeps unless that is said, and says until when it is kept', async () => {
    const before = await everything();
    await expect(apply('--request', requests[1]!)).rejects.toThrow(
      /nothing was deleted: .* until 20\d\d-.*--bypass-governance/,
    );
    expect(await everything()).toBe(before);
  });

  it.skipIf(!hasPython)('asks on a terminal, where Ctrl-C changes nothing', async () => {
    const before = await everything();
    const args = ['forget', ...aws(), '--request', requests[1]!, BYPASS, '--apply', '--reason', REASON];
    const { code, out } = await inTerminal(args, { interruptAt: 'Type "forget' });
    expect([code, out]).toEqual([130, expect.stringMatching(/with them|links[\s\S]*interrupted, nothing was changed/)]);
    expect(await everything()).toBe(before);
  });

  it('forgets a request: nothing of it is found any more, and its place is told as forgotten, not as tampered with', async () => {
    const [, gone = ''] = requests;
    expect((await ask<{ results: unknown[] }>('search?q=/tmp/visitor-1')).results.length).toBeGreaterThan(0);
    const stats = await ask<Record<string, number>>('stats');
    const { code, told } = await apply('--request', gone, BYPASS);
    expect([code, told.applied]).toEqual([0, true]);
    const left = await everything();
    expect(left).not.toContain(gone);
    expect(left).not.toContain('visitor-1');
    for (const other of [requests[0]!, requests[2]!]) expect(left).toContain(other);

    expect((await ask<{ results: unknown[] }>('search?q=/tmp/visitor-1')).results).toEqual([]);
    expect(await ask(`requests/${gone}`)).toMatchObject({ status: 404 });
    const listed = await ask<{ requests: { requestId: string }[] }>(`requests?function=${VISITED}`);
    expect(listed.requests.map(({ requestId }) => requestId).sort()).toEqual(requests.filter((id) => id !== gone).sort());
    const now = await ask<Record<string, number>>('stats');
    expect(now.requests).toBe(stats.requests! - 1);
    expect(now.cut).toEqual(stats.cut);

    const record = await verified();
    expect([record.code, record.told.findings]).toEqual([
      0,
      [expect.objectContaining({ kind: 'forgotten', sure: 'told', why: expect.stringContaining(`by arn:aws:sts::`) })],
    ]);
    expect(record.told.findings[0]?.why).toContain(REASON);
    expect(await gaps('forgotten')).toEqual([
      expect.objectContaining({ function: VISITED, why: expect.stringMatching(`^by arn:aws:sts::.*: ${REASON}$`) }),
    ]);
    for (const kind of ['records', 'chain', 'silenced', 'tampered']) expect([kind, await gaps(kind)]).toEqual([kind, []]);
    const [{ detail: segment } = {}] = await gaps('forgotten');
    expect(await ask(`evidence?segment=${segment}&seq=${Number(segment!.split('/')[3]!.slice(0, 12))}`)).toMatchObject({
      title: 'Forgotten',
    });
  });

  it('changes nothing when it is done again, and restitching brings nothing back', async () => {
    const before = await everything();
    expect(await apply('--request', requests[1]!, BYPASS)).toMatchObject({ code: 3 });
    expect(await everything()).toBe(before);
    const { code } = await inProcess(
      restitch,
      '--bucket',
      Bucket,
      '--queue',
      engine.outputs.AlastorStitcherQueueUrl ?? '',
      '--function',
      VISITED,
      ...aws(),
    );
    expect(code).toBe(0);
    await engine.idle();
    // A notification that was given up on, and is given back.
    const [gap] = await gaps('forgotten');
    const queued = {
      Records: [{ eventSource: 'aws:s3', eventName: 'x', s3: { bucket: { name: Bucket }, object: { key: gap?.detail } } }],
    };
    const { SendMessageCommand, SQSClient } = await import('@aws-sdk/client-sqs');
    const sqs = new SQSClient({
      endpoint: engine.endpoint,
      region: engine.region,
      credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
    });
    await sqs.send(
      new SendMessageCommand({ QueueUrl: engine.outputs.AlastorStitcherQueueUrl, MessageBody: JSON.stringify(queued) }),
    );
    sqs.destroy();
    await engine.idle();
    expect(await everything()).not.toContain(requests[1]);
    expect((await verified()).code).toBe(0);
  });

  it('does not let an audited function write a tombstone, nor anybody overwrite one', async () => {
    const [tombstone = ''] = await keysOf('forgotten/');
    expect(tombstone).toMatch(/^forgotten\/visited\/\d{8}T\d{6}Z-/);
    const forged = tombstone.replace(/[0-9a-f]{16}\.json$/, '0123456789abcdef.json');
    expect((await invoke({ name: 'intruder', forge: forged })).answer).toBe('AccessDenied');
    // Though its role may write everywhere, as here.
    expect((await invoke({ name: 'intruder', forge: 'spill/x' })).answer).toBe('done');
    const admin = s3.send(new PutObjectCommand({ Bucket, Key: tombstone, Body: '{}' }));
    await expect(admin).rejects.toThrow(expect.objectContaining({ name: 'AccessDenied' }));
  });

  it('finds a segment that is put where one was forgotten', async () => {
    const [{ detail: Key } = {}] = await gaps('forgotten');
    await s3.send(new PutObjectCommand({ Bucket, Key, Body: 'something else', IfNoneMatch: '*' }));
    await engine.idle();
    expect((await verified()).told.findings).toContainEqual(expect.objectContaining({ segment: Key, kind: 'altered' }));
    const { Versions: [one] = [] } = await s3.send(new ListObjectVersionsCommand({ Bucket, Prefix: Key }));
    await s3.send(new DeleteObjectCommand({ Bucket, Key, VersionId: one?.VersionId, BypassGovernanceRetention: true }));
  });

  it('completes after Ctrl-C what was begun, when it is run again', async () => {
    const args = [...aws(), '--function', VISITED, BYPASS, '--apply', '--yes', '--reason', REASON];
    // Not synchronously: the engine runs in this process.
    const child = spawn(process.execPath, ['cli/alastor.ts', 'forget', ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
    let [said, stopped] = ['', false];
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      if (!stopped && said.includes('… waiting for stitchers')) stopped = child.kill('SIGINT');
    });
    const code = await new Promise((resolve) => child.once('close', resolve));
    expect([code, said]).toEqual([130, expect.stringMatching(/interrupted, \d+ segments half forgotten; run the same again/)]);
    expect(await keysOf(`segments/${VISITED}/`)).toEqual([]);
    expect((await gaps('forgotten')).filter(({ why }) => why?.includes('begun, and not done'))).not.toEqual([]);
    expect(await everything()).toContain(requests[0]);

    const { told } = await forgetting('--function', VISITED);
    expect([told.begun > 0, told.segments]).toEqual([true, []]);
    expect(await apply('--function', VISITED, BYPASS)).toMatchObject({ code: 0 });
    const left = await everything();
    for (const id of requests) expect(left).not.toContain(id);
    expect((await gaps('forgotten')).filter(({ why }) => why?.includes('not done'))).toEqual([]);
    for (const kind of ['records', 'chain', 'silenced']) expect([kind, await gaps(kind)]).toEqual([kind, []]);
    const others = await ask<{ requests: object[] }>('requests');
    expect(await ask('stats')).toMatchObject({ requests: others.requests.length, cut: [] });
    const { code: whole, told: record } = await verified();
    expect([whole, [...new Set(record.findings.map(({ sure }) => sure))]]).toEqual([0, ['told']]);
  });

  it('says what is wrong with its arguments', async () => {
    const instance = '0190aaaa-0000-7000-8000-000000000000';
    for (const args of [
      ...[[], ['--request', ' , '], ['--request', 'a', '--instance', instance], ['--instance', 'x'], ['--function', 'a/b']],
      ...[
        ['--function', VISITED, '--apply', '--yes'],
        ['--function', VISITED, '--apply', '--reason', REASON],
      ],
      ['--function', VISITED, '--before', 'yesterday'],
    ])
      await expect(forgetting(...args)).rejects.toThrow(UsageError);
    await expect(forgetting('--instance', instance)).rejects.toThrow('name its function with --function');
    expect(await forgetting('--instance', instance, '--function', VISITED)).toMatchObject({ code: 3 });
  });
}
