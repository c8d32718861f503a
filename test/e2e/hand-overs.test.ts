import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { App, Stack } from 'aws-cdk-lib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Engine, startEngine } from '../../cdk/local/engine.ts';
import { Api } from '../../cli/demo/api.ts';
import { type Forward, forward } from '../../cli/demo/forward.ts';
import { buildLayer } from '../../layers/build.ts';
import { handOverStack } from './hand-overs/stack.ts';

/**
 * Every way for one function to hand over to another that the local engine has, through real functions, services, segments,
 * the stitcher and the query API. Each way is one request of the function `driver`, and its workflow must hold exactly the
 * requests that it caused.
 */
const WAYS: Readonly<Record<string, readonly { readonly by: string; readonly sure?: 'inferred'; readonly to?: string }[]>> = {
  invoke: [{ by: 'lambda:' }],
  'invoke-async': [{ by: 'lambda:' }],
  'invoke-dry': [],
  destination: [{ by: 'lambda:', to: 'worker' }, { by: 'outcome:' }],
  // Under its local name an event does not show that it came through a function URL.
  'function-url': [{ by: 'apigw:' }],
  'http-api': [{ by: 'apigw:' }],
  'rest-api': [{ by: 'apigw:' }],
  sqs: [{ by: 'sqs:' }],
  'sqs-batch': [{ by: 'sqs:' }],
  'sqs-fifo': [{ by: 'sqs:' }],
  'sqs-query': [{ by: 'sqs:' }],
  'sns-fan-out': [{ by: 'sns:' }, { by: 'sns:', to: 'second' }],
  'sns-raw': [{ by: 'payload:', sure: 'inferred' }],
  event: [{ by: 'event:' }],
  'event-detail': [{ by: 'payload:', sure: 'inferred' }],
  'event-queue': [{ by: 'event:' }],
  's3-function': [{ by: 's3req:' }],
  's3-queue': [{ by: 's3req:' }],
  's3-topic': [{ by: 's3req:' }],
  's3-bus': [{ by: 's3req:' }],
  's3-copy': [{ by: 's3req:' }],
  's3-multipart': [{ by: 's3req:' }],
  's3-presigned': [{ by: 's3req:' }],
  'ddb-update': [{ by: 'ddb:', sure: 'inferred' }],
  'ddb-batch': [{ by: 'ddb:' }],
  'ddb-transaction': [{ by: 'ddb:' }],
  'ddb-partiql': [{ by: 'ddb:' }],
};

const folder = mkdtempSync(join(tmpdir(), 'alastor-hand-overs-'));
const log: string[] = [];
let engine: Engine;
const requests = new Map<string, string>();

beforeAll(async () => {
  await buildLayer();
  const app = new App({ outdir: join(folder, 'cdk.out'), analyticsReporting: false });
  handOverStack(new Stack(app, 'HandOvers'));
  app.synth();
  engine = await startEngine({
    assembly: join(folder, 'cdk.out'),
    stateDir: join(folder, 'engine'),
    log: (line) => log.push(line),
  });
  const { endpoint, region } = engine;
  const lambda = new LambdaClient({ endpoint, region, credentials: { accessKeyId: 'local', secretAccessKey: 'local' } });
  for (const way of Object.keys(WAYS)) {
    const answer = await lambda.send(new InvokeCommand({ FunctionName: 'driver', Payload: JSON.stringify({ way }) }));
    const said = Buffer.from(answer.Payload ?? []).toString();
    if (answer.FunctionError !== undefined) throw new Error(`${way}: ${said}\n${log.slice(-20).join('\n')}`);
    requests.set(way, answer.$metadata.requestId ?? '');
    // One after the other, or a batch would hold messages of two of them.
    await engine.idle(60_000);
  }
  lambda.destroy();
}, 240_000);

afterAll(async () => {
  await engine?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** `exact sqs receiver` and so on, each kind once. */
function told({ handOvers, labels }: Forward): string[] {
  const lines = handOvers.map(({ by, sure, to }) => `${sure} ${by.split(':')[0]} ${labels.get(to)?.split(' ')[0]}`);
  return [...new Set(lines)].sort();
}

describe.each(Object.entries(WAYS))('a hand-over by %s', (way, expected) => {
  it('joins the two requests, and no other one', async () => {
    const found = await forward(new Api(engine.apiUrl('AlastorQueryUrl')), requests.get(way) ?? '');
    const wanted = expected.map(({ by, sure = 'exact', to = 'receiver' }) => `${sure} ${by.replace(':', '')} ${to}`);
    expect(told(found)).toEqual([...new Set(wanted)].sort());
    const reached = new Set(found.handOvers.map(({ to }) => to));
    // A stream may cut what was written at once into several batches, and so may a queue.
    if (!way.startsWith('ddb') && way !== 'sqs-batch') expect(reached.size).toBe(expected.length);
  });
});
