import { spawn, spawnSync } from 'node:child_process';
import {
  ChangeMessageVisibilityCommand,
  DeleteMessageBatchCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  ListQueuesCommand,
  PurgeQueueCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { CfnOutput, Duration } from 'aws-cdk-lib';
import * as sqs from 'aws-cdk-lib/aws-sqs';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { credentials, type Running, running } from './running.ts';

let stack: Running;
let client: SQSClient;
let QueueUrl: string;

beforeAll(async () => {
  stack = await running((scope) => {
    const dead = new sqs.Queue(scope, 'Dead', { queueName: 'dead' });
    new sqs.Queue(scope, 'Plain', { queueName: 'plain', deadLetterQueue: { queue: dead, maxReceiveCount: 2 } });
    new sqs.Queue(scope, 'Fifo', { queueName: 'line.fifo', fifo: true, contentBasedDeduplication: true });
    const late = new sqs.Queue(scope, 'Late', { deliveryDelay: Duration.seconds(1) });
    new CfnOutput(scope, 'LateUrl', { value: late.queueUrl });
  });
  client = new SQSClient(stack.client);
  QueueUrl = `${stack.engine.endpoint}/123456789012/plain`;
});
afterAll(async () => {
  client.destroy();
  await stack.stop();
});
beforeEach(async () => {
  await client.send(new PurgeQueueCommand({ QueueUrl }));
});

const receive = async (url: string, extra: object = {}) =>
  (await client.send(new ReceiveMessageCommand({ QueueUrl: url, MaxNumberOfMessages: 10, ...extra }))).Messages ?? [];

describe('a standard queue', () => {
  it('sends, receives and deletes; the SDK verifies both digests', async () => {
    const sent = await client.send(
      new SendMessageCommand({
        QueueUrl,
        MessageBody: 'hällo',
        MessageAttributes: {
          n: { DataType: 'Number', StringValue: '5' },
          b: { DataType: 'Binary', BinaryValue: Buffer.from([0, 255]) },
        },
      }),
    );
    const [message] = await receive(QueueUrl, { MessageAttributeNames: ['All'], MessageSystemAttributeNames: ['All'] });
    expect(message).toMatchObject({ MessageId: sent.MessageId, Body: 'hällo', Attributes: { ApproximateReceiveCount: '1' } });
    expect(Buffer.from(message?.MessageAttributes?.b?.BinaryValue ?? [])).toEqual(Buffer.from([0, 255]));
    expect(await receive(QueueUrl)).toEqual([]);
    await client.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: message?.ReceiptHandle }));
    const { Attributes } = await client.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }));
    expect(Attributes).toMatchObject({
      ApproximateNumberOfMessages: '0',
      ApproximateNumberOfMessagesNotVisible: '0',
      QueueArn: 'arn:aws:sqs:us-east-1:123456789012:plain',
    });
  });

  it('moves a message received too often to the dead-letter queue, under its own id', async () => {
    const sent = await client.send(new SendMessageCommand({ QueueUrl, MessageBody: 'again' }));
    for (const count of ['1', '2']) {
      const [message] = await receive(QueueUrl, { VisibilityTimeout: 0, MessageSystemAttributeNames: ['All'] });
      expect(message?.Attributes?.ApproximateReceiveCount).toBe(count);
    }
    expect(await receive(QueueUrl)).toEqual([]);
    const [dead] = await receive(`${stack.engine.endpoint}/123456789012/dead`, { MessageSystemAttributeNames: ['All'] });
    expect(dead).toMatchObject({
      MessageId: sent.MessageId,
      Attributes: { DeadLetterQueueSourceArn: expect.stringContaining(':plain') },
    });
  });

  it('wakes a waiting receiver', async () => {
    const waiting = receive(QueueUrl, { WaitTimeSeconds: 10 });
    await client.send(new SendMessageCommand({ QueueUrl, MessageBody: 'now' }));
    expect((await waiting).map((one) => one.Body)).toEqual(['now']);
  });

  it('shows a message again when its visibility is set to nothing', async () => {
    await client.send(new SendMessageCommand({ QueueUrl, MessageBody: 'v' }));
    const [first] = await receive(QueueUrl);
    await client.send(
      new ChangeMessageVisibilityCommand({ QueueUrl, ReceiptHandle: first?.ReceiptHandle, VisibilityTimeout: 0 }),
    );
    const [second] = await receive(QueueUrl);
    expect(second?.MessageId).toBe(first?.MessageId);
    expect(second?.ReceiptHandle).not.toBe(first?.ReceiptHandle);
  });

  it('handles batches entry by entry', async () => {
    const Entries = [1, 2, 3].map((one) => ({ Id: `${one}`, MessageBody: `body ${one}` }));
    const sent = await client.send(
      new SendMessageBatchCommand({ QueueUrl, Entries: [...Entries, { Id: 'bad', MessageBody: '' }] }),
    );
    expect(sent.Successful?.map((one) => one.Id)).toEqual(['1', '2', '3']);
    expect(sent.Failed?.map((one) => one.Id)).toEqual(['bad']);
    const messages = await receive(QueueUrl);
    const handles = messages.map((one, at) => ({ Id: `${at}`, ReceiptHandle: one.ReceiptHandle }));
    expect((await client.send(new DeleteMessageBatchCommand({ QueueUrl, Entries: handles }))).Successful).toHaveLength(3);
  });

  it('is found by name, and what is not there is named as AWS does', async () => {
    expect((await client.send(new GetQueueUrlCommand({ QueueName: 'plain' }))).QueueUrl).toBe(QueueUrl);
    expect((await client.send(new ListQueuesCommand({ QueueNamePrefix: 'pl' }))).QueueUrls).toEqual([QueueUrl]);
    await expect(client.send(new GetQueueUrlCommand({ QueueName: 'none' }))).rejects.toMatchObject({
      name: 'QueueDoesNotExist',
    });
  });

  it('holds delayed messages back', async () => {
    const url = stack.engine.outputs.LateUrl as string;
    await client.send(new SendMessageCommand({ QueueUrl: url, MessageBody: 'late' }));
    expect(await receive(url)).toEqual([]);
    expect((await receive(url, { WaitTimeSeconds: 5 })).map((one) => one.Body)).toEqual(['late']);
  });

  it('does not keep the engine from being idle: nobody here consumes it', async () => {
    await client.send(new SendMessageCommand({ QueueUrl, MessageBody: 'stays' }));
    await stack.engine.idle(2000);
  });
});

