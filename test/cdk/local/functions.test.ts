import { DynamoDBClient, PutItemCommand, QueryCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { ReceiveMessageCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { CfnOutput, Duration, RemovalPolicy, type Stack } from 'aws-cdk-lib';
import * as apigateway from 'aws-cdk-lib/aws-apigateway';
import * as apigatewayv2 from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import * as dynamodb from 'aws-cdk-lib/aws-dynamodb';
import * as events from 'aws-cdk-lib/aws-events';
import * as targets from 'aws-cdk-lib/aws-events-targets';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import { DynamoEventSource, SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources';
import * as s3 from 'aws-cdk-lib/aws-s3';
import * as notifications from 'aws-cdk-lib/aws-s3-notifications';
import * as sns from 'aws-cdk-lib/aws-sns';
import * as subscriptions from 'aws-cdk-lib/aws-sns-subscriptions';
import * as sqs from 'aws-cdk-lib/aws-sqs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Running, running } from './running.ts';

/** Stores every event it gets in a bucket, under its request id; fails on messages and items that say so. */
const RECORDER = `
const http = require('http');
exports.handler = (event, context) => new Promise((resolve, reject) => {
  const body = JSON.stringify(event);
  const target = new URL(process.env.AWS_ENDPOINT_URL + '/' + process.env.EVENTS + '/' + process.env.NAME + '/' + context.awsRequestId);
  const authorization = 'AWS4-HMAC-SHA256 Credential=' + process.env.AWS_ACCESS_KEY_ID + '/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0';
  const req = http.request(target, { method: 'PUT', headers: { authorization, 'content-length': Buffer.byteLength(body) } }, (res) => {
    res.resume();
    res.on('end', () => {
      if (event.rawPath !== undefined || event.resource !== undefined)
        return resolve({ statusCode: 201, headers: { 'x-answer': 'yes' }, multiValueHeaders: undefined, body: JSON.stringify({ saw: event.body ?? null }) });
      const records = event.Records ?? [];
      if (records.some((one) => (one.body ?? '').includes('crash'))) return reject(new Error('crashed'));
      resolve({ batchItemFailures: records.filter((one) => (one.body ?? '').includes('poison')).map((one) => ({ itemIdentifier: one.messageId })) });
    });
  });
  req.on('error', reject);
  req.end(body);
});`;

let stack: Running;
let s3Client: S3Client;
let sqsClient: SQSClient;

function build(scope: Stack): void {
  const store = new s3.Bucket(scope, 'Events');
  const recorder = (name: string, extra: Partial<lambda.FunctionProps> = {}) => {
    const fn = new lambda.Function(scope, name, {
      runtime: lambda.Runtime.NODEJS_22_X,
      handler: 'index.handler',
      code: lambda.Code.fromInline(RECORDER),
      environment: { EVENTS: store.bucketName, NAME: name },
      timeout: Duration.seconds(20),
      ...extra,
    });
    store.grantPut(fn);
    return fn;
  };

  const dead = new sqs.Queue(scope, 'Dead');
  const queue = new sqs.Queue(scope, 'Queue', {
    visibilityTimeout: Duration.seconds(1),
    deadLetterQueue: { queue: dead, maxReceiveCount: 2 },
  });
  recorder('FromQueue').addEventSource(
    new SqsEventSource(queue, { batchSize: 10, reportBatchItemFailures: true, maxConcurrency: 2 }),
  );

  const uploads = new s3.Bucket(scope, 'Uploads', { removalPolicy: RemovalPolicy.DESTROY, autoDeleteObjects: true });
  uploads.addEventNotification(s3.EventType.OBJECT_CREATED, new notifications.LambdaDestination(recorder('FromBucket')), {
    prefix: 'in/',
  });

  const table = new dynamodb.TableV2(scope, 'Table', {
    partitionKey: { name: 'id', type: dynamodb.AttributeType.STRING },
    globalSecondaryIndexes: [{ indexName: 'byKind', partitionKey: { name: 'kind', type: dynamodb.AttributeType.STRING } }],
    dynamoStream: dynamodb.StreamViewType.NEW_AND_OLD_IMAGES,
    timeToLiveAttribute: 'expires',
    pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
  });
  recorder('FromTable').addEventSource(
    new DynamoEventSource(table as dynamodb.ITable, {
      startingPosition: lambda.StartingPosition.TRIM_HORIZON,
      retryAttempts: 1,
    }),
  );

  const bus = new events.EventBus(scope, 'Bus', { eventBusName: 'orders' });
  const heard = new sqs.Queue(scope, 'Heard');
  new events.Rule(scope, 'Rule', {
    eventBus: bus,
    eventPattern: { source: ['shop'], detail: { total: [{ numeric: ['>', 10] }] } },
    targets: [
      new targets.LambdaFunction(recorder('FromBus')),
      new targets.SqsQueue(heard, {
        message: events.RuleTargetInput.fromObject({ id: events.EventField.fromPath('$.detail.id') }),
      }),
    ],
  });

  const topic = new sns.Topic(scope, 'Topic');
  topic.addSubscription(new subscriptions.LambdaSubscription(recorder('FromTopic')));
  uploads.addEventNotification(s3.EventType.OBJECT_REMOVED, new notifications.SnsDestination(topic));

  const http = new apigatewayv2.HttpApi(scope, 'Http');
  http.addRoutes({
    path: '/items/{id}',
    methods: [apigatewayv2.HttpMethod.POST],
    integration: new HttpLambdaIntegration('One', recorder('FromHttp')),
  });
  const rest = new apigateway.LambdaRestApi(scope, 'Rest', { handler: recorder('FromRest') });
  new CfnOutput(scope, 'HttpUrl', { value: http.apiEndpoint });
  const url = recorder('FromUrl').addFunctionUrl({ authType: lambda.FunctionUrlAuthType.NONE });
  new CfnOutput(scope, 'FunctionUrl', { value: url.url });
  new CfnOutput(scope, 'EventsBucket', { value: store.bucketName });
  new CfnOutput(scope, 'UploadsBucket', { value: uploads.bucketName });
  new CfnOutput(scope, 'TableName', { value: table.tableName });
  new CfnOutput(scope, 'QueueUrl', { value: queue.queueUrl });
  new CfnOutput(scope, 'DeadUrl', { value: dead.queueUrl });
  new CfnOutput(scope, 'HeardUrl', { value: heard.queueUrl });
  new CfnOutput(scope, 'RestUrl', { value: rest.url });
}

beforeAll(async () => {
  stack = await running(build);
  s3Client = new S3Client(stack.client);
  sqsClient = new SQSClient(stack.client);
}, 120_000);
afterAll(async () => {
  s3Client?.destroy();
  sqsClient?.destroy();
  await stack?.stop();
}, 60_000);

const output = (name: string) => stack.engine.outputs[name] as string;

// biome-ignore lint/suspicious/noExplicitAny: events have many shapes, and the expectations say which
type Seen = { requestId: string; event: any }; // any: events have many shapes, and the expectations say which

/** Events that a recorder has stored, oldest first. */
async function seen(name: string): Promise<Seen[]> {
  const Bucket = output('EventsBucket');
  const { Contents = [] } = await s3Client.send(new ListObjectsV2Command({ Bucket, Prefix: `${name}/` }));
  const objects = Contents.sort((a, b) => (a.LastModified?.getTime() ?? 0) - (b.LastModified?.getTime() ?? 0));
  return Promise.all(
    objects.map(async ({ Key = '' }) => {
      const { Body } = await s3Client.send(new GetObjectCommand({ Bucket, Key }));
      return { requestId: Key.split('/')[1] as string, event: JSON.parse((await Body?.transformToString()) ?? '') };
    }),
  );
}

async function received(url: string) {
  const { Messages = [] } = await sqsClient.send(
    new ReceiveMessageCommand({
      QueueUrl: url,
      MaxNumberOfMessages: 10,
      WaitTimeSeconds: 1,
      MessageSystemAttributeNames: ['All'],
    }),
  );
  return Messages;
}

describe('a function behind a queue', () => {
  it('gets batches, and only what it names as failed is tried again and ends in the dead-letter queue', async () => {
    const QueueUrl = output('QueueUrl');
    const send = (MessageBody: string) =>
      sqsClient.send(
        new SendMessageCommand({
          QueueUrl,
          MessageBody,
          MessageAttributes: { colour: { DataType: 'String', StringValue: 'red' } },
        }),
      );
    const good = await send('good');
    const poison = await send('poison');
    await stack.engine.idle();
    const records = (await seen('FromQueue')).flatMap(({ event }) => event.Records);
    expect(records.filter((one) => one.messageId === good.MessageId)).toHaveLength(1);
    expect(
      // The objects' times are whole seconds.
      records
        .filter((one) => one.messageId === poison.MessageId)
        .map((one) => one.attributes.ApproximateReceiveCount)
        .sort(),
    ).toEqual(['1', '2']);
    expect(records[0]).toMatchObject({
      eventSource: 'aws:sqs',
      eventSourceARN: expect.stringMatching(/^arn:aws:sqs:us-east-1:123456789012:/),
      awsRegion: 'us-east-1',
      messageAttributes: { colour: { stringValue: 'red', dataType: 'String', stringListValues: [], binaryListValues: [] } },
    });
    const dead = await received(output('DeadUrl'));
    expect(dead.map((one) => [one.MessageId, one.Body])).toEqual([[poison.MessageId, 'poison']]);
  }, 60_000);
});

describe('a function behind a bucket', () => {
  it('hears of what matches the filter, with the key encoded and the request id of the put', async () => {
    const Bucket = output('UploadsBucket');
    await s3Client.send(new PutObjectCommand({ Bucket, Key: 'out/other', Body: 'x' }));
    const put = await s3Client.send(new PutObjectCommand({ Bucket, Key: 'in/a b+ü(1).txt', Body: 'x' }));
    await stack.engine.idle();
    const events = await seen('FromBucket');
    expect(events).toHaveLength(1);
    const [record] = events[0]?.event.Records ?? [];
    expect(record).toMatchObject({
      eventVersion: '2.1',
      eventSource: 'aws:s3',
      eventName: 'ObjectCreated:Put',
      responseElements: { 'x-amz-request-id': put.$metadata.requestId, 'x-amz-id-2': put.$metadata.extendedRequestId },
      s3: {
        bucket: { name: Bucket, arn: `arn:aws:s3:::${Bucket}` },
        object: { key: 'in/a+b%2B%C3%BC%281%29.txt', size: 1, eTag: put.ETag?.replaceAll('"', '') },
      },
    });
    expect(record.s3.object.sequencer).toMatch(/^[0-9A-F]{16,}$/);
  }, 60_000);

  it('and one behind a topic that the bucket notifies', async () => {
    const Bucket = output('UploadsBucket');
    const { DeleteObjectCommand } = await import('@aws-sdk/client-s3');
    await s3Client.send(new DeleteObjectCommand({ Bucket, Key: 'out/other' }));
    await stack.engine.idle();
    const [first] = await seen('FromTopic');
    expect(first?.event.Records[0]).toMatchObject({
      EventSource: 'aws:sns',
      Sns: { Type: 'Notification', Subject: 'Amazon S3 Notification' },
    });
    expect(JSON.parse(first?.event.Records[0].Sns.Message).Records[0].eventName).toBe('ObjectRemoved:Delete');
  }, 60_000);
});

describe('a function behind a table', () => {
  it('gets the changes in order, with the ARN of the stream', async () => {
    const client = new DynamoDBClient(stack.client);
    const TableName = output('TableName');
    await client.send(new PutItemCommand({ TableName, Item: { id: { S: '1' }, kind: { S: 'a' } } }));
    await client.send(
      new UpdateItemCommand({
        TableName,
        Key: { id: { S: '1' } },
        UpdateExpression: 'SET n = :n',
        ExpressionAttributeValues: { ':n': { N: '5' } },
      }),
    );
    const query = new QueryCommand({
      TableName,
      IndexName: 'byKind',
      KeyConditionExpression: 'kind = :k',
      ExpressionAttributeValues: { ':k': { S: 'a' } },
    });
    expect((await client.send(query)).Count).toBe(1);
    await stack.engine.idle();
    const records = (await seen('FromTable')).flatMap(({ event }) => event.Records);
    expect(records.map((one) => one.eventName)).toEqual(['INSERT', 'MODIFY']);
    expect(records[1]).toMatchObject({
      eventSource: 'aws:dynamodb',
      eventVersion: '1.1',
      awsRegion: 'us-east-1',
      eventSourceARN: expect.stringMatching(new RegExp(`^arn:aws:dynamodb:us-east-1:123456789012:table/${TableName}/stream/`)),
      dynamodb: {
        Keys: { id: { S: '1' } },
        NewImage: { n: { N: '5' } },
        OldImage: { kind: { S: 'a' } },
        StreamViewType: 'NEW_AND_OLD_IMAGES',
      },
    });
    client.destroy();
  }, 60_000);
});

describe('a rule', () => {
  it('gives matching events to a function, and in its own words to a queue', async () => {
    const client = new EventBridgeClient(stack.client);
    const entry = (detail: object) => ({
      Source: 'shop',
      DetailType: 'order',
      Detail: JSON.stringify(detail),
      EventBusName: 'orders',
    });
    const { Entries = [] } = await client.send(
      new PutEventsCommand({ Entries: [entry({ id: 'a', total: 5 }), entry({ id: 'b', total: 50 })] }),
    );
    await stack.engine.idle();
    const events = await seen('FromBus');
    expect(events.map(({ event }) => event.id)).toEqual([Entries[1]?.EventId]);
    expect(events[0]?.event).toMatchObject({
      version: '0',
      source: 'shop',
      'detail-type': 'order',
      account: '123456789012',
      detail: { id: 'b', total: 50 },
    });
    expect((await received(output('HeardUrl'))).map((one) => one.Body)).toEqual(['{"id":"b"}']);
    client.destroy();
  }, 60_000);
});

describe('an API', () => {
  it('HTTP: gives payload 2.0 and its request id', async () => {
    const base = stack.engine.apiUrl('HttpUrl');
    expect(base).toMatch(new RegExp(`^${stack.engine.endpoint}/_api/`));
    const answer = await fetch(`${base}items/a%20b?x=1&x=2`, {
      method: 'POST',
      body: '{"n":1}',
      headers: { 'content-type': 'application/json', cookie: 'a=1; b=2' },
    });
    expect(answer.status).toBe(201);
    expect(await answer.json()).toEqual({ saw: '{"n":1}' });
    expect(answer.headers.get('x-answer')).toBe('yes');
    const [first] = await seen('FromHttp');
    expect(first?.event).toMatchObject({
      version: '2.0',
      routeKey: 'POST /items/{id}',
      rawPath: '/items/a%20b',
      rawQueryString: 'x=1&x=2',
      cookies: ['a=1', 'b=2'],
      queryStringParameters: { x: '1,2' },
      pathParameters: { id: 'a b' },
      requestContext: { requestId: answer.headers.get('apigw-requestid'), stage: '$default', http: { method: 'POST' } },
      body: '{"n":1}',
      isBase64Encoded: false,
    });
    expect(first?.requestId).not.toBe(first?.event.requestContext.requestId);
    expect((await fetch(`${base}nothing`)).status).toBe(404);
  }, 60_000);

  it('REST: gives payload 1.0 and both its ids', async () => {
    const base = stack.engine.apiUrl('RestUrl');
    expect(base).toMatch(/\/prod\/$/);
    const answer = await fetch(`${base}deep/path?x=1&x=2`, { headers: { 'X-Two': 'v' } });
    expect(answer.status).toBe(201);
    const [first] = await seen('FromRest');
    expect(first?.event).toMatchObject({
      resource: '/{proxy+}',
      path: '/deep/path',
      httpMethod: 'GET',
      headers: { 'X-Two': 'v' },
      queryStringParameters: { x: '2' },
      multiValueQueryStringParameters: { x: ['1', '2'] },
      pathParameters: { proxy: 'deep/path' },
      requestContext: {
        requestId: answer.headers.get('x-amzn-requestid'),
        extendedRequestId: answer.headers.get('x-amz-apigw-id'),
        stage: 'prod',
        path: '/prod/deep/path',
      },
      body: null,
      isBase64Encoded: false,
    });
    expect(first?.event.requestContext.requestId).toMatch(/^[0-9a-f-]{36}$/);
    expect(first?.requestId).not.toBe(first?.event.requestContext.requestId);
  }, 60_000);

  it('function URL: answers with the request id of the event', async () => {
    const answer = await fetch(output('FunctionUrl'));
    expect(answer.status).toBe(201);
    const [first] = await seen('FromUrl');
    expect(first?.event.requestContext.requestId).toBe(answer.headers.get('x-amzn-requestid'));
  }, 60_000);
});

describe('the Lambda API', () => {
  it('invokes by name', async () => {
    const client = new LambdaClient(stack.client);
    const FunctionName = stack.engine.physicalId(functionId('FromUrl'));
    const answer = await client.send(new InvokeCommand({ FunctionName, Payload: Buffer.from('{"Records":[]}') }));
    expect(answer.StatusCode).toBe(200);
    expect((await seen('FromUrl')).map((one) => one.requestId)).toContain(answer.$metadata.requestId);
    client.destroy();
  }, 60_000);
});

/** Logical id of a function by its construct id: the id and eight hexadecimal digits. */
function functionId(constructId: string): string {
  try {
    stack.engine.physicalId('');
  } catch (cause) {
    const match = new RegExp(`\\b${constructId}[0-9A-F]{8}\\b`).exec((cause as Error).message);
    if (match !== null) return match[0];
  }
  throw new Error(`there is no function ${constructId}`);
}
