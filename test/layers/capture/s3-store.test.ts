import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { authorization } from '../../../layers/capture/aws-signature.ts';
import { BucketPlace, s3Store } from '../../../layers/capture/s3-store.ts';

const KEY = 'segments/purchase/01990000-0000-7000-8000-000000000000/000000000000-000000000009.ndjson.zst';
const body = Buffer.from('a segment');
const never = new AbortController().signal;

beforeEach(() => {
  for (const name of ['AWS_ENDPOINT_URL', 'AWS_ENDPOINT_URL_S3']) vi.stubEnv(name, undefined);
  vi.stubEnv('AWS_REGION', 'eu-central-1');
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'ASIAEXAMPLE');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY');
  vi.stubEnv('AWS_SESSION_TOKEN', 'IQoJb3JpZ2luX2VjEXAMPLE==');
});
afterEach(() => vi.unstubAllEnvs());

interface Sent {
  readonly method: string;
  readonly hostname: string;
  readonly path: string;
  readonly query: Record<string, string>;
  readonly headers: Record<string, string>;
}

/** What AWS's own client would send. */
async function sentBySdk(bucket: string): Promise<Sent> {
  const caught = Promise.withResolvers<Sent>();
  const client = new S3Client({
    maxAttempts: 1,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    requestHandler: {
      handle: async (request: Sent) => {
        caught.resolve(request);
        throw new Error('not sent');
      },
    },
  });
  const put = new PutObjectCommand({
    ...{ Bucket: bucket, Key: KEY, Body: body },
    ...{ IfNoneMatch: '*', ContentType: 'application/zstd' },
  });
  await client.send(put).catch(() => {});
  return caught.promise;
}

describe("beside AWS's own client", () => {
  it.each([
    ['eu-central-1', 'evidence'],
    ['us-east-1', 'evidence'],
    ['cn-north-1', 'evidence'],
    ['us-gov-west-1', 'evidence-1'],
    ['eu-west-1', 'evidence.of.shop'],
  ])('finds a bucket of %s in the same place', async (region, bucket) => {
    vi.stubEnv('AWS_REGION', region);
    const { url, path } = new BucketPlace(bucket).of(KEY);
    const sdk = await sentBySdk(bucket);
    expect([url.protocol, url.host, path]).toEqual(['https:', sdk.hostname, sdk.path]);
  });

  it.each([true, false])('signs the same request in the same way (with a session token: %s)', async (withToken) => {
    if (!withToken) vi.stubEnv('AWS_SESSION_TOKEN', undefined);
    const { method, path, query, headers } = await sentBySdk('evidence');
    const [, names = ''] = /SignedHeaders=([^,]+)/.exec(headers.authorization ?? '') ?? [];
    const signed = Object.fromEntries(names.split(';').map((name) => [name, headers[name] ?? '']));
    const { AWS_ACCESS_KEY_ID: accessKeyId = '', AWS_SECRET_ACCESS_KEY: secretAccessKey = '' } = process.env;
    const ours = authorization(
      {
        ...{ method, path, query: String(new URLSearchParams(query)), headers: signed },
        payload: headers['x-amz-content-sha256'] ?? '',
      },
      { region: 'eu-central-1', service: 's3', date: headers['x-amz-date'] ?? '' },
      { accessKeyId, secretAccessKey },
    );
    expect(names).toContain('if-none-match');
    expect(ours).toBe(headers.authorization);
  });
});

