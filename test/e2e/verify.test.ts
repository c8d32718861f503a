/** `alastor verify` on real segments: what somebody with power over the bucket, or over the function, can do to them. */
import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { InvokeCommand, LambdaClient, ListFunctionsCommand } from '@aws-sdk/client-lambda';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectVersionsCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { App, Duration, Stack } from 'aws-cdk-lib';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Code, Function as LambdaFunction, Runtime } from 'aws-cdk-lib/aws-lambda';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Alastor } from '../../cdk/index.ts';
import { type Engine, startEngine } from '../../cdk/local/engine.ts';
import { UsageError } from '../../cli/usage.ts';
import command from '../../cli/verify.ts';
import type { Finding, FindingKind, Sureness } from '../../functions/store/finding.ts';
import type { Gap } from '../../functions/store/gap.ts';
import { buildLayer } from '../../layers/build.ts';
import { decodeSegment, encodeSegment } from '../../layers/record/codec.ts';
import { segmentDigest, segmentKey } from '../../layers/record/key.ts';
import { inProcess } from '../cli/in-process.ts';
import { forgettingOn, VISITED, visitedCode } from './forgetting.ts';

const folder = mkdtempSync(join(tmpdir(), 'alastor-verify-'));
const copy = join(folder, 'evidence');
const requests: string[] = [];
/** The segments of the instance, in order. */
const keys: string[] = [];
let engine: Engine;
let s3: S3Client;
let Bucket: string;

beforeAll(async () => {
  // No engine of somebody else's on this machine is asked.
  vi.stubEnv('XDG_RUNTIME_DIR', folder);
  vi.stubEnv('AWS_REGION', 'us-east-1');
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'local');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'local');
  await buildLayer();
  const app = new App({ outdir: join(folder, 'cdk.out'), analyticsReporting: false });
  const stack = new Stack(app, 'Verify');
  const fn = new LambdaFunction(stack, 'fn', {
    ...{ functionName: 'fn', runtime: Runtime.NODEJS_24_X, handler: 'index.handler', timeout: Duration.seconds(10) },
    code: Code.fromInline(`exports.handler = async ({ n }) => { require('fs').writeFileSync('/tmp/' + n, 'x'); return n; };`),
  });
  const visited = new LambdaFunction(stack, VISITED, {
    ...{ functionName: VISITED, runtime: Runtime.NODEJS_24_X, handler: 'index.handler', timeout: Duration.seconds(20) },
    ...{ code: Code.fromInline(visitedCode), logGroup: new LogGroup(stack, 'VisitedLog') },
  });
  // As apps do that are not careful.
  visited.addToRolePolicy(new PolicyStatement({ actions: ['s3:PutObject'], resources: ['*'] }));
  new Alastor(stack, 'Alastor').audit([fn, visited]);
  app.synth();
  engine = await startEngine({ assembly: join(folder, 'cdk.out') });
  const { endpoint, region } = engine;
  const client = { endpoint, region, credentials: { accessKeyId: 'local', secretAccessKey: 'local' }, maxAttempts: 1 };
  s3 = new S3Client({ ...client, forcePathStyle: true });
  Bucket = engine.outputs.AlastorEvidenceBucket ?? '';
  const lambda = new LambdaClient(client);
  for (let n = 0; n < 5; n++) {
    const answer = await lambda.send(new InvokeCommand({ FunctionName: 'fn', Payload: JSON.stringify({ n }) }));
    requests.push(answer.$metadata.requestId ?? '');
    await engine.idle();
  }
  lambda.destroy();
  const { Versions = [] } = await s3.send(new ListObjectVersionsCommand({ Bucket, Prefix: 'segments/' }));
  for (const { Key = '' } of Versions) {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }));
    mkdirSync(dirname(join(copy, Key)), { recursive: true });
    writeFileSync(join(copy, Key), (await Body?.transformToByteArray()) ?? '');
    keys.push(Key);
  }
}, 120_000);

afterAll(async () => {
  s3?.destroy();
  await engine?.stop();
  rmSync(folder, { recursive: true, force: true });
});

interface Answer {
  readonly code: number | undefined;
  readonly findings: readonly Finding[];
}

async function verify(...args: string[]): Promise<Answer> {
  const { code, told } = await inProcess<{ readonly findings: Finding[] }>(command, ...args);
  return { code, findings: told.findings };
}

/** A copy of the bucket that somebody has changed. */
async function changed(change: (at: (n: number) => string) => void, ...args: string[]): Promise<Answer> {
  const directory = mkdtempSync(join(folder, 'changed-'));
  cpSync(copy, directory, { recursive: true });
  change((n) => join(directory, keys.at(n)!));
  return await verify('--directory', directory, ...args);
}
const withApi = () => ['--endpoint', engine.apiUrl('AlastorQueryUrl')];
const alone = ['--alone'];

