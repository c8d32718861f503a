import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { requestKey } from '../../../layers/capture/handover/index.ts';
import { call, cbor, event, joins, keysOf, plain } from './support.ts';

const A = '059f36b4-87a3-44ab-83d2-661975830a7d';
const B = '2e1424d4-f796-459a-8184-9c92662be6da';

/** One exchange for each wire protocol that an SDK may speak to a service, and what it must be read as. */
describe('wire protocols', () => {
  it('JSON 1.1 with another casing of content types, compressed answer', () => {
    const reading = call('kinesis', {
      target: 'Kinesis_20131202.PutRecord',
      requestHeaders: { 'content-type': 'application/x-amz-json-1.1' },
      responseHeaders: { 'content-type': 'application/x-amz-json-1.1', 'content-encoding': 'gzip' },
      in: { StreamARN: 'arn:aws:kinesis:eu-west-1:123456789012:stream/clicks', Data: 'eA==', PartitionKey: 'p' },
      out: gzipSync(JSON.stringify({ ShardId: 'shardId-000000000001', SequenceNumber: '495' })),
    });
    expect(keysOf(reading)).toEqual(['kinesis:shardId-000000000001:495']);
    expect(reading.resources).toEqual([{ type: 'stream', id: 'kinesis:clicks', access: 'write' }]);
  });

  it('the CBOR form of Kinesis’s JSON protocol, which Java speaks', () => {
    const type = { 'content-type': 'application/x-amz-cbor-1.1' };
    const reading = call('kinesis', {
      target: 'Kinesis_20131202.PutRecords',
      requestHeaders: type,
      responseHeaders: type,
      in: cbor({ StreamName: 'clicks', Records: [{ Data: 'x', PartitionKey: 'p' }] }),
      out: cbor({
        FailedRecordCount: 1,
        Records: [
          { SequenceNumber: '21269319989652663814458848515492872193', ShardId: 'shardId-000000000006' },
          { ErrorCode: 'ProvisionedThroughputExceededException' },
        ],
      }),
    });
    expect(reading.aws).toEqual({ service: 'kinesis', operation: 'PutRecords' });
    expect(keysOf(reading)).toEqual(['kinesis:shardId-000000000006:21269319989652663814458848515492872193']);
    expect(reading.resources).toEqual([{ type: 'stream', id: 'kinesis:clicks', access: 'write' }]);
  });

  it.each([
    ['CloudWatch', 'monitoring', 'GraniteServiceVersion20100801', 'PutMetricData'],
    ['any other', 'sqs', 'com.amazonaws.sqs.AmazonSQS', 'SendMessage'],
  ])('Smithy RPC v2 CBOR: %s', (_name, service, shape, operation) => {
    const headers = { 'smithy-protocol': 'rpc-v2-cbor', 'content-type': 'application/cbor' };
    const reading = call(service, {
      path: `/service/${shape}/operation/${operation}`,
      requestHeaders: headers,
      responseHeaders: headers,
      in: cbor({ QueueUrl: 'https://sqs.eu-west-1.amazonaws.com/123456789012/orders', MessageBody: 'x' }),
      out: cbor({ MessageId: A }),
    });
    expect(reading.aws).toEqual({ service, operation });
    expect(keysOf(reading)).toEqual(service === 'sqs' ? [`sqs:${A}`] : []);
  });

  it('tells the service of unsigned RPC v2 calls by their path, and reads nothing from a broken body', () => {
    const reading = plain({
      method: 'POST',
      path: '/service/AmazonSQS/operation/SendMessage',
      requestHeaders: { 'smithy-protocol': 'rpc-v2-cbor', 'content-type': 'application/cbor' },
      responseHeaders: { 'content-type': 'application/cbor' },
      responseBody: Buffer.from('a1', 'hex'),
    });
    expect(reading.aws).toEqual({ service: 'sqs', operation: 'SendMessage' });
    expect(reading.keys).toEqual([]);
  });

  it('Query with a GET, as signed by an SDK of version 2', () => {
    const reading = call('sqs', {
      method: 'GET',
      path: `/123456789012/orders?Action=SendMessage&MessageBody=x&Version=2012-11-05`,
      out: `<SendMessageResponse><SendMessageResult><MessageId>${A}</MessageId></SendMessageResult></SendMessageResponse>`,
    });
    expect(keysOf(reading)).toEqual([`sqs:${A}`]);
    expect(reading.resources).toEqual([{ type: 'queue', id: 'sqs:orders', access: 'write' }]);
  });
});