describe('an endpoint of its own', () => {
  let server: Server;
  const requests: IncomingMessage[] = [];
  let answer: (request: IncomingMessage) => { status: number; headers?: Record<string, string>; body?: string };

  beforeEach(async () => {
    requests.length = 0;
    server = createServer((request, response) => {
      request.resume().on('end', () => {
        requests.push(request);
        const { status, headers = {}, body: text = '' } = answer(request);
        response.writeHead(status, headers).end(text);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    vi.stubEnv('AWS_ENDPOINT_URL_S3', `http://127.0.0.1:${(server.address() as AddressInfo).port}/base/`);
  });
  afterEach(() => {
    server.closeAllConnections();
    return new Promise<void>((resolve) => server.close(() => resolve()));
  });

  it('is used with the name of the bucket in the path, over one connection', async () => {
    answer = () => ({ status: 200 });
    const store = s3Store('evidence');
    for (let i = 0; i < 3; i++) expect(await store.putNew(KEY, body, never)).toBe('stored');
    expect(requests.map(({ method, url }) => `${method} ${url}`)).toEqual(Array(3).fill(`PUT /base/evidence/${KEY}`));
    expect(new Set(requests.map(({ socket }) => socket.remotePort)).size).toBe(1);
    expect(requests[0]!.headers).toMatchObject({
      'content-length': String(body.length),
      'content-type': 'application/zstd',
      'if-none-match': '*',
      'x-amz-security-token': 'IQoJb3JpZ2luX2VjEXAMPLE==',
    });
  });

  it('may say that the bucket is in another region', async () => {
    const region = (request: IncomingMessage) =>
      /Credential=[^/]+\/\d+\/([^/]+)/.exec(request.headers.authorization ?? '')?.[1];
    answer = (request) =>
      region(request) === 'eu-west-1' ? { status: 200 } : { status: 301, headers: { 'x-amz-bucket-region': 'eu-west-1' } };
    const store = s3Store('evidence');
    expect(await store.putNew(KEY, body, never)).toBe('stored');
    expect(await store.putNew(KEY, body, never)).toBe('stored');
    expect(requests.map(region)).toEqual(['eu-central-1', 'eu-west-1', 'eu-west-1']);
  });

  it('may send to another port of its own for a while, but nowhere else', async () => {
    const other = createServer((request, response) => void request.resume().on('end', () => response.writeHead(200).end()));
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    let location = `http://127.0.0.1:${(other.address() as AddressInfo).port}/evidence/${KEY}`;
    answer = () => ({ status: 307, headers: { location } });
    try {
      expect(await s3Store('evidence').putNew(KEY, body, never)).toBe('stored');
      location = `http://localhost:${(other.address() as AddressInfo).port}/`;
      await expect(s3Store('evidence').putNew(KEY, body, never)).rejects.toThrow('answered 307');
    } finally {
      other.closeAllConnections();
      other.close();
    }
  });

  it.each([
    [403, 'AccessDenied', 'StoreRefusal'],
    [404, 'NoSuchBucket', 'StoreRefusal'],
    [503, 'SlowDown', 'Error'],
  ])('is told apart by its answer: %s %s', async (status, code, name) => {
    answer = () => ({ status, body: `<?xml version="1.0"?><Error><Code>${code}</Code><Message>no</Message></Error>` });
    const error: unknown = await s3Store('evidence')
      .putNew(KEY, body, never)
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({ name, message: expect.stringContaining(`${status} ${code}`) });
  });

  it('answers 412 for what is there already', async () => {
    answer = () => ({ status: 412 });
    expect(await s3Store('evidence').putNew(KEY, body, never)).toBe('taken');
  });

  it('is given up when time is out', async () => {
    answer = () => ({ status: 200 });
    server.removeAllListeners('request').on('request', () => {});
    const timeout = new AbortController();
    const put = s3Store('evidence').putNew(KEY, body, timeout.signal);
    setTimeout(() => timeout.abort(), 20);
    await expect(put).rejects.toThrow(/abort/i);
  });
});

it('takes the keys of a function with SnapStart from where the environment says', async () => {
  const asked: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    asked.push(request.headers.authorization);
    const keys = { AccessKeyId: 'ASIACONTAINER', SecretAccessKey: 's', Token: 't' };
    response.end(JSON.stringify({ ...keys, Expiration: new Date(Date.now() + 3_600_000).toISOString() }));
  });
  const seen: IncomingMessage['headers'][] = [];
  const s3 = createServer((request, response) => {
    seen.push(request.headers);
    request.resume().on('end', () => response.end());
  });
  const port = async (one: Server): Promise<number> => {
    await new Promise<void>((resolve) => one.listen(0, '127.0.0.1', resolve));
    return (one.address() as AddressInfo).port;
  };
  vi.stubEnv('AWS_ACCESS_KEY_ID', undefined);
  vi.stubEnv('AWS_CONTAINER_CREDENTIALS_FULL_URI', `http://127.0.0.1:${await port(server)}/keys`);
  vi.stubEnv('AWS_CONTAINER_AUTHORIZATION_TOKEN', 'open');
  vi.stubEnv('AWS_ENDPOINT_URL', `http://127.0.0.1:${await port(s3)}`);
  try {
    const store = s3Store('evidence');
    for (let i = 0; i < 2; i++) expect(await store.putNew(KEY, body, never)).toBe('stored');
    expect(asked).toEqual(['open']);
    expect(seen[0]).toMatchObject({ 'x-amz-security-token': 't', authorization: expect.stringContaining('ASIACONTAINER') });
  } finally {
    for (const one of [server, s3]) {
      one.closeAllConnections();
      one.close();
    }
  }
});

it('refuses at once when there is no bucket', async () => {
  await expect(s3Store(undefined).putNew(KEY, body, never)).rejects.toMatchObject({ name: 'StoreRefusal' });
});