const brief = (findings: readonly Finding[]) =>
  findings.map(({ kind, sure, segment }): readonly [FindingKind, Sureness, number] => [
    kind,
    sure,
    keys.indexOf(segment ?? ''),
  ]);

/** The segment `n`, with something changed, written as the recorder would. */
function rewritten(
  path: string,
  change: (segment: ReturnType<typeof decodeSegment>) => ReturnType<typeof decodeSegment>,
): Buffer {
  const { header, records } = change(decodeSegment(readFileSync(path)));
  return encodeSegment(header, records);
}

describe('a copy of the record', () => {
  it('of which nothing was changed is whole, but for an end that nobody said', async () => {
    expect(keys.length).toBeGreaterThanOrEqual(5);
    const { code, findings } = await changed(() => undefined, ...alone);
    expect([code, brief(findings)]).toEqual([0, [['truncated', 'possible', keys.length - 1]]]);
    const { code: sure, findings: none } = await changed(() => undefined, ...withApi());
    expect([sure, brief(none)]).toEqual([0, [['truncated', 'possible', keys.length - 1]]]);
  });

  it('shows a deleted segment, and the requests whose record it had', async () => {
    const middle = keys.length - 3;
    const gone = requests.at(-3);
    const { code, findings } = await changed((at) => rmSync(at(middle)), ...alone);
    expect(code).toBe(4);
    expect(findings).toContainEqual(expect.objectContaining({ kind: 'missing', sure: 'certain' }));
    // What lies in the hole altogether can be named by who stitched it.
    const { findings: known } = await changed((at) => rmSync(at(middle)), ...withApi());
    expect(known).toContainEqual(expect.objectContaining({ kind: 'missing', requests: expect.arrayContaining([gone]) }));
    expect(known).toContainEqual(expect.objectContaining({ kind: 'deleted', sure: 'certain', segment: keys.at(middle) }));
  });

  it('shows two segments whose contents were exchanged', async () => {
    const { code, findings } = await changed(
      (at) => {
        const aside = `${at(1)}.aside`;
        renameSync(at(1), aside);
        renameSync(at(2), at(1));
        renameSync(aside, at(2));
      },
      ...alone,
    );
    expect(code).toBe(4);
    const swapped = findings.filter(({ kind }) => kind === 'swapped');
    expect(brief(swapped)).toEqual([
      ['swapped', 'certain', 1],
      ['swapped', 'certain', 2],
    ]);
    expect(swapped[0]?.why).toContain(keys[2]);
  });

  it('shows a flipped bit, whichever it is', async () => {
    const { length } = readFileSync(join(copy, keys[2]!));
    for (const position of [0, 4, 10, Math.floor(length / 2), length - 1]) {
      const { code, findings } = await changed(
        (at) => {
          const bytes = readFileSync(at(2));
          bytes[position]! ^= 1;
          writeFileSync(at(2), bytes);
        },
        ...alone,
      );
      expect([position, code]).toEqual([position, 4]);
      expect(findings).toContainEqual(expect.objectContaining({ kind: 'altered', segment: keys[2] }));
    }
  });

  it('shows a segment that was written anew with another record in it, also the last one', async () => {
    const change = (n: number) => (at: (n: number) => string) =>
      writeFileSync(
        at(n),
        rewritten(at(n), ({ header, records }) => ({ header, records: records.map((one) => ({ ...one, t: one.t + 1 })) })),
      );
    const { findings } = await changed(change(2), ...alone);
    expect(brief(findings)).toContainEqual(['altered', 'likely', 2]);
    const { code, findings: last } = await changed(change(-1), ...withApi());
    expect([code, brief(last)]).toContainEqual(expect.arrayContaining([['altered', 'certain', keys.length - 1]]));
  });

  it('shows a forged segment that was put behind the last one', async () => {
    const append = (prev: (path: string) => string | null) => (at: (n: number) => string) => {
      const { header, records } = decodeSegment(readFileSync(at(-1)));
      const first = header.last + 1;
      const forged = records.map((one, i) => ({ ...one, seq: first + i }));
      const key = segmentKey({ fn: 'fn', instanceId: header.instanceId, first, last: first + records.length - 1 });
      writeFileSync(join(dirname(at(-1)), key.split('/').at(-1)!), encodeSegment({ ...header, prev: prev(at(-1)) }, forged));
    };
    const wrong = await changed(
      append(() => '0'.repeat(64)),
      ...alone,
    );
    expect(wrong.code).toBe(4);
    expect(wrong.findings).toContainEqual(expect.objectContaining({ kind: 'forged', sure: 'likely' }));
    const noted = await changed(
      append(() => '0'.repeat(64)),
      ...withApi(),
    );
    expect(noted.findings).toContainEqual(expect.objectContaining({ kind: 'forged', sure: 'certain' }));
    const none = await changed(
      append(() => null),
      ...alone,
    );
    expect(none.findings).toContainEqual(expect.objectContaining({ kind: 'forged', sure: 'certain' }));
    // Who knows the digest of the last segment can go on from it, and says so in docs/security.md: it tells of requests twice.
    const right = await changed(
      append((path) => segmentDigest(readFileSync(path))),
      ...alone,
    );
    expect(right.findings.filter(({ sure }) => sure === 'certain')).toEqual([]);
  });

  it('shows a tail that was cut off, surely to who asks what was stitched', async () => {
    const cut = (at: (n: number) => string) => rmSync(at(-1));
    const { findings } = await changed(cut, ...alone);
    expect(brief(findings)).toEqual([['truncated', 'possible', keys.length - 2]]);
    const { code, findings: sure } = await changed(cut, ...withApi());
    expect(code).toBe(4);
    expect(sure).toEqual([
      expect.objectContaining({
        ...{ kind: 'truncated', sure: 'certain', segment: keys.at(-1), requests: expect.arrayContaining([requests.at(-1)]) },
      }),
    ]);
  });

  it('shows what is no segment among them, and says what is wrong with its arguments', async () => {
    const { findings } = await changed((at) => writeFileSync(join(dirname(at(0)), 'notes.txt'), 'x'), ...alone);
    expect(findings).toContainEqual(expect.objectContaining({ kind: 'foreign', function: 'fn' }));
    for (const args of [['--instance', keys[0]!.split('/')[2]!], ['--retention', '0'], ['--function', 'a/b'], []]) {
      await expect(verify(...args)).rejects.toThrow(UsageError);
    }
    await expect(verify('--directory', join(folder, 'nowhere'), ...alone)).resolves.toMatchObject({ code: 3 });
  });
});