describe('Lambda invocations', () => {
  const responseHeaders = { 'x-amzn-requestid': A };
  it.each([
    ['by name and qualifier', '/2015-03-31/functions/get-price/invocations?Qualifier=live', 'Invoke', 200],
    ['by partial ARN', '/2015-03-31/functions/123456789012%3Afunction%3Aget-price/invocations', 'Invoke', 202],
    ['the old asynchronous way', '/2014-11-13/functions/get-price/invoke-async/', 'InvokeAsync', 202],
    [
      'with a streamed answer',
      '/2021-11-15/functions/get-price/response-streaming-invocations',
      'InvokeWithResponseStream',
      200,
    ],
    ['of a function that failed', '/2015-03-31/functions/get-price/invocations', 'Invoke', 200],
  ])('are joined: %s', (_how, path, operation, status) => {
    const cause = call('lambda', {
      path,
      status,
      responseHeaders: { ...responseHeaders, 'x-amz-function-error': 'Unhandled' },
    });
    expect(cause.aws).toEqual({ service: 'lambda', operation });
    expect(cause.resources).toEqual([{ type: 'function', id: 'lambda:get-price', access: 'call' }]);
    expect(joins(cause, { keys: [requestKey(A)] })).toEqual([`lambda:${A}`]);
    expect(joins(cause, { keys: [requestKey(B)] })).toEqual([]);
  });
});

describe('Kinesis', () => {
  const ARN = 'arn:aws:kinesis:eu-west-1:123456789012:stream/clicks';
  it('names the stream behind a consumer with enhanced fan-out', () => {
    const effect = event({
      Records: [
        {
          eventSource: 'aws:kinesis',
          eventID: 'shardId-000000000006:495',
          eventSourceARN: `${ARN}/consumer/app:1700000000`,
          kinesis: {},
        },
      ],
    });
    expect(effect.trigger).toEqual({ type: 'kinesis', source: 'clicks' });
    expect(effect.resources).toEqual([{ type: 'stream', id: 'kinesis:clicks', access: 'read' }]);
  });

  it('joins what a function polls, page by page, and not what another shard holds', () => {
    const target = (operation: string) => `Kinesis_20131202.${operation}`;
    call('kinesis', {
      target: target('GetShardIterator'),
      in: { StreamARN: ARN, ShardId: 'shardId-000000000001', ShardIteratorType: 'LATEST' },
      out: { ShardIterator: 'AAA1' },
    });
    const page = (ShardIterator: string, next: string, SequenceNumber: string) =>
      call('kinesis', {
        target: target('GetRecords'),
        in: { ShardIterator },
        out: { NextShardIterator: next, Records: [{ SequenceNumber, Data: 'eA==' }] },
      });
    const put = (shard: string, sequence: string) =>
      call('kinesis', {
        target: target('PutRecord'),
        in: { StreamName: 'clicks' },
        out: { ShardId: shard, SequenceNumber: sequence },
      });
    const pages = [page('AAA1', 'AAA2', '7'), page('AAA2', 'AAA3', '8')];
    expect(pages.map(keysOf)).toEqual([['kinesis:shardId-000000000001:7'], ['kinesis:shardId-000000000001:8']]);
    expect(pages[0]?.resources).toEqual([{ type: 'stream', id: 'kinesis:clicks', access: 'read' }]);
    expect(joins(put('shardId-000000000001', '8'), pages[1]!)).toHaveLength(1);
    expect(joins(put('shardId-000000000002', '8'), pages[1]!)).toEqual([]);
    expect(page('unknown', 'x', '9').keys).toEqual([]);
  });
});

describe('SQS', () => {
  it('joins a FIFO message, and a redriven one, which keeps its id', () => {
    const cause = call('sqs', {
      target: 'AmazonSQS.SendMessage',
      in: { QueueUrl: 'https://sqs.eu-west-1.amazonaws.com/123456789012/orders.fifo', MessageBody: 'x', MessageGroupId: 'g' },
      out: { MessageId: A, SequenceNumber: '18849496460467696128' },
    });
    expect(cause.resources).toEqual([{ type: 'queue', id: 'sqs:orders.fifo', access: 'write' }]);
    for (const queue of ['orders.fifo', 'orders-dead.fifo']) {
      const effect = event({
        Records: [
          {
            eventSource: 'aws:sqs',
            messageId: A,
            body: 'x',
            eventSourceARN: `arn:aws:sqs:eu-west-1:123456789012:${queue}`,
            attributes: { MessageGroupId: 'g', SequenceNumber: '18849496460467696128' },
          },
        ],
      });
      expect(joins(cause, effect)).toEqual([`sqs:${A}`]);
    }
  });

  it('joins what a function receives by itself', () => {
    const sent = call('sqs', { target: 'AmazonSQS.SendMessage', in: { QueueUrl: 'http://x/1/q' }, out: { MessageId: A } });
    const received = call('sqs', {
      target: 'AmazonSQS.ReceiveMessage',
      in: { QueueUrl: 'http://x/1/q' },
      out: { Messages: [{ MessageId: A, Body: 'x' }] },
    });
    expect(joins(sent, received)).toEqual([`sqs:${A}`]);
    expect(received.resources).toEqual([{ type: 'queue', id: 'sqs:q', access: 'read' }]);
    const query = call('sqs', {
      requestHeaders: { 'content-type': 'application/x-www-form-urlencoded' },
      in: 'Action=ReceiveMessage&QueueUrl=http%3A%2F%2Fx%2F1%2Fq',
      out: `<ReceiveMessageResponse><ReceiveMessageResult><Message><MessageId>${A}</MessageId><Body>&lt;MessageId&gt;${B}&lt;/MessageId&gt;</Body></Message></ReceiveMessageResult></ReceiveMessageResponse>`,
    });
    expect(joins(sent, query)).toEqual([`sqs:${A}`]);
    expect(keysOf(query)).not.toContain(`sqs:${B}`);
  });
});

