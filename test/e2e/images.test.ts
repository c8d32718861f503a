import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { App, Duration, Stack } from 'aws-cdk-lib';
import { DockerImageFunction } from 'aws-cdk-lib/aws-lambda';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AuditedDockerImageCode, type AuditedImageAssetProps } from '../../cdk/index.ts';
import { layerArchitecture } from '../../cdk/layer.ts';
import { type Engine, startEngine } from '../../cdk/local/engine.ts';
import { buildLayer } from '../../layers/build.ts';
import { decodeSegment } from '../../layers/record/codec.ts';
import type { AuditRecord } from '../../layers/record/types.ts';
import { counterpart } from '../layers/runtimes/counterparts.ts';

const images = join(import.meta.dirname, 'images');
/** The real one, built from its published source. */
const webAdapter = counterpart('lambda-web-adapter');
const folder = mkdtempSync(join(tmpdir(), 'alastor-images-'));
const log: string[] = [];
const evidence = 'images-evidence';
let engine: Engine;
let lambda: LambdaClient;
let s3: S3Client;

beforeAll(async () => {
  await buildLayer({ image: true });
  const app = new App({ outdir: join(folder, 'cdk.out'), analyticsReporting: false });
  const stack = new Stack(app, 'Images');
  // A bucket of the test's own: that of the construct is not to be read by just anybody (test/e2e/apps has the construct).
  const bucket = new Bucket(stack, 'Evidence', { bucketName: evidence });
  const fn = (name: string, props: AuditedImageAssetProps = {}) => {
    const made = new DockerImageFunction(stack, name, {
      ...{ functionName: name, timeout: Duration.seconds(20), architecture: layerArchitecture },
      code: AuditedDockerImageCode.fromImageAsset(join(images, name), props),
      environment: { ALASTOR_BUCKET: bucket.bucketName },
    });
    bucket.grantPut(made, `segments/${name}/*`);
  };
  fn('node');
  fn('python', { target: 'shop' });
  // A directory in place of an image from a registry: BuildKit takes that as the engine does.
  const adapter = 'public.ecr.aws/awsguru/aws-lambda-adapter:0.9.1';
  if (webAdapter !== undefined) fn('web', { buildContexts: { [adapter]: dirname(webAdapter) } });
  app.synth();
  engine = await startEngine({ assembly: join(folder, 'cdk.out'), log: (line) => log.push(line) });
  const { endpoint, region } = engine;
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  lambda = new LambdaClient({ endpoint, region, credentials, maxAttempts: 1 });
  s3 = new S3Client({ endpoint, region, credentials, forcePathStyle: true });
}, 120_000);

afterAll(async () => {
  lambda?.destroy();
  s3?.destroy();
  await engine?.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function invoke(name: string, payload: object): Promise<{ readonly reqId: string; readonly answer: unknown }> {
  const { $metadata, Payload } = await lambda.send(new InvokeCommand({ FunctionName: name, Payload: JSON.stringify(payload) }));
  await engine.idle();
  return { reqId: $metadata.requestId ?? '', answer: JSON.parse(Buffer.from(Payload ?? []).toString()) };
}

/** What the bucket has of a function. */
async function recordsOf(name: string): Promise<readonly AuditRecord[]> {
  const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: evidence, Prefix: `segments/${name}/` }));
  const segments = Contents.map(async ({ Key = '' }) => {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: evidence, Key }));
    return decodeSegment(Buffer.from((await Body?.transformToByteArray()) ?? []), Key).records;
  });
  return (await Promise.all(segments)).flat();
}

const of = <K extends AuditRecord['kind']>(records: readonly AuditRecord[], kind: K) =>
  records.filter((one): one is Extract<AuditRecord, { kind: K }> => one.kind === kind);

describe('a function from a container image', () => {
  it('on AWS\u2019s base for Node runs as its Dockerfile says, and is audited on the Node of the image', async () => {
    const { reqId, answer } = await invoke('node', { path: '/tmp/made', command: 'echo x > /tmp/by-shell' });
    expect(answer).toEqual({
      greeting: 'hello from /var/task',
      task: expect.arrayContaining(['Dockerfile', 'app.mjs']),
      opt: false,
    });
    expect((answer as { task: string[] }).task).not.toContain('notes.txt');
    const records = await recordsOf('node');
    expect(of(records, 'init')).toMatchObject([{ fn: 'node', caps: { shim: true, runtimeTap: true } }]);
    for (const path of ['/tmp/made', '/tmp/by-shell'])
      expect(of(records, 'file-open').find((one) => one.path === path)).toMatchObject({ req: reqId, mode: 'w' });
    expect(of(records, 'request-end')).toMatchObject([{ req: reqId, status: 'ok' }]);
    expect(of(records, 'gap')).toEqual([]);
  });

  it('on AWS\u2019s base for Python, of a stage that is not the last, is audited on the Node that the audit brings', async () => {
    const { reqId, answer } = await invoke('python', { command: 'echo x > /tmp/by-shell' });
    expect(answer).toEqual({ price: 12 });
    const records = await recordsOf('python');
    expect(of(records, 'file-open').find((one) => one.path === '/tmp/by-shell')).toMatchObject({ req: reqId, mode: 'w' });
    expect(of(records, 'request-end')).toMatchObject([{ req: reqId, status: 'ok' }]);
    expect(of(records, 'gap')).toEqual([]);
  });

  it.skipIf(webAdapter === undefined)(
    'with Lambda Web Adapter has its requests cut exactly where they begin and end',
    async () => {
      const ask = (path: string, command: string) =>
        invoke('web', {
          version: '2.0',
          ...{ rawPath: path, rawQueryString: `command=${encodeURIComponent(command)}`, headers: { host: 'shop.example' } },
          requestContext: {
            ...{ http: { method: 'GET', path, protocol: 'HTTP/1.1', sourceIp: '192.0.2.1', userAgent: 'test' } },
            ...{ accountId: '1', apiId: 'a', domainName: 'shop.example', domainPrefix: 'shop', requestId: 'r' },
            ...{ routeKey: '$default', stage: '$default', time: '01/Jan/2026:00:00:00 +0000', timeEpoch: 1767225600000 },
          },
          isBase64Encoded: false,
        });
      const first = await ask('/a', 'echo x > /tmp/a');
      const second = await ask('/b', 'echo x > /tmp/b');
      expect(first.answer).toMatchObject({ statusCode: 200, body: 'served /a' });
      const records = await recordsOf('web');
      for (const [name, { reqId }] of [
        ['a', first],
        ['b', second],
      ] as const) {
        expect(of(records, 'file-open').find((one) => one.path === `/tmp/${name}`)).toMatchObject({ req: reqId, mode: 'w' });
        expect(of(records, 'request-begin').find(({ req }) => req === reqId)).toMatchObject({
          trigger: { type: 'http', path: `/${name}` },
        });
        expect(of(records, 'request-end').find(({ req }) => req === reqId)).toMatchObject({ status: 'ok' });
      }
      expect(of(records, 'gap')).toEqual([]);
    },
  );
});
