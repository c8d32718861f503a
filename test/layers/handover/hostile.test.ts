import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readEvent, readExchange } from '../../../layers/capture/handover/index.ts';
import { call, event, FN, keysOf } from './support.ts';

describe('hostile input', () => {
  it('never throws on arbitrary JSON events', () => {
    const source = fc.constantFrom('aws:sqs', 'aws:sns', 'aws:s3', 'aws:dynamodb', 'aws:kinesis', 7, null);
    const record = fc.record(
      {
        eventSource: source,
        EventSource: source,
        body: fc.jsonValue(),
        Sns: fc.jsonValue(),
        s3: fc.jsonValue(),
        dynamodb: fc.jsonValue(),
        eventSourceARN: fc.jsonValue(),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.jsonValue(),
          fc.record({ Records: fc.array(record), requestContext: fc.jsonValue() }, { requiredKeys: [] }),
        ),
        (value) => {
          expect(readEvent(Buffer.from(JSON.stringify(value)), FN).trigger.type).toBeDefined();
        },
      ),
    );
  });

  it('never throws on arbitrary exchanges', () => {
    const service = fc.constantFrom('sqs', 'sns', 's3', 'dynamodb', 'lambda', 'events', 'kinesis', 'states');
    const target = fc.constantFrom(
      'AmazonSQS.SendMessageBatch',
      'DynamoDB_20120810.PutItem',
      'DynamoDB_20120810.BatchGetItem',
      'DynamoDB_20120810.__proto__',
      '.',
      '',
    );
    fc.assert(
      fc.property(
        service,
        target,
        fc.webPath(),
        fc.jsonValue(),
        fc.jsonValue(),
        fc.constantFrom('GET', 'PUT', 'POST'),
        (name, to, path, a, b, method) => {
          expect(call(name, { target: to, path: path || '/%', in: a, out: b, method }).keys).toBeInstanceOf(Array);
        },
      ),
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.string(), (bytes, path) => {
        const body = Buffer.from(bytes);
        const encoding = { 'content-encoding': 'gzip', authorization: '/s3/aws4_request' };
        const reading = readExchange({
          method: 'POST',
          host: path,
          port: 1,
          path,
          requestHeaders: encoding,
          responseHeaders: encoding,
          status: 200,
          requestBody: body,
          responseBody: body,
        });
        expect(reading.keys).toBeInstanceOf(Array);
      }),
    );
  });

  it('survives deep nesting, huge events and bombs', () => {
    const deep = `{"a":${'{"M":{"a":'.repeat(100_000)}1${'}}'.repeat(100_000)}}`;
    expect(readEvent(Buffer.from(deep), FN).keys).toEqual([]);
    const put = call('dynamodb', { target: 'DynamoDB_20120810.PutItem', in: `{"TableName":"t","Item":${deep}}`, out: {} });
    expect(put.keys).toEqual([]);
    expect(readEvent(Buffer.alloc(17 << 20, 0x7b), FN).trigger).toEqual({ type: 'invoke' });
    let wrapped: unknown = { eventSource: 'aws:sqs', messageId: 'inner', body: '{}' };
    for (let i = 0; i < 12; i++)
      wrapped = { eventSource: 'aws:sqs', messageId: `m${i}`, body: JSON.stringify({ Records: [wrapped] }) };
    expect(keysOf(event({ Records: [wrapped] })).length).toBeLessThan(8);
    const many = event({
      Records: Array.from({ length: 20_000 }, (_, i) => ({ eventSource: 'aws:sqs', messageId: `m${i}`, body: '' })),
    });
    expect(many.keys.length).toBeLessThanOrEqual(2000);
    const bomb = gzipSync(Buffer.alloc(64 << 20, 0x20));
    const reading = readExchange({
      method: 'POST',
      host: 'sqs.eu-west-1.amazonaws.com',
      port: 443,
      path: '/',
      status: 200,
      requestHeaders: { 'x-amz-target': 'AmazonSQS.SendMessage' },
      responseHeaders: { 'content-encoding': 'gzip' },
      responseBody: bomb,
    });
    expect(reading.keys).toEqual([]);
  });

  it('reads compressed answers', () => {
    const reading = readExchange({
      method: 'POST',
      host: '127.0.0.1',
      port: 1,
      path: '/',
      status: 200,
      requestHeaders: { 'x-amz-target': 'AmazonSQS.SendMessage' },
      responseHeaders: { 'content-encoding': 'gzip' },
      responseBody: gzipSync('{"MessageId":"m1"}'),
    });
    expect(keysOf(reading)).toEqual(['sqs:m1']);
  });

  it('does not take an event that was not kept for anything but an invocation', () => {
    for (const nothing of [undefined, Buffer.alloc(0), Buffer.from('null'), Buffer.from('"text"'), Buffer.from('[1]')]) {
      expect(readEvent(nothing, FN)).toEqual({ trigger: { type: 'invoke' }, keys: [], resources: [] });
    }
  });
});
