import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { ACCESS_LOG_FORMAT, readAccessLog } from '../../../functions/witness/access-log.ts';
import { readCloudTrail, readTrailRecords } from '../../../functions/witness/cloudtrail.ts';
import { unpackLogs } from '../../../functions/witness/log-delivery.ts';
import { readPlatformLog } from '../../../functions/witness/platform-log.ts';
import { changeEvent, delivery, ended, invokeEvent, reported, started } from './deliveries.ts';

const ID = '8f507cfc-xmpl-4697-b07a-ac58fc914c95';
const AT = 1_795_000_000_000_000;
const at = (message: string) => ({ at: AT, message });
const read = (...messages: readonly string[]) => {
  const unpacked = unpackLogs(delivery(messages.map(at)).awslogs.data);
  return readPlatformLog(unpacked.fn ?? '', unpacked).testimonies;
};

describe('platform log', () => {
  it('understands START, END and REPORT, and leaves the rest to the function', () => {
    const said = read(started(ID), 'START of my day', ended(ID), reported(ID, '3000.00', 'Status: timeout'), 'RequestId: x\n');
    expect(said).toMatchObject([
      { fn: 'shop', requestId: ID, part: 'start', version: '$LATEST', at: AT, witness: 'platform-log' },
      { requestId: ID, part: 'end' },
      { requestId: ID, part: 'end', durationMs: 3000, status: 'timeout' },
    ]);
    expect(said).toHaveLength(3);
  });

  it('understands JSON lines of the platform', () => {
    const line = (type: string, record: object) => JSON.stringify({ time: '2026-11-22T05:00:00.000Z', type, record });
    const said = read(
      line('platform.start', { requestId: ID, version: '7', tracing: { type: 'X-Amzn-Trace-Id', value: 'Root=1' } }),
      line('platform.runtimeDone', { requestId: ID, status: 'success', metrics: { durationMs: 140, producedBytes: 16 } }),
      line('platform.report', { requestId: ID, status: 'timeout', metrics: { durationMs: 220, billedDurationMs: 300 } }),
      '{"type":"platform.start","record":null}',
      '{"type":"platform.start","record":{"requestId":"with space"}}',
      '{"level":"INFO","requestId":"x"}',
      '{not json',
    );
    expect(said).toMatchObject([
      { requestId: ID, part: 'start', version: '7' },
      { requestId: ID, part: 'end', status: 'success', durationMs: 140 },
      { requestId: ID, part: 'end', status: 'timeout', durationMs: 220 },
    ]);
    expect(said).toHaveLength(3);
  });

  it('understands what the platform says of instances, as text and as JSON', () => {
    const place = { what: 'instance', witness: 'platform-log', fn: 'shop', at: AT };
    const stream = '2026/11/22/[$LATEST]0123456789abcdef0123456789abcdef';
    const text = read(
      'INIT_START Runtime Version: nodejs:24.v1\tRuntime Version ARN: arn:aws:lambda:us-east-1::runtime:0a\n',
      'EXTENSION\tName: alastor\tState: Ready\tEvents: [INVOKE, SHUTDOWN]\n',
      'EXTENSION\tName: other\tState: InitError\tEvents: []\tError Type: Extension.Crash\n',
      'INIT_REPORT Init Duration: 1882.55 ms\tPhase: init\tStatus: error\tError Type: Runtime.ImportModuleError\n',
      'RESTORE_START Runtime Version: java:21.v9\tRuntime Version ARN: arn\n',
      'RESTORE_REPORT Restore Duration: 310.20 ms\n',
      'INIT_STARTED by me, EXTENSION of my own',
    );
    const line = (type: string, record: object) => JSON.stringify({ time: '2026-11-22T05:00:00.000Z', type, record });
    const runtime = { initializationType: 'on-demand', phase: 'init', runtimeVersion: 'nodejs:24.v1', functionVersion: '7' };
    const json = read(
      line('platform.initStart', runtime),
      line('platform.extension', { name: 'alastor', state: 'Ready', events: ['INVOKE', 'SHUTDOWN'] }),
      line('platform.initRuntimeDone', { initializationType: 'on-demand', status: 'success' }),
      line('platform.initReport', { initializationType: 'on-demand', status: 'success', metrics: { durationMs: 125.33 } }),
      line('platform.restoreStart', { runtimeVersion: 'java:21.v9', functionName: 'shop', functionVersion: '7' }),
      line('platform.restoreReport', { status: 'success', metrics: { durationMs: 310.2 } }),
      line('platform.extension', { state: 'Ready' }),
    );
    expect(text).toEqual([
      { ...place, stream, part: 'init', runtime: 'nodejs:24.v1' },
      { ...place, stream, part: 'extension', extension: 'alastor', state: 'Ready' },
      { ...place, stream, part: 'extension', extension: 'other', state: 'InitError', error: 'Extension.Crash' },
      { ...place, stream, part: 'ready', durationMs: 1882.55, status: 'error', error: 'Runtime.ImportModuleError' },
      { ...place, stream, part: 'restore', runtime: 'java:21.v9' },
      { ...place, stream, part: 'ready', durationMs: 310.2 },
    ]);
    expect(json).toEqual([
      { ...place, stream, part: 'init', initType: 'on-demand', runtime: 'nodejs:24.v1', version: '7' },
      { ...place, stream, part: 'extension', extension: 'alastor', state: 'Ready' },
      { ...place, stream, part: 'ready', initType: 'on-demand', status: 'success' },
      { ...place, stream, part: 'ready', initType: 'on-demand', status: 'success', durationMs: 125.33 },
      { ...place, stream, part: 'restore', runtime: 'java:21.v9', version: '7' },
      { ...place, stream, part: 'ready', status: 'success', durationMs: 310.2 },
    ]);
  });

  it('tells whose log it is by stream, filter or group, and that some logs are no function’s', () => {
    const fn = (place: object) => unpackLogs(delivery([], place).awslogs.data).fn;
    expect(fn({ group: '/aws/lambda/cart' })).toBe('cart');
    expect(fn({ group: 'shared', stream: '2026/11/22/cart[$LATEST]0123' })).toBe('cart');
    expect(fn({ group: 'Stack-CartLogs1A2B', filter: 'alastor-cart' })).toBe('cart');
    expect(fn({ group: '/aws/vendedlogs/api' })).toBeUndefined();
    expect(fn({ group: '/aws/lambda/../x' })).toBeUndefined();
  });

  it('refuses what is no delivery, and what would unpack without bound', () => {
    const data = (bytes: Uint8Array | string) => gzipSync(bytes).toString('base64');
    expect(unpackLogs(data('{"messageType":"CONTROL_MESSAGE","logEvents":[]}')).lines).toEqual([]);
    expect(() => unpackLogs(data('null'))).toThrow('no logEvents');
    expect(() => unpackLogs('AAAA')).toThrow();
    expect(() => unpackLogs(data(Buffer.alloc(80 * 1024 * 1024)))).toThrow(/larger than/);
    expect(unpackLogs(data('{"logEvents":[null,{"timestamp":"x","message":1}]}'))).toMatchObject({ unread: 2, lines: [] });
  });
});

