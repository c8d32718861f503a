import { describe, expect, it } from 'vitest';
import { requestKey } from '../../../layers/capture/handover/index.ts';
import { call, event, joins, keysOf, plain } from './support.ts';

const sqsEvent = (...messages: [id: string, body: string][]) =>
  event({
    Records: messages.map(([messageId, body]) => ({
      messageId,
      receiptHandle: 'AQEB',
      body,
      attributes: { ApproximateReceiveCount: '1', SenderId: 'AIDA' },
      messageAttributes: {},
      md5OfBody: 'e4e68fb7bd0e697a0ae8f1bb342846b3',
      eventSource: 'aws:sqs',
      eventSourceARN: 'arn:aws:sqs:eu-west-1:123456789012:orders',
      awsRegion: 'eu-west-1',
    })),
  });
const A = '059f36b4-87a3-44ab-83d2-661975830a7d';
const B = '2e1424d4-f796-459a-8184-9c92662be6da';
const OTHER = '11111111-2222-4333-8444-555555555555';

describe('Lambda', () => {
  const id = '79104EXAMPLEB723';
  it('joins an invocation, synchronous or not, by the request id', () => {
    for (const status of [200, 202]) {
      const cause = call('lambda', {
        path: '/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-west-1%3A123456789012%3Afunction%3Aget-price%3Alive/invocations',
        status,
        responseHeaders: { 'x-amzn-requestid': id },
      });
      expect(cause.aws).toEqual({ service: 'lambda', operation: 'Invoke' });
      expect(joins(cause, { keys: [requestKey(id)] })).toEqual([`lambda:${id}`]);
      expect(cause.keys[0]!.sure).toBe('exact');
      expect(cause.resources).toEqual([{ type: 'function', id: 'lambda:get-price', access: 'call' }]);
    }
  });
  it('does not join what was throttled or only tried, nor other calls', () => {
    const path = '/2015-03-31/functions/get-price/invocations';
    const responseHeaders = { 'x-amzn-requestid': id };
    expect(call('lambda', { path, status: 429, responseHeaders }).keys).toEqual([]);
    expect(call('lambda', { path, status: 204, responseHeaders }).keys).toEqual([]);
    expect(call('lambda', { path: '/2015-03-31/functions/get-price', method: 'GET', responseHeaders }).keys).toEqual([]);
  });
});

describe('API Gateway and function URLs', () => {
  it('joins a REST API by both of its ids', () => {
    const cause = plain({
      host: 'x1.execute-api.eu-west-1.amazonaws.com',
      responseHeaders: { 'x-amzn-requestid': A, 'x-amz-apigw-id': 'JKJaXmPLvHcESHA=' },
    });
    const effect = event({
      resource: '/{proxy+}',
      path: '/buy',
      httpMethod: 'POST',
      requestContext: {
        requestId: A,
        extendedRequestId: 'JKJaXmPLvHcESHA=',
        identity: { sourceIp: '203.0.113.9', userAgent: 'curl/8' },
        stage: 'prod',
      },
    });
    expect(joins(cause, effect)).toEqual([`apigw:${A}`, 'apigw:JKJaXmPLvHcESHA=']);
    expect(effect.trigger).toEqual({
      type: 'http',
      sourceIp: '203.0.113.9',
      userAgent: 'curl/8',
      method: 'POST',
      path: '/buy',
    });
    expect(event({ requestContext: { requestId: OTHER } }).trigger.type).toBe('http');
    expect(joins(cause, event({ requestContext: { requestId: OTHER } }))).toEqual([]);
  });
  it('joins an HTTP API behind any name', () => {
    const cause = plain({ host: 'shop.example', responseHeaders: { 'apigw-requestid': 'JKJaX=' } });
    const effect = event({
      version: '2.0',
      rawPath: '/buy',
      rawQueryString: 'token=secret',
      requestContext: {
        requestId: 'JKJaX=',
        http: { method: 'GET', path: '/buy', sourceIp: '203.0.113.9', userAgent: 'x' },
        domainName: 'shop.example',
      },
    });
    expect(joins(cause, effect)).toEqual(['apigw:JKJaX=']);
    expect(JSON.stringify(effect)).not.toContain('secret');
  });
  it('joins a function URL', () => {
    const host = 'abc.lambda-url.eu-west-1.on.aws';
    const cause = plain({ host, responseHeaders: { 'x-amzn-requestid': B } });
    const effect = event({
      version: '2.0',
      rawPath: '/',
      requestContext: { requestId: B, domainName: host, http: { method: 'GET' } },
    });
    expect(joins(cause, effect)).toEqual([`url:${B}`]);
  });
  it('joins a load balancer by the trace only, as a guess', () => {
    const cause = plain({ requestHeaders: { 'x-amzn-trace-id': 'Root=1-67891233-abcdef012345678912345678;Sampled=1' } });
    const effect = event({
      requestContext: { elb: { targetGroupArn: 'arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/t/1' } },
      httpMethod: 'GET',
      path: '/',
      headers: { 'x-amzn-trace-id': 'Root=1-67891233-abcdef012345678912345678', 'x-forwarded-for': '6.6.6.6, 203.0.113.9' },
    });
    expect(joins(cause, effect)).toEqual(['trace:1-67891233-abcdef012345678912345678']);
    expect(effect.keys[0]!.sure).toBe('inferred');
    expect(effect.trigger).toMatchObject({ type: 'alb', sourceIp: '203.0.113.9' });
  });
});

