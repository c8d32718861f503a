import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { authorization } from '../../../layers/capture/aws-signature.ts';
import { containerEndpoint } from '../../../layers/capture/environment-credentials.ts';
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

describe('where the environment has no keys', () => {
  const servers: Server[] = [];
  const sent: IncomingMessage['headers'][] = [];
  let folder: string;
  const serve = async (listener: RequestListener): Promise<string> => {
    const server = createServer(listener);
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  };
  const later = () => new Date(Date.now() + 3_600_000).toISOString();
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'alastor-keys-'));
    sent.length = 0;
    vi.stubEnv('AWS_ACCESS_KEY_ID', undefined);
    const s3 = await serve((request, response) => {
      sent.push(request.headers);
      request.resume().on('end', () => response.end());
    });
    vi.stubEnv('AWS_ENDPOINT_URL_S3', s3);
    // Of an earlier test; they are kept until they expire.
    vi.resetModules();
  });
  afterEach(() => {
    for (const one of servers.splice(0)) {
      one.closeAllConnections();
      one.close();
    }
    rmSync(folder, { recursive: true, force: true });
  });
  const storeTwice = async (): Promise<void> => {
    const { s3Store: fresh } = await import('../../../layers/capture/s3-store.ts');
    const store = fresh('evidence');
    for (let i = 0; i < 2; i++) expect(await store.putNew(KEY, body, never)).toBe('stored');
  };

  it.each(['text', 'file'])('takes them from where it says (SnapStart, Pod Identity), with a token as a %s', async (form) => {
    const asked: (string | undefined)[] = [];
    const keys = await serve((request, response) => {
      asked.push(request.headers.authorization);
      response.end(JSON.stringify({ AccessKeyId: 'ASIACONTAINER', SecretAccessKey: 's', Token: 't', Expiration: later() }));
    });
    vi.stubEnv('AWS_CONTAINER_CREDENTIALS_FULL_URI', `${keys}/keys`);
    writeFileSync(join(folder, 'token'), 'open\n');
    if (form === 'text') vi.stubEnv('AWS_CONTAINER_AUTHORIZATION_TOKEN', 'open');
    else vi.stubEnv('AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE', join(folder, 'token'));
    await storeTwice();
    expect(asked).toEqual(['open']);
    expect(sent[0]).toMatchObject({ 'x-amz-security-token': 't', authorization: expect.stringContaining('ASIACONTAINER') });
  });

  it('asks the agent of ECS and Fargate where those name only a path', () => {
    expect(containerEndpoint({ AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: '/v2/credentials/x' })).toBe(
      'http://169.254.170.2/v2/credentials/x',
    );
  });

  it('gets them from STS for the token of a cluster', async () => {
    const asked: string[] = [];
    const sts = await serve(async (request, response) => {
      asked.push(await text(request));
      response.end(`<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>
        <AccessKeyId>ASIAWEB</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>
        <Expiration>${later()}</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`);
    });
    writeFileSync(join(folder, 'token'), 'a.b.c\n');
    vi.stubEnv('AWS_WEB_IDENTITY_TOKEN_FILE', join(folder, 'token'));
    vi.stubEnv('AWS_ROLE_ARN', 'arn:aws:iam::123456789012:role/checkout');
    vi.stubEnv('AWS_ENDPOINT_URL_STS', sts);
    await storeTwice();
    expect(asked).toHaveLength(1);
    expect(Object.fromEntries(new URLSearchParams(asked[0]))).toEqual({
      ...{ Action: 'AssumeRoleWithWebIdentity', Version: '2011-06-15', RoleSessionName: 'alastor' },
      ...{ RoleArn: 'arn:aws:iam::123456789012:role/checkout', WebIdentityToken: 'a.b.c' },
    });
    expect(sent[0]).toMatchObject({ 'x-amz-security-token': 't', authorization: expect.stringContaining('ASIAWEB') });
  });

  it('says what STS says', async () => {
    const sts = await serve((_request, response) => {
      response
        .writeHead(403)
        .end('<ErrorResponse><Error><Code>AccessDenied</Code><Message>Not yours</Message></Error></ErrorResponse>');
    });
    writeFileSync(join(folder, 'token'), 'a.b.c');
    vi.stubEnv('AWS_WEB_IDENTITY_TOKEN_FILE', join(folder, 'token'));
    vi.stubEnv('AWS_ROLE_ARN', 'arn:aws:iam::123456789012:role/other');
    vi.stubEnv('AWS_ENDPOINT_URL_STS', sts);
    await expect(storeTwice()).rejects.toThrow(/role\/other: 403 AccessDenied Not yours/);
  });
});

it('refuses at once when there is no bucket', async () => {
  await expect(s3Store(undefined).putNew(KEY, body, never)).rejects.toMatchObject({ name: 'StoreRefusal' });
});
