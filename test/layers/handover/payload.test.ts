import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { payloadDigest } from '../../../layers/capture/handover/index.ts';
import { call, event, joins, keysOf } from './support.ts';

/** Hand-overs in which the service passes content on and no identifier, or one of its own only. */
const ORDER = { order: '24c46320db2098459082', items: [{ sku: 'p-17', count: 2 }], total: 1999.5, note: 'größer' };
const REORDERED = { total: 1999.5, note: 'größer', items: [{ count: 2, sku: 'p-17' }], order: '24c46320db2098459082' };
const payload = `payload:${payloadDigest(ORDER)}`;
const ID = 'c2a1f2ae-5efa-4b4a-9b0c-3a5c6d7e8f90';

describe('the digest of a payload', () => {
  it('is the same however the payload is written, and another for another one', () => {
    expect(payloadDigest(JSON.stringify(ORDER, null, 2))).toBe(payloadDigest(REORDERED));
    expect(payloadDigest({ ...ORDER, total: 1999 })).not.toBe(payloadDigest(ORDER));
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue(), { minKeys: 2 }), (value) => {
        const reversed = Object.fromEntries(Object.entries(value).reverse());
        expect(payloadDigest(reversed)).toBe(payloadDigest(JSON.parse(JSON.stringify(value))));
      }),
    );
  });
  it('is not made of what says too little, is too deep, or is no JSON', () => {
    for (const value of ['{"ok":true}', '{}', '[]', 'null', 'x'.repeat(100), `{"a":"${'x'.repeat(60)}`, undefined, 7])
      expect(payloadDigest(value)).toBeUndefined();
    expect(payloadDigest(`${'{"a":'.repeat(200)}"${'x'.repeat(60)}"${'}'.repeat(200)}`)).toBeUndefined();
  });
});

describe('Step Functions', () => {
  const machine = 'arn:aws:states:eu-west-1:123456789012:stateMachine:checkout';
  const executionArn = 'arn:aws:states:eu-west-1:123456789012:execution:checkout:run-1';
  const start = (operation: string, output: object = { executionArn, startDate: 1 }) =>
    call('states', {
      target: `AWSStepFunctions.${operation}`,
      in: { stateMachineArn: `${machine}:live`, input: JSON.stringify(ORDER) },
      out: output,
    });

  it.each(['StartExecution', 'StartSyncExecution'])('joins the input of %s to the first state', (operation) => {
    const cause = start(operation);
    expect(keysOf(cause)).toEqual([`sfn:${executionArn}`, payload]);
    expect(cause.resources).toEqual([{ type: 'other', id: 'sfn:checkout', access: 'call' }]);
    const effect = event(REORDERED);
    expect(effect.trigger).toEqual({ type: 'invoke' });
    expect(joins(cause, effect)).toEqual([payload]);
    expect(effect.keys.every(({ sure }) => sure === 'inferred')).toBe(true);
    expect(joins(cause, event({ ...ORDER, total: 2 }))).toEqual([]);
  });
  it('joins an execution that a state is told of, however deep', () => {
    const effect = event({ input: ORDER, context: { run: { Execution: { Id: executionArn } } } });
    expect(effect.trigger).toEqual({ type: 'stepfunctions', source: 'checkout' });
    expect(joins(start('StartExecution'), effect)).toEqual([`sfn:${executionArn}`]);
    const express = 'arn:aws:states:eu-west-1:123456789012:express:checkout:run-1:8e3c6b4a-1111-2222-3333-444455556666';
    expect(joins(start('StartSyncExecution', { executionArn: express }), event({ id: express }))).toEqual([`sfn:${express}`]);
    expect(joins(start('StartExecution'), event({ id: `${executionArn}0` }))).toEqual([]);
  });
  it('joins the end of an execution that EventBridge tells of', () => {
    const bus = { version: '0', id: ID, 'detail-type': 'Step Functions Execution Status Change', source: 'aws.states' };
    expect(joins(start('StartExecution'), event({ ...bus, detail: { executionArn, status: 'SUCCEEDED' } }))).toEqual([
      `sfn:${executionArn}`,
    ]);
  });
  it('does not join what was not started', () => {
    expect(
      call('states', { target: 'AWSStepFunctions.StartExecution', status: 400, in: { input: JSON.stringify(ORDER) } }).keys,
    ).toEqual([]);
  });
  it('names the task that a token belongs to, where it is handed out and where it is answered, and not the token', () => {
    const taskToken = 'AQCEAAAAKgAAAAMAAAAAAAAAAZ'.repeat(10);
    const given = event({ MessageTitle: 'wait', TaskToken: taskToken });
    const answer = call('states', {
      target: 'AWSStepFunctions.SendTaskSuccess',
      in: { taskToken, output: JSON.stringify(ORDER) },
      out: {},
    });
    const [task] = given.resources;
    expect(task).toEqual({ type: 'other', id: expect.stringMatching(/^sfn-task:[0-9a-f]{32}$/), access: 'read' });
    expect(answer.resources).toEqual([{ ...task, access: 'call' }]);
    expect(joins(answer, event(REORDERED))).toEqual([payload]);
    const other = call('states', { target: 'AWSStepFunctions.SendTaskFailure', in: { taskToken: `${taskToken}x` }, out: {} });
    expect(other.resources[0]?.id).not.toBe(task?.id);
    expect(JSON.stringify([given, answer])).not.toContain(taskToken.slice(0, 40));
    const worker = call('states', {
      target: 'AWSStepFunctions.GetActivityTask',
      in: { activityArn: 'arn:aws:states:eu-west-1:123456789012:activity:pack' },
      out: { taskToken, input: JSON.stringify(ORDER) },
    });
    expect(worker.resources).toEqual([task]);
    expect(joins(start('StartExecution'), worker)).toEqual([payload]);
  });
});