describe('containers that serve HTTP', () => {
  const keys = (requestHeaders: Record<string, string>, responseHeaders = {}) =>
    plain({ requestHeaders, responseHeaders }).keys;
  it('joins by the id that their front door will take: the sent one, or what the gateway says it has made', () => {
    expect(keys({ 'x-call-id': A, 'x-request-id': B })).toEqual([{ key: `call:${A}`, sure: 'inferred' }]);
    expect(keys({ 'x-request-id': B }, { 'x-call-id': A })).toEqual([{ key: `call:${A}`, sure: 'inferred' }]);
    expect(keys({ 'x-request-id': B })).toEqual([{ key: `call:${B}`, sure: 'inferred' }]);
  });
  it('takes nothing for an id that the front door would not', () => {
    expect(keys({ 'x-call-id': 'two words' })).toEqual([]);
    expect(keys({ 'x-call-id': 'x'.repeat(129) }, { 'x-request-id': B })).toEqual([]);
  });
});

describe('SQS', () => {
  const QueueUrl = 'http://127.0.0.1:4566/123456789012/orders';
  it('joins a message sent over JSON 1.0, at an endpoint override', () => {
    const cause = call('sqs', {
      target: 'AmazonSQS.SendMessage',
      in: { QueueUrl, MessageBody: 'x' },
      out: { MessageId: A, MD5OfMessageBody: 'm' },
    });
    expect(cause).toEqual({
      aws: { service: 'sqs', operation: 'SendMessage' },
      keys: [{ key: `sqs:${A}`, sure: 'exact' }],
      resources: [{ type: 'queue', id: 'sqs:orders', access: 'write' }],
    });
    const effect = sqsEvent([A, 'x']);
    expect(joins(cause, effect)).toEqual([`sqs:${A}`]);
    expect(effect.trigger).toEqual({ type: 'sqs', source: 'orders' });
    expect(joins(cause, sqsEvent([OTHER, 'x']))).toEqual([]);
  });
  it('joins every entry of a batch to its own cause', () => {
    const cause = call('sqs', {
      target: 'AmazonSQS.SendMessageBatch',
      in: { QueueUrl, Entries: [] },
      out: {
        Successful: [
          { Id: '1', MessageId: A },
          { Id: '2', MessageId: B },
        ],
        Failed: [{ Id: '3' }],
      },
    });
    expect(joins(cause, sqsEvent([B, 'x'], [OTHER, 'y']))).toEqual([`sqs:${B}`]);
  });
  it('reads the Query protocol', () => {
    const form = { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' };
    const one = call('sqs', {
      host: 'sqs.eu-west-1.amazonaws.com',
      path: '/123456789012/orders/',
      requestHeaders: form,
      in: 'Action=SendMessage&MessageBody=secret&Version=2012-11-05',
      out: `<SendMessageResponse><SendMessageResult><MD5OfMessageBody>f</MD5OfMessageBody><MessageId>${A}</MessageId></SendMessageResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></SendMessageResponse>`,
    });
    expect(one.aws?.operation).toBe('SendMessage');
    expect(keysOf(one)).toEqual([`sqs:${A}`]);
    expect(one.resources[0]!.id).toBe('sqs:orders');
    const batch = call('sqs', {
      requestHeaders: form,
      in: `Action=SendMessageBatch&QueueUrl=${encodeURIComponent(QueueUrl)}`,
      out: `<R><SendMessageBatchResultEntry><MessageId>${A}</MessageId></SendMessageBatchResultEntry><SendMessageBatchResultEntry><MessageId>${B}</MessageId></SendMessageBatchResultEntry></R>`,
    });
    expect(keysOf(batch)).toEqual([`sqs:${A}`, `sqs:${B}`]);
    expect(JSON.stringify(one)).not.toContain('secret');
  });
  it('does not join what was not accepted', () => {
    expect(call('sqs', { target: 'AmazonSQS.SendMessage', status: 400, in: { QueueUrl }, out: { MessageId: A } }).keys).toEqual(
      [],
    );
  });
});

describe('SNS', () => {
  const TopicArn = 'arn:aws:sns:eu-west-1:123456789012:news';
  const published = call('sns', {
    requestHeaders: { 'content-type': 'application/x-www-form-urlencoded' },
    in: `Action=Publish&TopicArn=${encodeURIComponent(TopicArn)}&Message=m`,
    out: `<PublishResponse><PublishResult><MessageId>${A}</MessageId></PublishResult></PublishResponse>`,
  });
  it('joins a notification delivered to a function', () => {
    expect(published.resources).toEqual([{ type: 'topic', id: 'sns:news', access: 'write' }]);
    const effect = event({
      Records: [
        { EventSource: 'aws:sns', EventVersion: '1.0', Sns: { MessageId: A, TopicArn, Type: 'Notification', Message: 'm' } },
      ],
    });
    expect(joins(published, effect)).toEqual([`sns:${A}`]);
    expect(effect.trigger).toEqual({ type: 'sns', source: 'news' });
  });
  it('joins one that comes through a queue', () => {
    const effect = sqsEvent([B, JSON.stringify({ Type: 'Notification', MessageId: A, TopicArn, Message: 'm' })]);
    expect(joins(published, effect)).toEqual([`sns:${A}`]);
    expect(effect.trigger).toEqual({ type: 'sqs', source: 'orders' });
  });
  it('joins a batch over JSON', () => {
    const cause = call('sns', {
      target: 'AmazonSimpleNotificationService.PublishBatch',
      in: { TopicArn },
      out: { Successful: [{ MessageId: A }, { MessageId: B }] },
    });
    expect(keysOf(cause)).toEqual([`sns:${A}`, `sns:${B}`]);
  });
});

describe('EventBridge', () => {
  const cause = call('events', {
    target: 'AWSEvents.PutEvents',
    in: {
      Entries: [
        { Source: 'shop', DetailType: 'sold', Detail: '{}', EventBusName: 'arn:aws:events:eu-west-1:1:event-bus/shop' },
        {},
      ],
    },
    out: { FailedEntryCount: 1, Entries: [{ EventId: A }, { ErrorCode: 'InternalFailure' }] },
  });
  it('joins each entry by its event id, directly or through a queue', () => {
    const sent = {
      version: '0',
      id: A,
      'detail-type': 'sold',
      source: 'shop',
      account: '1',
      time: 't',
      region: 'r',
      resources: [],
      detail: {},
    };
    expect(joins(cause, event(sent))).toEqual([`event:${A}`]);
    expect(event(sent).trigger).toEqual({ type: 'eventbridge', source: 'shop' });
    expect(joins(cause, sqsEvent([B, JSON.stringify(sent)]))).toEqual([`event:${A}`]);
    expect(cause.resources.map(({ id }) => id)).toEqual(['events:shop', 'events:default']);
    expect(joins(cause, event({ ...sent, id: OTHER }))).toEqual([]);
  });
});

describe('Kinesis and Step Functions', () => {
  it('joins records by shard and sequence number', () => {
    const cause = call('kinesis', {
      target: 'Kinesis_20131202.PutRecords',
      in: { StreamName: 'clicks', Records: [] },
      out: { Records: [{ ShardId: 'shardId-000000000006', SequenceNumber: '495' }, { ErrorCode: 'x' }] },
    });
    const effect = event({
      Records: [
        {
          eventSource: 'aws:kinesis',
          eventID: 'shardId-000000000006:495',
          eventSourceARN: 'arn:aws:kinesis:eu-west-1:1:stream/clicks',
          kinesis: {},
        },
      ],
    });
    expect(joins(cause, effect)).toEqual(['kinesis:shardId-000000000006:495']);
    expect(effect.trigger).toEqual({ type: 'kinesis', source: 'clicks' });
  });
  it('joins an execution whose id the state input carries', () => {
    const executionArn = 'arn:aws:states:eu-west-1:123456789012:execution:checkout:run-1';
    const cause = call('states', {
      target: 'AWSStepFunctions.StartExecution',
      in: { stateMachineArn: 'arn:aws:states:eu-west-1:123456789012:stateMachine:checkout', input: '{}' },
      out: { executionArn, startDate: 1 },
    });
    const effect = event({ order: 1, ExecutionId: executionArn });
    expect(joins(cause, effect)).toEqual([`sfn:${executionArn}`]);
    expect(effect.trigger).toEqual({ type: 'stepfunctions', source: 'checkout' });
    expect(event({ order: 1 }).trigger).toEqual({ type: 'invoke' });
  });
});

describe('other exchanges', () => {
  it('names the service of calls it knows nothing more about, and nothing for the rest of the internet', () => {
    expect(call('ssm', { target: 'AmazonSSM.GetParameter' }).aws).toEqual({ service: 'ssm', operation: 'GetParameter' });
    expect(plain({ host: 'kms.eu-west-1.amazonaws.com' }).aws?.service).toBe('kms');
    expect(plain({})).toEqual({ keys: [], resources: [] });
  });
});