describe('a FIFO queue', () => {
  it('keeps the order within a group and drops duplicates', async () => {
    const url = `${stack.engine.endpoint}/123456789012/line.fifo`;
    const send = (MessageBody: string, MessageGroupId: string) =>
      client.send(new SendMessageCommand({ QueueUrl: url, MessageBody, MessageGroupId }));
    const first = await send('a1', 'a');
    expect((await send('a1', 'a')).MessageId).toBe(first.MessageId);
    await send('a2', 'a');
    await send('b1', 'b');
    const [one] = await receive(url, { MaxNumberOfMessages: 1 });
    expect(one?.Body).toBe('a1');
    expect((await receive(url)).map((message) => message.Body)).toEqual(['b1']);
    await client.send(new DeleteMessageCommand({ QueueUrl: url, ReceiptHandle: one?.ReceiptHandle }));
    expect((await receive(url)).map((message) => message.Body)).toEqual(['a2']);
  });
});

const PYTHON = '/usr/bin/python3';
const boto3 = spawnSync(PYTHON, ['-c', 'import boto3'], { stdio: 'ignore' }).status === 0;
if (!boto3) console.log(`skipped: ${PYTHON} has no boto3 (Debian package python3-boto3)`);

describe.skipIf(!boto3)('the query protocol, as boto3 of Debian speaks it', () => {
  async function run(program: string): Promise<unknown> {
    const env = {
      PATH: process.env.PATH,
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      AWS_DEFAULT_REGION: 'us-east-1',
      ENDPOINT: stack.engine.endpoint,
    };
    // Not spawnSync: the engine that answers runs in this process.
    const child = spawn(PYTHON, ['-c', program], { env });
    let out = '';
    let problems = '';
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      problems += chunk.toString();
    });
    const code = await new Promise((resolve) => child.once('close', resolve));
    expect(problems).toBe('');
    expect(code).toBe(0);
    return JSON.parse(out) as unknown;
  }

  it('sends, receives, batches and fails', async () => {
    const result = await run(`
import boto3, json, os
sqs = boto3.client('sqs', endpoint_url=os.environ['ENDPOINT'])
url = sqs.get_queue_url(QueueName='plain')['QueueUrl']
sent = sqs.send_message(QueueUrl=url, MessageBody='<é&>', MessageAttributes={'k': {'DataType': 'String', 'StringValue': 'v'}})
batch = sqs.send_message_batch(QueueUrl=url, Entries=[{'Id': 'x', 'MessageBody': 'in batch', 'MessageAttributes': {'k': {'DataType': 'String', 'StringValue': 'w'}}}])
got = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=['All'], MessageAttributeNames=['All'])['Messages']
deleted = sqs.delete_message_batch(QueueUrl=url, Entries=[{'Id': str(i), 'ReceiptHandle': m['ReceiptHandle']} for i, m in enumerate(got)])
attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=['All'])['Attributes']
try:
    sqs.get_queue_url(QueueName='none')
    error = None
except sqs.exceptions.QueueDoesNotExist as e:
    error = e.response['Error']['Code']
print(json.dumps({'sent': sent['MessageId'], 'batch': [b['Id'] for b in batch['Successful']], 'got': [[m['MessageId'], m['Body'], m['MessageAttributes']['k']['StringValue'], m['Attributes']['ApproximateReceiveCount']] for m in got],
  'deleted': len(deleted['Successful']), 'left': attributes['ApproximateNumberOfMessages'], 'error': error}))
`);
    expect(result).toMatchObject({
      batch: ['x'],
      got: [
        [(result as { sent: string }).sent, '<é&>', 'v', '1'],
        [expect.any(String), 'in batch', 'w', '1'],
      ],
      deleted: 2,
      left: '0',
      error: 'AWS.SimpleQueueService.NonExistentQueue',
    });
  }, 30_000);

  it('S3, DynamoDB errors, EventBridge and STS answer boto3 too', async () => {
    const result = await run(`
import boto3, json, os
make = lambda name: boto3.client(name, endpoint_url=os.environ['ENDPOINT'])
s3 = make('s3')
s3.create_bucket(Bucket='py-bucket')
s3.put_object(Bucket='py-bucket', Key='k é', Body=b'x' * 10)
body = s3.get_object(Bucket='py-bucket', Key='k é')['Body'].read().decode()
keys = [o['Key'] for o in s3.list_objects_v2(Bucket='py-bucket')['Contents']]
event = make('events').put_events(Entries=[{'Source': 's', 'DetailType': 'd', 'Detail': '{}'}])['FailedEntryCount']
print(json.dumps([body, keys, event, make('sts').get_caller_identity()['Account']]))
`);
    expect(result).toEqual(['xxxxxxxxxx', ['k é'], 0, '123456789012']);
  }, 30_000);
});
