import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InvokeCommand, LambdaClient, ListFunctionsCommand } from '@aws-sdk/client-lambda';
import { App, Duration, Stack } from 'aws-cdk-lib';
import { type CfnFunction, Code, Function as LambdaFunction, Runtime } from 'aws-cdk-lib/aws-lambda';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Alastor } from '../../cdk/index.ts';
import { type Engine, startEngine } from '../../cdk/local/engine.ts';
import type { Gap } from '../../functions/store/gap.ts';
import { buildLayer } from '../../layers/build.ts';

/** Asked to, it kills the recorder: it may, both run under one user. */
const VICTIM = `
const { readdirSync, readFileSync } = require('node:fs');
exports.handler = async ({ kill }) => {
  if (!kill) return 'ordinary';
  for (const pid of readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name) && Number(name) !== process.pid)) {
    let command = '';
    try { command = readFileSync('/proc/' + pid + '/cmdline', 'utf8'); } catch {}
    if (command.includes('/opt/') && Number(pid) > 1) process.kill(Number(pid), 'SIGKILL');
  }
  return 'silenced';
};`;

const folder = mkdtempSync(join(tmpdir(), 'alastor-witness-'));
const log: string[] = [];
let engine: Engine;
let lambda: LambdaClient;

beforeAll(async () => {
  await buildLayer();
  const app = new App({ outdir: join(folder, 'cdk.out'), analyticsReporting: false });
  const stack = new Stack(app, 'Witness');
  const fn = (name: string) =>
    new LambdaFunction(stack, name, {
      ...{ functionName: name, runtime: Runtime.NODEJS_24_X, handler: 'index.handler', code: Code.fromInline(VICTIM) },
      ...{ timeout: Duration.seconds(10), logGroup: new LogGroup(stack, `${name}Log`) },
    });
  const bare = fn('bare');
  const audited = [fn('quiet'), fn('victim'), bare];
  new Alastor(stack, 'Alastor', { inventory: false }).audit(audited);
  // As somebody would leave it who deploys the function anew, without the layer.
  (bare.node.defaultChild as CfnFunction).addPropertyDeletionOverride('Layers');
  (bare.node.defaultChild as CfnFunction).addPropertyDeletionOverride('Environment.Variables.AWS_LAMBDA_EXEC_WRAPPER');
  app.synth();
  engine = await startEngine({ assembly: join(folder, 'cdk.out'), log: (line) => log.push(line) });
  const { endpoint, region } = engine;
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  lambda = new LambdaClient({ endpoint, region, credentials, maxAttempts: 1 });
}, 120_000);

afterAll(async () => {
  lambda?.destroy();
  await engine?.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function invoke(name: string, payload: object = {}): Promise<string> {
  const answer = await lambda.send(new InvokeCommand({ FunctionName: name, Payload: JSON.stringify(payload) }));
  await engine.idle();
  return answer.$metadata.requestId ?? '';
}

async function gaps(kind = 'silenced'): Promise<readonly Gap[]> {
  const answer = await fetch(`${engine.apiUrl('AlastorQueryUrl')}v1/gaps?kind=${kind}&grace=0`);
  const { gaps: found } = (await answer.json()) as { readonly gaps?: readonly Gap[] };
  if (found === undefined) throw new Error(`${answer.status}\n${log.slice(-30).join('\n')}`);
  return found;
}

it('lists the invocations that the platform saw and no instance recorded: a killed recorder, a layer taken away', async () => {
  for (const name of ['quiet', 'quiet', 'victim']) await invoke(name);
  expect(await gaps()).toEqual([]);
  // Until its recorder has asked for the next event the platform would start another instance.
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const killed = await invoke('victim', { kill: true });
  const bare = await invoke('bare');
  const found = [...(await gaps())].sort((a, b) => ((a.function ?? '') < (b.function ?? '') ? -1 : 1));
  expect(found.map(({ requestId, function: of, instance }) => ({ requestId, of, instance }))).toEqual([
    { requestId: bare, of: 'bare', instance: 'not recorded' },
    // Its instance had recorded the request before.
    { requestId: killed, of: 'victim', instance: 'recorded' },
  ]);
  expect(found[1]?.witnesses).toMatchObject([{ witness: 'platform-log', version: '$LATEST' }]);
  // The platform names the extensions that came up in an instance: in this one there was none.
  expect(await gaps('unrecorded')).toMatchObject([{ function: 'bare', why: 'the recorder did not register' }]);
}, 120_000);

it('counts what the witness function could not take', async () => {
  const { Functions } = await lambda.send(new ListFunctionsCommand({}));
  const own = Functions?.find(({ FunctionName }) => /AlastorWitness/.test(FunctionName ?? ''));
  expect(await gaps('witness')).toEqual([]);
  const key = 'AWSLogs/1/CloudTrail/us-east-1/2026/11/22/1_CloudTrail_us-east-1_x.json.gz';
  const event = { Records: [{ s3: { bucket: { name: 'a-trail-that-is-gone' }, object: { key } } }] };
  const asked = { FunctionName: own?.FunctionName ?? '', InvocationType: 'Event', Payload: JSON.stringify(event) } as const;
  await lambda.send(new InvokeCommand(asked));
  await engine.idle();
  expect(await gaps('witness')).toMatchObject([{ why: expect.stringContaining('dead letters'), lost: 1 }]);
  const stats = (await (await fetch(`${engine.apiUrl('AlastorQueryUrl')}v1/stats`)).json()) as { testimonyLost: number };
  expect(stats.testimonyLost).toBe(1);
}, 120_000);