describe('CloudTrail', () => {
  it('reads who called a function, from where', () => {
    const { testimonies } = readCloudTrail(gzipSync(JSON.stringify({ Records: [invokeEvent(ID, 'shop')] })));
    expect(testimonies).toMatchObject([
      {
        ...{ what: 'invocation', witness: 'cloudtrail', fn: 'shop', requestId: ID, part: 'whole', version: '$LATEST' },
        ...{ caller: 'arn:aws:sts::123456789012:assumed-role/caller/session', sourceIp: '203.0.113.9' },
      },
    ]);
  });

  it('reads who changed a function, also in vain, and takes no reading for a change', () => {
    const denied = { errorCode: 'AccessDenied' };
    const { testimonies, unread } = readTrailRecords([
      changeEvent('UpdateFunctionCode20150331v2', 'shop'),
      changeEvent('UpdateFunctionConfiguration20150331v2', 'shop', denied),
      changeEvent('GetFunction20150331v2', 'shop'),
      changeEvent('PutObject', 'shop', { eventSource: 's3.amazonaws.com' }),
      invokeEvent('refused', 'shop', denied),
      null,
      { eventSource: 'lambda.amazonaws.com', eventName: 'Invoke' },
    ]);
    expect(testimonies).toMatchObject([
      { what: 'change', action: 'UpdateFunctionCode', fn: 'shop', by: 'arn:aws:iam::123456789012:user/mallory' },
      { what: 'change', action: 'UpdateFunctionConfiguration', error: 'AccessDenied', sourceIp: '198.51.100.7' },
      { what: 'change', action: 'Invoke', error: 'AccessDenied' },
    ]);
    expect({ said: testimonies.length, unread }).toEqual({ said: 3, unread: 2 });
  });

  it('refuses what is no log file', () => {
    expect(() => readCloudTrail(gzipSync('{}'))).toThrow('no Records');
    expect(() => readCloudTrail(gzipSync(Buffer.alloc(140 * 1024 * 1024)))).toThrow(/larger than/);
  });
});

describe('access log', () => {
  it('reads lines in the format that it asks for', () => {
    const values: Record<string, string> = {
      ...{ apiId: 'a1b2c3', requestId: 'JKJaXmPLvHcESHA=', requestTimeEpoch: '1795000000123', sourceIp: '203.0.113.9' },
      ...{ integrationRequestId: ID, userAgent: 'curl/8', method: 'GET', path: '/cart', status: '200', extendedRequestId: '-' },
    };
    const line = JSON.stringify(
      Object.fromEntries(Object.keys(JSON.parse(ACCESS_LOG_FORMAT)).map((name) => [name, values[name]])),
    );
    const { testimonies, unread } = readAccessLog([line, 'GET / 200', '{}', 'null']);
    expect(testimonies).toEqual([
      {
        ...{
          what: 'access',
          witness: 'access-log',
          at: 1_795_000_000_123_000,
          apiRequestId: 'JKJaXmPLvHcESHA=',
          requestId: ID,
        },
        ...{ api: 'a1b2c3', sourceIp: '203.0.113.9', userAgent: 'curl/8', method: 'GET', path: '/cart', status: '200' },
      },
    ]);
    expect(unread).toBe(3);
  });
});
