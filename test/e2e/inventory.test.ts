import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { InvokeCommand, LambdaClient, ListFunctionsCommand } from '@aws-sdk/client-lambda';
import { GetQueueAttributesCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { App, CfnOutput, Stack } from 'aws-cdk-lib';
import { LambdaIntegration, RestApi } from 'aws-cdk-lib/aws-apigateway';
import { HttpApi, HttpMethod } from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import { EventBus, Rule, Schedule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction as FunctionTarget } from 'aws-cdk-lib/aws-events-targets';
import { ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { CfnEventSourceMapping, Code, Function as LambdaFunction, Runtime } from 'aws-cdk-lib/aws-lambda';
import { SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources';
import { Bucket, EventType } from 'aws-cdk-lib/aws-s3';
import { LambdaDestination } from 'aws-cdk-lib/aws-s3-notifications';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { LambdaSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import { Queue } from 'aws-cdk-lib/aws-sqs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Alastor } from '../../cdk/index.ts';
import { type Engine, startEngine } from '../../cdk/local/engine.ts';
import type { Gap } from '../../functions/store/gap.ts';
import type { ExpectedSource } from '../../functions/store/inventory.ts';
import { buildLayer } from '../../layers/build.ts';
import { changeEvent } from '../functions/witness/deliveries.ts';

/** Calls as an SDK would; the engine checks no signature. */
const CALLER = `
const http = require('node:http');
exports.handler = () => new Promise((resolve, reject) => {
  const url = new URL('/2015-03-31/functions/worker/invocations', process.env.AWS_ENDPOINT_URL);
  const Authorization = 'AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/lambda/aws4_request, SignedHeaders=host, Signature=0';
  http.request(url, { method: 'POST', headers: { Authorization } }, (res) => res.resume().on('end', () => resolve({ statusCode: 200 }))).on('error', reject).end('{}');
});`;
const ORDINARY = 'exports.handler = async () => ({ statusCode: 200 });';

const folder = mkdtempSync(join(tmpdir(), 'alastor-inventory-'));
const log: string[] = [];
let engine: Engine;
let template: { readonly Resources: Readonly<Record<string, { readonly Type: string }>> };
let lambda: LambdaClient;
let sqs: SQSClient;

beforeAll(async () => {
  await buildLayer();
  const app = new App({ outdir: join(folder, 'cdk.out'), analyticsReporting: false });
  const stack = new Stack(app, 'Shop');
  const fn = (functionName: string, code = ORDINARY) =>
    new LambdaFunction(stack, functionName, {
      ...{ functionName, runtime: Runtime.NODEJS_24_X, handler: 'index.handler', code: Code.fromInline(code) },
    });
  const worker = fn('worker');
  const caller = fn('caller', CALLER);
  fn('bare');
  const queue = new Queue(stack, 'Orders');
  worker.addEventSource(new SqsEventSource(queue));
  new CfnOutput(stack, 'QueueUrl', { value: queue.queueUrl });
  const api = new HttpApi(stack, 'Api');
  api.addRoutes({ path: '/call', methods: [HttpMethod.GET], integration: new HttpLambdaIntegration('Call', caller) });
  const hub = fn('hub');
  new RestApi(stack, 'Rest').root.addResource('hub').addMethod('PUT', new LambdaIntegration(hub, { allowTestInvoke: false }));
  new Rule(stack, 'Nightly', { schedule: Schedule.cron({ minute: '0', hour: '3' }), targets: [new FunctionTarget(hub)] });
  const bus = new EventBus(stack, 'Bus');
  new Rule(stack, 'Sold', { eventBus: bus, eventPattern: { source: ['shop'] }, targets: [new FunctionTarget(hub)] });
  new Topic(stack, 'News').addSubscription(new LambdaSubscription(hub));
  const photos = new Bucket(stack, 'Photos');
  photos.addEventNotification(EventType.OBJECT_CREATED, new LambdaDestination(hub), { prefix: 'in/' });
  // A route that is gone, whose permission somebody forgot.
  const forgotten = `arn:aws:execute-api:${stack.region}:${stack.account}:abcdefghij/*/*/old`;
  worker.addPermission('Old', { principal: new ServicePrincipal('apigateway.amazonaws.com'), sourceArn: forgotten });
  new CfnOutput(stack, 'ApiUrl', { value: api.apiEndpoint });
  const alastor = new Alastor(stack, 'Alastor').audit([worker, caller, hub]);
  // Nobody waits a minute for a test.
  for (const one of alastor.node.findAll())
    if (one instanceof CfnEventSourceMapping && one.maximumBatchingWindowInSeconds === 60)
      one.maximumBatchingWindowInSeconds = 2;
  template = app.synth().getStackByName('Shop').template as typeof template;
  engine = await startEngine({ assembly: join(folder, 'cdk.out'), log: (line) => log.push(line) });
  const { endpoint, region } = engine;
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  lambda = new LambdaClient({ endpoint, region, credentials });
  sqs = new SQSClient({ endpoint, region, credentials });
}, 120_000);

afterAll(async () => {
  lambda?.destroy();
  sqs?.destroy();
  await engine?.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function invoke(name: string, payload: object = {}): Promise<string> {
  const answer = await lambda.send(new InvokeCommand({ FunctionName: name, Payload: JSON.stringify(payload) }));
  if (answer.FunctionError !== undefined)
    throw new Error(`${name}: ${Buffer.from(answer.Payload ?? []).toString()}\n${log.slice(-20).join('\n')}`);
  await engine.idle();
  return answer.$metadata.requestId ?? '';
}

async function gaps(kind: string): Promise<readonly Gap[]> {
  const answer = await fetch(`${engine.apiUrl('AlastorQueryUrl')}v1/gaps?kind=${kind}`);
  const { gaps: found } = (await answer.json()) as { readonly gaps?: readonly Gap[] };
  if (found === undefined) throw new Error(`${answer.status}\n${log.slice(-30).join('\n')}`);
  return found;
}

interface Shown {
  readonly unexplained: readonly string[];
  readonly edges: readonly { readonly from: string; readonly op: string; readonly to: string }[];
}

interface Configured {
  readonly functions: readonly { readonly name: string; readonly sources: readonly ExpectedSource[] }[];
  readonly cut: readonly string[];
}

it('reads from the services themselves what invokes functions', async () => {
  const { Functions } = await lambda.send(new ListFunctionsCommand({}));
  await invoke(Functions?.find(({ FunctionName }) => /AlastorInventory/.test(FunctionName ?? ''))?.FunctionName ?? '');
  const answer = await fetch(`${engine.apiUrl('AlastorQueryUrl')}v1/inventory`);
  const { functions, cut } = (await answer.json()) as Configured;
  expect(cut).toEqual([]);
  const told = (name: string) =>
    (functions.find((one) => one.name === name)?.sources ?? [])
      .map(({ by, detail, idle }) => `${by}${detail === undefined ? '' : ` ${detail}`}${idle === true ? ' (idle)' : ''}`)
      .sort();
  expect([...new Set(told('hub'))]).toEqual([
    'notification s3:ObjectCreated:* prefix=in/',
    'policy',
    'route PUT /hub',
    'rule cron(0 3 * * ? *)',
    'rule {"source":["shop"]}',
    'subscription',
  ]);
  expect(told('caller')).toEqual(['policy', 'route GET /call']);
  expect(told('worker')).toEqual(['mapping', 'policy (idle)']);
}, 120_000);

it('lists functions that are not audited, and requests that nothing configured explains', async () => {
  const { Functions } = await lambda.send(new ListFunctionsCommand({}));
  const own = Functions?.find(({ FunctionName }) => /AlastorInventory/.test(FunctionName ?? ''));
  await invoke(own?.FunctionName ?? '');
  expect((await gaps('unaudited')).map((one) => one.function)).toEqual(['bare']);

  // By its queue, by the API, by an audited function that the API called: all of that is configured.
  await sqs.send(new SendMessageCommand({ QueueUrl: engine.outputs.QueueUrl, MessageBody: 'order' }));
  await engine.idle();
  expect((await fetch(`${engine.apiUrl('ApiUrl')}call`)).status).toBe(200);
  await engine.idle();
  expect(await gaps('unexplained')).toEqual([]);

  // There is no CloudTrail here: its event, as EventBridge hands it on, given to the function that hears it.
  const deployed = changeEvent('UpdateFunctionCode20150331v2', 'worker', { eventTime: new Date().toISOString() });
  await invoke(Functions?.find(({ FunctionName }) => /AlastorWitness/.test(FunctionName ?? ''))?.FunctionName ?? '', {
    detail: deployed,
  });
  // By somebody with credentials, plainly and with an event that only a bucket would send.
  const plain = await invoke('worker');
  const forged = await invoke('worker', {
    Records: [
      {
        eventSource: 'aws:s3',
        eventName: 'ObjectCreated:Put',
        s3: { bucket: { name: 'photos' }, object: { key: 'k', eTag: 'e' } },
      },
    ],
  });
  // As if by the route that is gone.
  const route = await invoke('worker', {
    ...{ version: '2.0', routeKey: 'GET /old', rawPath: '/old', rawQueryString: '', headers: { 'user-agent': 'x' } },
    requestContext: { http: { method: 'GET', path: '/old', sourceIp: '203.0.113.9', userAgent: 'x' }, requestId: 'made-up' },
  });
  const found = await gaps('unexplained');
  expect(found.map(({ requestId, why, function: of }) => ({ requestId, why, of }))).toEqual([
    { requestId: route, why: 'http /old', of: 'worker' },
    { requestId: forged, why: 's3 photos', of: 'worker' },
    { requestId: plain, why: 'invoke', of: 'worker' },
  ]);
  const api = `${engine.apiUrl('AlastorQueryUrl')}v1/requests`;
  const { requests } = (await (await fetch(api)).json()) as { requests: { requestId: string; unexplained?: boolean }[] };
  const marked = requests.filter(({ unexplained }) => unexplained === true).map(({ requestId }) => requestId);
  expect(marked).toEqual([route, forged, plain]);
  const graph = (await (await fetch(`${api}/${forged}/graph`)).json()) as Shown;
  expect(graph.unexplained).toEqual([expect.stringContaining(forged)]);
  const edges = graph.edges.map(({ from, op, to }) => `${from} ${op} ${to}`);
  expect(edges).toContain(`agent:${deployed.userIdentity.arn} deploy ${graph.unexplained[0]}`);
  expect(edges).toContainEqual(expect.stringMatching(new RegExp(`^agent:arn:aws:iam::.* role ${graph.unexplained[0]}$`)));
  expect(edges).toContainEqual(expect.stringMatching(/^trigger:mapping:arn:aws:sqs:.* expected function:worker$/));
}, 120_000);

it('looks once after many changes, and does not lose one', async () => {
  const { endpoint, region } = engine;
  const events = new EventBridgeClient({ endpoint, region, credentials: { accessKeyId: 'local', secretAccessKey: 'local' } });
  const looks = () => log.filter((line) => line.includes('looked at the account')).length;
  const before = looks();
  const deployed = (name: string) => ({
    ...{ Source: 'aws.lambda', DetailType: 'AWS API Call via CloudTrail' },
    Detail: JSON.stringify({ ...changeEvent('CreateFunction20150331', name), readOnly: false }),
  });
  try {
    for (let ten = 0; ten < 3; ten++) {
      const Entries = Array.from({ length: 10 }, (_, i) => deployed(`fn-${ten * 10 + i}`));
      expect((await events.send(new PutEventsCommand({ Entries }))).FailedEntryCount).toBe(0);
    }
  } finally {
    events.destroy();
  }
  await engine.idle();
  // Several pollers gather, each its own batch.
  expect(looks() - before).toBeGreaterThanOrEqual(1);
  expect(looks() - before).toBeLessThanOrEqual(5);
  const queue = (id: RegExp) => Object.keys(template.Resources).find((name) => id.test(name)) ?? '';
  for (const id of [/^AlastorInventoryChanges\w{8}$/, /^AlastorInventoryDeadLetters\w{8}$/]) {
    const asked = { QueueUrl: engine.physicalId(queue(id)), AttributeNames: ['All' as const] };
    const { Attributes } = await sqs.send(new GetQueueAttributesCommand(asked));
    expect(Attributes).toMatchObject({ ApproximateNumberOfMessages: '0', ApproximateNumberOfMessagesNotVisible: '0' });
  }
}, 120_000);