describe('S3', () => {
  const REQ = 'C3D13FE58DE4C810';
  it('reads one-zone buckets, accelerated and dual-stack hosts', () => {
    for (const host of [
      'pages--use1-az4--x-s3.s3express-use1-az4.us-east-1.amazonaws.com',
      'pages.s3-accelerate.amazonaws.com',
      'pages.s3.dualstack.eu-west-1.amazonaws.com',
    ]) {
      const write = call(host.includes('express') ? 's3express' : 's3', {
        method: 'PUT',
        host,
        path: '/k',
        responseHeaders: { 'x-amz-request-id': REQ, etag: '"e"' },
      });
      expect(write.aws).toEqual({ service: 's3', operation: 'PutObject' });
      expect(keysOf(write)).toEqual([`s3req:${REQ}`, `s3:${host.split('.')[0]}/k@e`]);
    }
  });

  it('does not take a copy or an upload for done that failed after its 200', () => {
    const error = '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>InternalError</Code><Key>k</Key></Error>';
    const responseHeaders = { 'x-amz-request-id': REQ };
    const copy = call('s3', {
      method: 'PUT',
      path: '/b/k',
      requestHeaders: { 'x-amz-copy-source': 'a/k' },
      responseHeaders,
      out: error,
    });
    const complete = call('s3', { path: '/b/k?uploadId=u', responseHeaders, out: error });
    for (const one of [copy, complete]) expect(one.keys).toEqual([]);
    expect(copy.resources.map(({ id }) => id)).toEqual(['s3://b/k']);
  });

  it('names the objects that a multi-object deletion really deleted', () => {
    const many = call('s3', {
      path: '/b/?delete',
      responseHeaders: { 'x-amz-request-id': REQ },
      in: '<Delete><Object><Key>gone</Key></Object><Object><Key>kept</Key></Object></Delete>',
      out: '<DeleteResult><Deleted><Key>gone</Key></Deleted><Error><Key>kept</Key><Code>AccessDenied</Code></Error></DeleteResult>',
    });
    expect(many.resources.map(({ id }) => id)).toEqual(['s3://b/gone']);
  });

  it('finds nothing in the test message of a new notification', () => {
    const test = { Service: 'Amazon S3', Event: 's3:TestEvent', Bucket: 'b', RequestId: REQ };
    const effect = event({
      Records: [{ eventSource: 'aws:sqs', messageId: A, eventSourceARN: 'arn:aws:sqs:r:1:q', body: JSON.stringify(test) }],
    });
    expect(effect.keys.filter(({ sure }) => sure === 'exact')).toEqual([{ key: `sqs:${A}`, sure: 'exact' }]);
  });
});

describe('API Gateway WebSocket APIs', () => {
  it('join the handshake of a function that is a client', () => {
    const host = 'abc.execute-api.eu-west-1.amazonaws.com';
    const cause = plain({ host, path: '/prod', status: 101, responseHeaders: { 'x-amzn-requestid': A, upgrade: 'websocket' } });
    const connect = event({
      requestContext: {
        routeKey: '$connect',
        eventType: 'CONNECT',
        requestId: A,
        extendedRequestId: 'x=',
        connectionId: 'L0SM9=',
        domainName: host,
        identity: { sourceIp: '203.0.113.9' },
      },
    });
    expect(joins(cause, connect)).toEqual([`apigw:${A}`]);
    expect(connect.trigger).toMatchObject({ type: 'http', path: '$connect', sourceIp: '203.0.113.9' });
    expect(joins(cause, event({ requestContext: { routeKey: '$connect', requestId: B } }))).toEqual([]);
  });
});