// Last, because it changes the bucket.
it('shows in the bucket itself what was hidden and written anew behind that, and judges what was there first', async () => {
  const args = ['--bucket', Bucket, '--aws-endpoint', engine.endpoint];
  expect((await verify(...args, ...withApi())).findings).toEqual([]);
  const [, , Key] = keys;
  await s3.send(new DeleteObjectCommand({ Bucket, Key }));
  const hidden = await verify(...args, ...alone);
  expect([hidden.code, brief(hidden.findings)]).toEqual([4, [['deleted', 'certain', 2]]]);
  // Behind a delete marker there is "no such object", so that the condition of the bucket's policy holds.
  await s3.send(new PutObjectCommand({ Bucket, Key, Body: 'something else', IfNoneMatch: '*' }));
  const replaced = await verify(...args, ...alone);
  expect([replaced.code, brief(replaced.findings)]).toEqual([4, [['overwritten', 'certain', 2]]]);
  const env = { ...process.env, AWS_ACCESS_KEY_ID: 'local', AWS_SECRET_ACCESS_KEY: 'local', AWS_REGION: 'us-east-1' };
  // Not synchronously: the engine runs in this process.
  const child = spawn(process.execPath, ['cli/alastor.ts', 'verify', ...args, ...alone], { env });
  const out: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  const status = await new Promise((resolve) => child.once('close', resolve));
  const stdout = Buffer.concat(out).toString();
  expect(status).toBe(4);
  expect(stdout).toMatch(/^certain overwritten\n {2}fn {2}[0-9a-f-]{36} {2}records \d+-\d+\n/);
  expect(stdout).toMatch(/1 certain \(\d requests? concerned\) in \d+ segments of 1 instance/);
});

it('is found by the daily verification, too, which lists it among the gaps', async () => {
  const found = async () => {
    const answer = await fetch(`${engine.apiUrl('AlastorQueryUrl')}v1/gaps?kind=tampered`);
    return ((await answer.json()) as { readonly gaps: readonly Gap[] }).gaps;
  };
  expect(await found()).toEqual([]);
  const { endpoint, region } = engine;
  const lambda = new LambdaClient({ endpoint, region, credentials: { accessKeyId: 'local', secretAccessKey: 'local' } });
  const { Functions = [] } = await lambda.send(new ListFunctionsCommand({}));
  const FunctionName = Functions.find((one) => one.FunctionName?.includes('Verification'))?.FunctionName;
  const { Payload, LogResult } = await lambda.send(new InvokeCommand({ FunctionName, LogType: 'Tail' }));
  lambda.destroy();
  expect(Buffer.from(Payload ?? []).toString()).toBe('null');
  expect(await found()).toEqual([
    expect.objectContaining({
      ...{
        function: 'fn',
        detail: keys[2],
        why: expect.stringContaining('certain overwritten'),
        requests: [expect.any(String)],
      },
    }),
  ]);
  const metrics = Buffer.from(LogResult ?? '', 'base64').toString();
  expect(metrics).toMatch(/"VerifiedSegments":\d+/);
  expect(metrics).toMatch(/"VerificationFailures":1\b/);
});

describe('alastor forget', () => forgettingOn(() => engine));