describe('destinations and dead letters of asynchronous invocations', () => {
  const functionArn = 'arn:aws:lambda:eu-west-1:123456789012:function:ship:$LATEST';
  const record = {
    version: '1.0',
    timestamp: '2026-11-22T05:00:00.000Z',
    requestContext: { requestId: ID, functionArn, condition: 'Success', approximateInvokeCount: 1 },
    requestPayload: ORDER,
    responseContext: { statusCode: 200, executedVersion: '$LATEST' },
    responsePayload: { shipped: true },
  };
  const sqs = (message: object) => ({
    Records: [{ eventSource: 'aws:sqs', messageId: 'm1', eventSourceARN: 'arn:aws:sqs:eu-west-1:1:q', body: '', ...message }],
  });
  const sns = (message: object) => ({
    Records: [{ EventSource: 'aws:sns', Sns: { MessageId: 'n1', TopicArn: 'arn:aws:sns:eu-west-1:1:t', ...message } }],
  });

  it.each<[string, object]>([
    ['a function', record],
    ['a queue', sqs({ body: JSON.stringify(record) })],
    ['a topic', sns({ Message: JSON.stringify(record) })],
    [
      'a bus',
      {
        version: '0',
        id: 'e1',
        source: 'lambda',
        'detail-type': 'Lambda Function Invocation Result - Success',
        detail: record,
      },
    ],
    [
      'a dead-letter queue',
      sqs({ body: '{}', messageAttributes: { RequestID: { stringValue: ID }, ErrorCode: { stringValue: '200' } } }),
    ],
    [
      'a dead-letter topic',
      sns({
        Message: '{}',
        MessageAttributes: { RequestID: { Type: 'String', Value: ID }, ErrorCode: { Type: 'Number', Value: '200' } },
      }),
    ],
  ])('name the request whose outcome %s is told', (_what, effect) => {
    expect(event(effect).keys).toContainEqual({ key: `outcome:${ID}`, sure: 'exact' });
  });
  it('are told from HTTP events, which have a request context too', () => {
    expect(event(record)).toEqual({
      trigger: { type: 'invoke', source: functionArn },
      keys: [{ key: `outcome:${ID}`, sure: 'exact' }],
      resources: [],
    });
    expect(event({ requestContext: { requestId: ID, stage: 'prod' }, httpMethod: 'GET' }).keys).toEqual([
      { key: `apigw:${ID}`, sure: 'exact' },
    ]);
    expect(keysOf(event(sqs({ body: '{}', messageAttributes: { RequestID: { stringValue: ID } } })))).toEqual(['sqs:m1']);
  });
  it('name the failed batch of a stream', () => {
    const failed = {
      requestContext: { requestId: ID, functionArn, condition: 'RetryAttemptsExhausted', approximateInvokeCount: 3 },
      responseContext: { statusCode: 200, executedVersion: '$LATEST', functionError: 'Unhandled' },
      version: '1.0',
      timestamp: '2026-11-22T05:00:00.000Z',
      KinesisBatchInfo: {
        shardId: 'shardId-000000000001',
        startSequenceNumber: '495',
        endSequenceNumber: '496',
        batchSize: 2,
        streamArn: 'arn:aws:kinesis:eu-west-1:1:stream/clicks',
      },
    };
    expect(keysOf(event(sqs({ body: JSON.stringify(failed) })))).toEqual(['sqs:m1', `outcome:${ID}`]);
  });
});

