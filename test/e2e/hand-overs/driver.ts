/** Hands over to other functions in every way that the local engine has, one way in each request. */
import {
  BatchExecuteStatementCommand,
  BatchWriteItemCommand,
  DynamoDBClient,
  TransactWriteItemsCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { SendMessageBatchCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';

const s3 = new S3Client({ forcePathStyle: true });
const sqs = new SQSClient({});
const events = new EventBridgeClient({});
const dynamodb = new DynamoDBClient({});
const lambda = new LambdaClient({});

const { env } = process;
const endpoint = env.AWS_ENDPOINT_URL ?? '';
const region = env.AWS_REGION ?? '';
const content = (what: string) =>
  JSON.stringify({ what, text: 'long enough to be told from any other content', nonce: Math.random() });

/** As an SDK of version 2 writes it: a signed form. */
async function form(service: string, fields: Record<string, string>): Promise<void> {
  const response = await fetch(endpoint, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-www-form-urlencoded; charset=utf-8',
      authorization: `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261122/${region}/${service}/aws4_request, SignedHeaders=host, Signature=00`,
    },
    body: new URLSearchParams(fields),
  });
  if (!response.ok) throw new Error(`${service}: ${response.status} ${await response.text()}`);
}

const put = (Key: string) => s3.send(new PutObjectCommand({ Bucket: env.BUCKET, Key, Body: content(Key) }));
const item = (id: string) => ({ id: { S: id }, text: { S: content(id) } });
const TableName = env.TABLE ?? '';
const call = (InvocationType: 'RequestResponse' | 'Event' | 'DryRun', FunctionName = env.RECEIVER) =>
  lambda.send(new InvokeCommand({ FunctionName, InvocationType, Payload: JSON.stringify({ text: content('invoke') }) }));

const WAYS: Readonly<Record<string, () => Promise<unknown>>> = {
  invoke: () => call('RequestResponse'),
  'invoke-async': () => call('Event'),
  'invoke-dry': () => call('DryRun'),
  destination: () => call('Event', env.WORKER),
  'function-url': () => fetch(env.FUNCTION_URL ?? ''),
  'http-api': () => fetch(`${env.HTTP_API}anything`),
  'rest-api': () => fetch(`${env.REST_API}anything`),
  sqs: () => sqs.send(new SendMessageCommand({ QueueUrl: env.QUEUE, MessageBody: content('sqs') })),
  'sqs-batch': () =>
    sqs.send(
      new SendMessageBatchCommand({
        QueueUrl: env.QUEUE,
        Entries: ['1', '2', '3'].map((Id) => ({ Id, MessageBody: content(Id) })),
      }),
    ),
  'sqs-fifo': () => sqs.send(new SendMessageCommand({ QueueUrl: env.FIFO, MessageBody: content('fifo'), MessageGroupId: 'g' })),
  'sqs-query': () => form('sqs', { Action: 'SendMessage', QueueUrl: env.QUEUE ?? '', MessageBody: content('query') }),
  'sns-fan-out': () => form('sns', { Action: 'Publish', TopicArn: env.TOPIC ?? '', Message: content('sns') }),
  'sns-raw': () => form('sns', { Action: 'Publish', TopicArn: env.RAW_TOPIC ?? '', Message: content('raw') }),
  event: () =>
    events.send(new PutEventsCommand({ Entries: [{ Source: 'test', DetailType: 'whole', Detail: content('event') }] })),
  'event-detail': () =>
    events.send(new PutEventsCommand({ Entries: [{ Source: 'test', DetailType: 'detail', Detail: content('detail') }] })),
  'event-queue': () =>
    events.send(new PutEventsCommand({ Entries: [{ Source: 'test', DetailType: 'queue', Detail: content('queue') }] })),
  's3-function': () => put('fn/a b+c'),
  's3-queue': () => put('queue/k'),
  's3-topic': () => put('topic/k'),
  's3-bus': () => put('bus/k'),
  's3-copy': () => s3.send(new CopyObjectCommand({ Bucket: env.BUCKET, Key: 'fn/copy', CopySource: `${env.BUCKET}/queue/k` })),
  's3-multipart': async () => {
    const place = { Bucket: env.BUCKET, Key: 'fn/parts' };
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand(place));
    const { ETag } = await s3.send(new UploadPartCommand({ ...place, UploadId, PartNumber: 1, Body: content('part') }));
    await s3.send(
      new CompleteMultipartUploadCommand({ ...place, UploadId, MultipartUpload: { Parts: [{ ETag, PartNumber: 1 }] } }),
    );
  },
  's3-presigned': () =>
    fetch(
      `${endpoint}/${env.BUCKET}/fn/presigned?X-Amz-Credential=AKID%2F20261122%2F${region}%2Fs3%2Faws4_request&X-Amz-Signature=00`,
      {
        method: 'PUT',
        body: content('presigned'),
      },
    ),
  'ddb-update': () =>
    dynamodb.send(
      new UpdateItemCommand({
        TableName,
        Key: { id: { S: 'updated' } },
        UpdateExpression: 'SET #t = :t',
        ExpressionAttributeNames: { '#t': 'text' },
        ExpressionAttributeValues: { ':t': { S: content('update') } },
      }),
    ),
  'ddb-batch': () =>
    dynamodb.send(new BatchWriteItemCommand({ RequestItems: { [TableName]: [{ PutRequest: { Item: item('batch') } }] } })),
  'ddb-transaction': () =>
    dynamodb.send(new TransactWriteItemsCommand({ TransactItems: [{ Put: { TableName, Item: item('transaction') } }] })),
  'ddb-partiql': () =>
    dynamodb.send(
      new BatchExecuteStatementCommand({
        Statements: [
          { Statement: `INSERT INTO "${TableName}" VALUE {'id': ?, 'text': 'partiql'}`, Parameters: [{ S: 'partiql' }] },
        ],
      }),
    ),
};

export async function handler({ way }: { readonly way: string }): Promise<string> {
  const go = WAYS[way];
  if (go === undefined) throw new Error(`There is no way ${way}.`);
  const answer = await go();
  if (answer instanceof Response && !answer.ok) throw new Error(`${way}: ${answer.status} ${await answer.text()}`);
  return way;
}
