import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DeleteRolePolicyCommand, IAMClient, PutRolePolicyCommand } from '@aws-sdk/client-iam';
import { type FunctionConfiguration, InvokeCommand, LambdaClient, ListFunctionsCommand } from '@aws-sdk/client-lambda';
import { PutBucketVersioningCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { App, Stack } from 'aws-cdk-lib';
import { Code, Function as LambdaFunction, Runtime } from 'aws-cdk-lib/aws-lambda';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Alastor } from '../../cdk/index.ts';
import { type Engine, startEngine } from '../../cdk/local/engine.ts';
import command from '../../cli/doctor.ts';
import { Inventory } from '../../functions/store/inventory.ts';
import { Table } from '../../functions/store/table.ts';
import { METRICS, type MetricName, NAMESPACE } from '../../functions/telemetry/catalogue.ts';
import { buildLayer } from '../../layers/build.ts';
import { inProcess } from '../cli/in-process.ts';
import { type Datum, embedded, sum } from '../functions/telemetry/embedded-metrics.ts';

interface Diagnosis {
  readonly installation: string | null;
  readonly wrong: number;
  readonly findings: readonly {
    readonly state: string;
    readonly what: string;
    readonly says: string;
    readonly mend?: string;
  }[];
}

const CLI = new URL('../../cli/alastor.ts', import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), 'alastor-operations-'));
const log: string[] = [];
let engine: Engine;
let lambda: LambdaClient;
let sqs: SQSClient;
let s3: S3Client;

beforeAll(async () => {
  await buildLayer();
  const app = new App({ outdir: join(folder, 'cdk.out'), analyticsReporting: false });
  const stack = new Stack(app, 'Shop');
  const fn = (functionName: string, environment: Record<string, string> = {}) =>
    new LambdaFunction(stack, functionName, {
      ...{ functionName, runtime: Runtime.NODEJS_24_X, handler: 'index.handler', environment },
      code: Code.fromInline('exports.handler = async () => ({ statusCode: 200 });'),
    });
  const worker = fn('worker');
  fn('bare');
  const alastor = new Alastor(stack, 'Alastor').audit(worker);
  // As somebody leaves it who takes the layer and the wrapper off.
  fn('stripped', { ALASTOR_BUCKET: alastor.bucket.bucketName });
  app.synth();
  engine = await startEngine({ assembly: join(folder, 'cdk.out'), log: (line) => log.push(line) });
  const { endpoint, region } = engine;
  const client = { endpoint, region, credentials: { accessKeyId: 'local', secretAccessKey: 'local' } };
  [lambda, sqs, s3] = [new LambdaClient(client), new SQSClient(client), new S3Client({ ...client, forcePathStyle: true })];
}, 240_000);