describe('EventBridge Pipes, Scheduler and rules', () => {
  it('read a batch that a pipe hands over without an object around it', () => {
    const batch = [
      { messageId: 'm1', eventSource: 'aws:sqs', eventSourceARN: 'arn:aws:sqs:eu-west-1:1:orders', body: 'x' },
      { messageId: 'm2', eventSource: 'aws:sqs', eventSourceARN: 'arn:aws:sqs:eu-west-1:1:orders', body: 'y' },
    ];
    expect(keysOf(event(batch))).toEqual(['sqs:m1', 'sqs:m2']);
    expect(event(batch).trigger).toEqual({ type: 'sqs', source: 'orders' });
    const kinesis = [
      {
        kinesisSchemaVersion: '1.0',
        eventID: 'shardId-000000000006:495',
        eventSource: 'aws:kinesis',
        eventSourceARN: 'arn:aws:kinesis:eu-west-1:1:stream/clicks',
      },
    ];
    expect(keysOf(event(kinesis))).toEqual(['kinesis:shardId-000000000006:495']);
    const changed = event([ORDER]);
    expect(changed.trigger).toEqual({ type: 'invoke' });
    expect(keysOf(changed)).toEqual([`payload:${payloadDigest([ORDER])}`]);
  });
  it.each(['POST', 'PUT'])('join the input of a schedule (%s)', (method) => {
    const Target = { Arn: 'arn:aws:lambda:eu-west-1:123456789012:function:remind', RoleArn: 'r', Input: JSON.stringify(ORDER) };
    const cause = call('scheduler', {
      method,
      path: '/schedules/later?groupName=x',
      in: { Target, ScheduleExpression: 'at(2026-11-22T06:00:00)' },
      out: { ScheduleArn: 'a' },
    });
    expect(cause.aws).toEqual({ service: 'scheduler', operation: method === 'POST' ? 'CreateSchedule' : 'UpdateSchedule' });
    expect(cause.resources).toEqual([{ type: 'function', id: 'lambda:remind', access: 'call' }]);
    expect(joins(cause, event(REORDERED))).toEqual([payload]);
    expect(joins(cause, event({ another: ORDER }))).toEqual([]);
    expect(call('scheduler', { method, path: '/schedules/later', status: 409, in: { Target } }).keys).toEqual([]);
    expect(call('scheduler', { method, path: '/schedule-groups/later', in: { Target }, out: {} }).keys).toEqual([]);
  });
  it('join a detail that a rule hands on alone, entry by entry, and a constant of a rule', () => {
    const entry = (detail: object) => ({ Source: 'shop', DetailType: 'sold', Detail: JSON.stringify(detail) });
    const cause = call('events', {
      target: 'AWSEvents.PutEvents',
      in: { Entries: [entry({ ...ORDER, total: 1 }), entry(ORDER)] },
      out: { FailedEntryCount: 1, Entries: [{ ErrorCode: 'InternalFailure' }, { EventId: ID }] },
    });
    expect(joins(cause, event(REORDERED))).toEqual([payload]);
    expect(joins(cause, event({ ...ORDER, total: 1 }))).toEqual([]);
    const rule = call('events', {
      target: 'AWSEvents.PutTargets',
      in: { Rule: 'r', Targets: [{ Id: '1', Arn: 'a', Input: JSON.stringify(ORDER) }] },
      out: { FailedEntryCount: 0 },
    });
    expect(joins(rule, event(REORDERED))).toEqual([payload]);
  });
});

