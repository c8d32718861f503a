import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { DeleteObjectCommand, ListObjectVersionsCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { App, Duration, Stack } from 'aws-cdk-lib';
import { Code, Function as LambdaFunction, Runtime } from 'aws-cdk-lib/aws-lambda';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { bundledCode } from '../../cdk/bundle.ts';
import { Alastor } from '../../cdk/index.ts';
import { type Engine, startEngine } from '../../cdk/local/engine.ts';
import { buildLayer } from '../../layers/build.ts';

const folder = mkdtempSync(join(tmpdir(), 'alastor-permissions-'));
const log: string[] = [];
let engine: Engine;
let lambda: LambdaClient;
let s3: S3Client;

beforeAll(async () => {
  await buildLayer();
  const app = new App({ outdir: join(folder, 'cdk.out'), analyticsReporting: false });
  const stack = new Stack(app, 'Permissions');
  const fn = (name: string, code: Code) =>
    new LambdaFunction(stack, name, {
      ...{ functionName: name, runtime: Runtime.NODEJS_24_X, handler: 'index.handler', code, timeout: Duration.seconds(30) },
    });
  const intruder = fn('intruder', bundledCode(join(import.meta.dirname, 'permissions/intruder.ts')));
  const quiet = fn('quiet', Code.fromInline("exports.handler = async () => 'quiet';"));
  new Alastor(stack, 'Alastor').audit([intruder, quiet]);
  app.synth();
  engine = await startEngine({ assembly: join(folder, 'cdk.out'), log: (line) => log.push(line) });
  const { endpoint, region } = engine;
  const client = { endpoint, region, credentials: { accessKeyId: 'local', secretAccessKey: 'local' }, maxAttempts: 1 };
  lambda = new LambdaClient(client);
  s3 = new S3Client({ ...client, forcePathStyle: true });
}, 120_000);

afterAll(async () => {
  lambda?.destroy();
  s3?.destroy();
  await engine?.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function invoke(name: string, payload: object = {}): Promise<unknown> {
  const answer = await lambda.send(new InvokeCommand({ FunctionName: name, Payload: JSON.stringify(payload) }));
  await engine.idle();
  return JSON.parse(Buffer.from(answer.Payload ?? []).toString());
}

async function versions(): Promise<readonly { readonly Key: string; readonly VersionId: string }[]> {
  const Bucket = engine.outputs.AlastorEvidenceBucket;
  const { Versions = [] } = await s3.send(new ListObjectVersionsCommand({ Bucket, Prefix: 'segments/' }));
  return Versions.map(({ Key = '', VersionId = '' }) => ({ Key, VersionId }));
}

it("lets a function's role add segments under its own name, and not overwrite, read, list or delete evidence, its own included", async () => {
  await invoke('quiet');
  await invoke('intruder', { own: 'segments/intruder/x', version: 'x', other: 'segments/quiet/x' });
  const before = await versions();
  const own = before.find(({ Key }) => Key.startsWith('segments/intruder/0'));
  const other = before.find(({ Key }) => Key.startsWith('segments/quiet/'));
  const event = { own: own?.Key, version: own?.VersionId, other: other?.Key };
  const {
    'overwrite with the header': overwrite,
    'write a new segment': written,
    ...others
  } = (await invoke('intruder', event)) as Record<string, string>;
  expect({ overwrite, written }).toEqual({ overwrite: 'PreconditionFailed', written: 'done' });
  expect(Object.keys(others).length).toBeGreaterThan(25);
  expect(others).toEqual(Object.fromEntries(Object.keys(others).map((name) => [name, 'AccessDenied'])));
  const after = await versions();
  expect(after).toEqual(expect.arrayContaining([...before]));
}, 120_000);

it('holds what is written also against the administrator, until the retention is over', async () => {
  const Bucket = engine.outputs.AlastorEvidenceBucket;
  const [one] = await versions();
  const name = async (sent: Promise<unknown>) =>
    await sent.then(
      () => 'done',
      (error: Error) => error.name,
    );
  expect(await name(s3.send(new PutObjectCommand({ Bucket, Key: one?.Key, Body: 'x' })))).toBe('AccessDenied');
  expect(await name(s3.send(new DeleteObjectCommand({ Bucket, ...one! })))).toBe('AccessDenied');
  // A delete marker only hides it.
  expect(await name(s3.send(new DeleteObjectCommand({ Bucket, Key: one?.Key })))).toBe('done');
  expect(await versions()).toContainEqual(one);
  const bypass = { BypassGovernanceRetention: true };
  expect(await name(s3.send(new DeleteObjectCommand({ Bucket, ...one!, ...bypass })))).toBe('done');
});
