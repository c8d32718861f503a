import { describe, expect, it } from 'vitest';
import { call, event, joins, keysOf, plain } from './support.ts';

const REQ = 'C3D13FE58DE4C810';
const ETAG = '"0123456789abcdef0123456789abcdef"';
const HOSTS = [
  { host: '127.0.0.1', path: '/pages/a%20b/c%2Bd.html' },
  { host: 's3.eu-west-1.amazonaws.com', path: '/pages/a%20b/c%2Bd.html' },
  { host: 'pages.s3.eu-west-1.amazonaws.com', path: '/a%20b/c%2Bd.html' },
  { host: 'pages.localhost', path: '/a%20b/c%2Bd.html' },
];
const record = (object: object, request = REQ) => ({
  eventVersion: '2.1',
  eventSource: 'aws:s3',
  eventName: 'ObjectCreated:Put',
  responseElements: { 'x-amz-request-id': request, 'x-amz-id-2': 'x' },
  s3: {
    s3SchemaVersion: '1.0',
    bucket: { name: 'pages', arn: 'arn:aws:s3:::pages' },
    object: { size: 1, sequencer: '00', ...object },
  },
});
const put = (at: { host: string; path: string }, responseHeaders = {}) =>
  call('s3', {
    method: 'PUT',
    ...at,
    path: `${at.path}?x-id=PutObject`,
    responseHeaders: { 'x-amz-request-id': REQ, etag: ETAG, ...responseHeaders },
  });

describe('S3', () => {
  it.each(HOSTS)('joins a write at $host to its notification', (at) => {
    const cause = put(at);
    expect(cause.aws).toEqual({ service: 's3', operation: 'PutObject' });
    expect(cause.resources).toEqual([
      { type: 's3-object', id: 's3://pages/a b/c+d.html@0123456789abcdef0123456789abcdef', access: 'write' },
    ]);
    const effect = event({ Records: [record({ key: 'a+b/c%2Bd.html', eTag: '0123456789abcdef0123456789abcdef' })] });
    expect(joins(cause, effect)).toEqual([`s3req:${REQ}`, 's3:pages/a b/c+d.html@0123456789abcdef0123456789abcdef']);
    expect(effect.trigger).toEqual({ type: 's3', source: 'pages' });
    expect([...cause.keys, ...effect.keys].every(({ sure }) => sure === 'exact')).toBe(true);
    const unrelated = event({ Records: [record({ key: 'a+b/c%2Bd.html', eTag: 'ffff' }, 'OTHER')] });
    expect(joins(cause, unrelated)).toEqual([]);
  });

  it('joins a write to a later read, by version where there are versions', () => {
    const at = HOSTS[0]!;
    const read = (headers: object) => call('s3', { method: 'GET', ...at, responseHeaders: { etag: ETAG, ...headers } });
    expect(joins(put(at), read({}))).toHaveLength(1);
    expect(joins(put(at, { 'x-amz-version-id': 'v1' }), read({ 'x-amz-version-id': 'v1' }))).toEqual([
      's3:pages/a b/c+d.html@v1',
    ]);
    expect(joins(put(at, { 'x-amz-version-id': 'v1' }), read({ 'x-amz-version-id': 'v2' }))).toEqual([]);
    expect(joins(put(at, { 'x-amz-version-id': 'null' }), read({}))).toHaveLength(1);
    expect(read({}).resources[0]!.access).toBe('read');
  });

  it('reads copies and completed uploads, whose ETag is in the body', () => {
    const out = (root: string) => `<?xml version="1.0"?><${root}><ETag>&quot;feed-2&quot;</ETag></${root}>`;
    const responseHeaders = { 'x-amz-request-id': REQ };
    const copy = call('s3', {
      method: 'PUT',
      path: '/pages/new',
      requestHeaders: { 'x-amz-copy-source': 'drafts/old%20one?versionId=v9' },
      responseHeaders,
      out: out('CopyObjectResult'),
    });
    expect(copy.aws?.operation).toBe('CopyObject');
    expect(keysOf(copy)).toEqual([`s3req:${REQ}`, 's3:pages/new@feed-2', 's3:drafts/old one@v9']);
    expect(copy.resources).toContainEqual({ type: 's3-object', id: 's3://drafts/old one@v9', access: 'read' });
    const completed = call('s3', {
      path: '/pages/big?uploadId=u1',
      responseHeaders,
      out: out('CompleteMultipartUploadResult'),
    });
    expect(completed.aws?.operation).toBe('CompleteMultipartUpload');
    expect(keysOf(completed)).toEqual([`s3req:${REQ}`, 's3:pages/big@feed-2']);
    const part = call('s3', {
      method: 'PUT',
      path: '/pages/big?partNumber=1&uploadId=u1',
      responseHeaders: { ...responseHeaders, etag: ETAG },
    });
    expect(part).toEqual({ aws: { service: 's3', operation: 'UploadPart' }, keys: [], resources: [] });
  });

  it('reads deletions and their notifications', () => {
    const cause = call('s3', { method: 'DELETE', path: '/pages/x', status: 204, responseHeaders: { 'x-amz-request-id': REQ } });
    expect(joins(cause, event({ Records: [{ ...record({ key: 'x' }), eventName: 'ObjectRemoved:Delete' }] }))).toEqual([
      `s3req:${REQ}`,
    ]);
    const many = call('s3', {
      path: '/pages/?delete',
      in: '<Delete><Object><Key>a&amp;b</Key></Object><Object><Key>c</Key></Object></Delete>',
    });
    expect(many.resources.map(({ id }) => id)).toEqual(['s3://pages/a&b', 's3://pages/c']);
  });

  it('joins through EventBridge, SQS and SNS', () => {
    const cause = put({ host: '127.0.0.1', path: '/pages/k' });
    const bus = {
      version: '0',
      id: 'e1',
      'detail-type': 'Object Created',
      source: 'aws.s3',
      detail: { bucket: { name: 'pages' }, object: { key: 'k', etag: '0123456789abcdef0123456789abcdef' }, 'request-id': REQ },
    };
    const notification = { Records: [record({ key: 'k', eTag: '0123456789abcdef0123456789abcdef' })] };
    const inSns = {
      Type: 'Notification',
      MessageId: 'm',
      TopicArn: 'arn:aws:sns:r:1:t',
      Message: JSON.stringify(notification),
    };
    const inSqs = (body: unknown) => ({
      Records: [{ eventSource: 'aws:sqs', messageId: 'q', eventSourceARN: 'arn:aws:sqs:r:1:q', body: JSON.stringify(body) }],
    });
    for (const effect of [bus, inSqs(notification), inSqs(inSns), inSqs(bus)]) {
      expect(joins(cause, event(effect))).toHaveLength(2);
    }
  });

  it('does not join failures, and reads presigned and public requests', () => {
    expect(call('s3', { method: 'GET', path: '/pages/x', status: 403, responseHeaders: { etag: ETAG } }).keys).toEqual([]);
    const presigned = plain({
      host: 'pages.s3.amazonaws.com',
      path: '/x?X-Amz-Credential=AKID%2F20261122%2Feu-west-1%2Fs3%2Faws4_request&X-Amz-Signature=s',
      responseHeaders: { etag: ETAG },
    });
    expect(presigned.aws).toEqual({ service: 's3', operation: 'GetObject' });
    expect(keysOf(presigned)).toEqual(['s3:pages/x@0123456789abcdef0123456789abcdef']);
  });
});