describe('SNS with raw delivery to a queue', () => {
  const TopicArn = 'arn:aws:sns:eu-west-1:123456789012:news';
  const raw = (body: string, SenderId = 'AIDAIT2UOQQY3AUEKVGXU') =>
    event({
      Records: [
        { eventSource: 'aws:sqs', messageId: 'm1', eventSourceARN: 'arn:aws:sqs:r:1:q', body, attributes: { SenderId } },
      ],
    });
  const form = { 'content-type': 'application/x-www-form-urlencoded' };
  const published = [
    call('sns', {
      target: 'AmazonSimpleNotificationService.Publish',
      in: { TopicArn, Message: JSON.stringify(ORDER) },
      out: { MessageId: ID },
    }),
    call('sns', {
      requestHeaders: form,
      in: new URLSearchParams({ Action: 'Publish', TopicArn, Message: JSON.stringify(ORDER) }).toString(),
      out: `<PublishResponse><PublishResult><MessageId>${ID}</MessageId></PublishResult></PublishResponse>`,
    }),
    call('sns', {
      requestHeaders: form,
      in: new URLSearchParams({
        Action: 'PublishBatch',
        TopicArn,
        'PublishBatchRequestEntries.member.1.Id': '1',
        'PublishBatchRequestEntries.member.1.Message': 'plain text',
        'PublishBatchRequestEntries.member.2.Id': '2',
        'PublishBatchRequestEntries.member.2.Message': JSON.stringify(ORDER),
      }).toString(),
      out: `<PublishBatchResponse><PublishBatchResult><Successful><member><Id>2</Id><MessageId>${ID}</MessageId></member></Successful><Failed><member><Id>1</Id><Code>InternalError</Code></member></Failed></PublishBatchResult></PublishBatchResponse>`,
    }),
    call('sns', {
      target: 'AmazonSimpleNotificationService.PublishBatch',
      in: { TopicArn, PublishBatchRequestEntries: [{ Id: '1', Message: JSON.stringify(ORDER) }] },
      out: { Successful: [{ Id: '1', MessageId: ID }], Failed: [] },
    }),
  ];
  it.each(published.map((one, i) => [i, one] as const))('joins by what the message says (%i)', (_i, cause) => {
    expect(keysOf(cause)).toEqual([`sns:${ID}`, payload]);
    expect(joins(cause, raw(JSON.stringify(REORDERED)))).toEqual([payload]);
    expect(joins(cause, raw(JSON.stringify({ ...ORDER, total: 3 })))).toEqual([]);
  });
  it('does not compare what a function has sent itself: its message id is enough', () => {
    expect(keysOf(raw(JSON.stringify(ORDER), 'AROAEXAMPLE:publish'))).toEqual(['sqs:m1']);
  });
});