afterAll(async () => {
  for (const one of [lambda, sqs, s3]) one?.destroy();
  await engine?.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function invoke(name: string): Promise<void> {
  const { FunctionError, Payload } = await lambda.send(new InvokeCommand({ FunctionName: name, Payload: '{}' }));
  if (FunctionError !== undefined)
    throw new Error(`${name}: ${Buffer.from(Payload ?? []).toString()}\n${log.slice(-20).join('\n')}`);
  await engine.idle();
}

/** An earlier look of the inventory, at which this function was audited. */
async function lookedBefore(name: string): Promise<void> {
  const { Functions = [] } = await lambda.send(new ListFunctionsCommand({}));
  const table = Functions.map(({ Environment }) => Environment?.Variables?.ALASTOR_LINKS_TABLE).find(
    (one) => one !== undefined,
  );
  const { endpoint, region } = engine;
  const dynamo = new DynamoDBClient({ endpoint, region, credentials: { accessKeyId: 'local', secretAccessKey: 'local' } });
  const inventory = new Inventory(new Table(dynamo, table ?? ''), 90);
  await inventory.put(
    [{ name, arn: `arn:${name}`, layers: [], audited: true, sources: [] }],
    (Date.now() - 3_600_000) * 1000,
    [],
  );
  dynamo.destroy();
}

/** What was published since the last call. */
function published(): readonly Datum[] {
  return log.splice(0).flatMap(embedded);
}

const where = () => ['--endpoint', engine.endpoint, '--region', engine.region, '--query-url', engine.apiUrl('AlastorQueryUrl')];

async function doctor(
  ...more: readonly string[]
): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  const args = [...where(), ...more];
  const child = spawn(process.execPath, [CLI, 'doctor', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk) => (out += chunk));
  child.stderr.on('data', (chunk) => (err += chunk));
  const code = await new Promise<number>((resolve) => child.once('close', (status) => resolve(status ?? -1)));
  return { code, out, err };
}

async function diagnose(): Promise<Diagnosis & { readonly code: number; state(what: string): string | undefined }> {
  const { code = 0, told } = await inProcess<Diagnosis>(command, ...where());
  return { ...told, code, state: (what) => told.findings.find((one) => one.what === what)?.state };
}

describe('deployed functions', () => {
  it('publish metrics of this installation, in the format that CloudWatch reads, from what an audited function did', async () => {
    await invoke('worker');
    await lookedBefore('bare');
    const { Functions = [] } = await lambda.send(new ListFunctionsCommand({}));
    const inventory = Functions.find(({ Environment }) => Environment?.Variables?.ALASTOR_PART === 'inventory');
    await invoke(inventory?.FunctionName ?? '');
    await fetch(`${engine.apiUrl('AlastorQueryUrl')}v1/functions`);
    const data = published();
    for (const { name, unit, namespace, dimensions } of data) {
      expect({ name, unit, namespace }).toEqual({ name, unit: METRICS[name as MetricName].unit, namespace: NAMESPACE });
      expect(dimensions.service).toBe('Shop-Alastor');
    }
    expect(sum(data, 'Segments')).toBe(1);
    expect(sum(data, 'Requests')).toBe(1);
    expect(data.find(({ name }) => name === 'IngestLag')?.values).toHaveLength(1);
    expect([sum(data, 'Gaps'), sum(data, 'DegradedInstances')]).toEqual([0, 0]);
    expect([sum(data, 'FunctionsAudited'), sum(data, 'FunctionsNotAudited')]).toEqual([1, 2]);
    // The last look saw `bare` audited, and did not see `stripped` at all.
    expect([sum(data, 'FunctionsDrifted'), sum(data, 'FunctionsNew')]).toEqual([1, 1]);
    expect(data.map(({ name }) => name)).toContain('QueryLatency');
  });
});

describe('alastor doctor', () => {
  it('finds the faults of a deployment, calls nothing well that it could not look at, and says how to mend', async () => {
    const found = await diagnose();
    expect(found.installation).toBe('Shop-Alastor');
    const wrong = found.findings.filter(({ state }) => state === 'wrong');
    expect(wrong.map(({ what }) => what)).toEqual(['function stripped', 'function bare']);
    expect(wrong[1]?.says).toBe('was audited and is so no more');
    expect(wrong[0]?.says).toMatch(/AWS_LAMBDA_EXEC_WRAPPER is not set.*it has no layer/);
    expect(found.code).toBe(1);
    for (const what of [
      'deployment',
      'clock',
      'stitcher',
      'query',
      'queue',
      'dead letters',
      'bucket',
      'versioning',
      'object lock',
      'notifications',
      'functions',
      'permissions',
      'inventory',
    ])
      expect([what, found.state(what)]).toEqual([what, 'ok']);
    expect(found.findings.find(({ what }) => what.startsWith('layer '))).toMatchObject({
      state: 'ok',
      says: expect.stringMatching(/newest version, 1, on 1 function/),
    });
    // The engine has no CloudWatch.
    expect([found.state('alarms'), found.state('oldest message')]).toEqual(['unknown', 'unknown']);
    for (const { state, mend, what } of found.findings) if (state !== 'ok') expect(mend, what).not.toBe(undefined);
  });

  it('shows a person what is wrong, why and what to do', async () => {
    const { out, code } = await doctor();
    expect(code).toBe(1);
    expect(out).toMatch(/WRONG {4}function stripped: is not audited: .*\n {9}→ deploy its app again/);
    expect(out).toMatch(/\?\s+alarms: not checked: /);
    expect(out).toMatch(/2 wrong, \d+ warnings, \d+ not checked, \d+ ok\n$/);
  });

  it('simulates the policies of roles: what they lack, what they have too much of, and what it cannot tell', async () => {
    const { Functions = [] } = await lambda.send(new ListFunctionsCommand({}));
    const roleOf = (wanted: (one: FunctionConfiguration) => boolean) => Functions.find(wanted)?.Role?.split('/').at(-1);
    const worker = roleOf(({ FunctionName }) => FunctionName === 'worker');
    const stitcher = roleOf(({ Environment }) => Environment?.Variables?.ALASTOR_PART === 'stitcher');
    const { endpoint, region } = engine;
    const iam = new IAMClient({ endpoint, region, credentials: { accessKeyId: 'local', secretAccessKey: 'local' } });
    const bucket = `arn:aws:s3:::${engine.outputs.AlastorEvidenceBucket}`;
    const given = async (RoleName: string | undefined, what: string, ...Statement: readonly object[]) => {
      const PolicyName = 'OfSomebody';
      await iam.send(new PutRolePolicyCommand({ RoleName, PolicyName, PolicyDocument: JSON.stringify({ Statement }) }));
      const { findings } = await diagnose();
      await iam.send(new DeleteRolePolicyCommand({ RoleName, PolicyName }));
      return findings.filter((one) => one.what === what);
    };
    const withPolicy = async (...statements: readonly object[]) => await given(worker, 'role of worker', ...statements);
    const barredToo = { Effect: 'Deny', Action: 'dynamodb:UpdateItem', Resource: '*' };
    expect(await given(stitcher, 'role of the stitcher', barredToo)).toEqual([
      expect.objectContaining({
        state: 'wrong',
        says: expect.stringMatching(/^cannot do what it must: dynamodb:UpdateItem on /),
      }),
    ]);
    const wide = await withPolicy({ Effect: 'Allow', Action: ['s3:*', 'dynamodb:Query'], Resource: '*' });
    expect(wide).toEqual([
      expect.objectContaining({
        state: 'wrong',
        says: expect.stringMatching(/could destroy or forge evidence: s3:PutObject on .*more$/),
      }),
      expect.objectContaining({
        state: 'warning',
        says: expect.stringMatching(/could read evidence: s3:ListBucket.*dynamodb:Query/),
      }),
    ]);
    for (const { mend } of wide) expect(mend).toBe('narrow its role: OfSomebody');
    // The key keeps them from reading what they may fetch, and the bucket from overwriting.
    expect(JSON.stringify(wide)).not.toMatch(/s3:GetObject/);
    const [own] = await withPolicy({ Effect: 'Allow', Action: 's3:PutObject', Resource: `${bucket}/spill/*` });
    expect(own?.says).toMatch(/^could destroy or forge evidence: s3:PutObject on \S+\/spill\/\S+$/);
    const barred = await withPolicy({ Effect: 'Deny', Action: 's3:PutObject', Resource: '*' });
    expect(barred).toEqual([
      expect.objectContaining({ state: 'wrong', says: expect.stringMatching(/^cannot store its segments: s3:PutObject on /) }),
    ]);
    const sometimes = { Condition: { StringNotEquals: { 'aws:SourceVpce': 'vpce-1' } } };
    const unsure = await withPolicy({ Effect: 'Deny', Action: 's3:PutObject', Resource: '*', ...sometimes });
    expect(unsure).toEqual([
      expect.objectContaining({ state: 'unknown', says: expect.stringContaining('only a real request tells') }),
    ]);
    expect(await diagnose().then(({ state }) => state('permissions'))).toBe('ok');
    iam.destroy();
  });

  it('finds dead letters, segments set aside, a bucket that forgets and a queue that nobody reads', async () => {
    const { AlastorDeadLettersUrl: dead, AlastorEvidenceBucket: Bucket } = engine.outputs;
    await sqs.send(new SendMessageCommand({ QueueUrl: dead, MessageBody: '{}' }));
    const Key = 'segments/worker/0190aaaa-0000-7000-8000-000000000000/000000000000-000000000001.ndjson.zst';
    await s3.send(new PutObjectCommand({ Bucket, Key, Body: 'forged', IfNoneMatch: '*' }));
    await engine.idle();
    expect(sum(published(), 'SetAside', 'worker')).toBe(1);
    await s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: 'Suspended' } }));
    const found = await diagnose();
    for (const what of ['dead letters', 'set aside', 'versioning']) expect([what, found.state(what)]).toEqual([what, 'wrong']);
    const letters = found.findings.find(({ what }) => what === 'dead letters');
    expect(letters?.mend).toContain(`alastor redrive --dead-letters ${dead}`);
    expect(found.findings.find(({ what }) => what === 'set aside')?.says).toBe('1 segment that cannot be read: 1 encoding');
  });

  it('says so when Alastor is not there, or the account does not answer', async () => {
    const nowhere = await doctor('--endpoint', 'http://127.0.0.1:9', '--json');
    expect(nowhere.code).toBe(1);
    expect(JSON.parse(nowhere.out)).toMatchObject({
      installation: null,
      ok: 0,
      findings: [{ state: 'unknown', what: 'account' }],
    });
    const other = await doctor('--installation', 'Shop-Other');
    expect(other.code).toBe(2);
    expect(other.err).toContain('there is Shop-Alastor');
  });
});
