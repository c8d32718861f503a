import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { S3Client } from '@aws-sdk/client-s3';
import { describe, expect, it } from 'vitest';
import { readNotifications } from '../../functions/inventory/notifications.ts';
import { readPolicy, withIdle } from '../../functions/inventory/policy.ts';
import { WRAPPER, wiringOf } from '../../functions/inventory/wiring.ts';
import { type ConfiguredFunction, type ExpectedSource, explained, takesAnything } from '../../functions/store/inventory.ts';

const fn = (...sources: readonly ExpectedSource[]): ConfiguredFunction => ({
  ...{ name: 'cart', arn: 'arn:aws:lambda:eu-west-1:1:function:cart', layers: [], audited: true, sources },
});
const QUEUE: ExpectedSource = { by: 'mapping', who: 'sqs', source: 'arn:aws:sqs:eu-west-1:1:orders' };
const STREAM: ExpectedSource = {
  ...{ by: 'mapping', who: 'dynamodb', source: 'arn:aws:dynamodb:eu-west-1:1:table/Carts/stream/2026-01-01T00:00:00.000' },
};
const BUCKET: ExpectedSource = { by: 'policy', who: 's3.amazonaws.com', source: 'arn:aws:s3:::photos' };
const RULE: ExpectedSource = { by: 'policy', who: 'events.amazonaws.com', source: 'arn:aws:events:eu-west-1:1:rule/r' };

describe('the wiring of a function', () => {
  it('is not found wanting where Lambda does not show its variables', () => {
    const Layers = [{ Arn: 'arn:aws:lambda:eu-west-1:1:layer:alastor:1' }];
    const hidden = { ErrorCode: 'AccessDeniedException', Message: 'no kms:Decrypt' };
    const Variables = { AWS_LAMBDA_EXEC_WRAPPER: WRAPPER, ALASTOR_BUCKET: 'evidence' };
    expect(wiringOf({ Layers, Environment: { Variables } }).problems).toEqual([]);
    expect(wiringOf({ Layers, Environment: { Error: hidden } }).problems).toEqual([]);
    expect(wiringOf({ Environment: { Error: hidden } }).problems).toEqual(['it has no layer']);
    expect(wiringOf({ Layers }).problems).toHaveLength(2);
  });
});

describe('a resource policy', () => {
  it('names services and accounts, with the ARN that it is limited to', () => {
    const statement = (Principal: unknown, Condition?: object) => ({
      Effect: 'Allow',
      Action: 'lambda:InvokeFunction',
      Principal,
      Condition,
    });
    const policy = JSON.stringify({
      Statement: [
        statement(
          { Service: 's3.amazonaws.com' },
          { StringEquals: { 'AWS:SourceAccount': '1' }, ArnLike: { 'AWS:SourceArn': 'arn:aws:s3:::photos' } },
        ),
        statement({ AWS: ['arn:aws:iam::2:root', '3'] }),
        statement('*'),
        { ...statement({ AWS: '4' }), Effect: 'Deny' },
      ],
    });
    expect(readPolicy(policy)).toEqual([
      { ...BUCKET, account: '1' },
      { by: 'policy', who: 'arn:aws:iam::2:root' },
      { by: 'policy', who: '3' },
      { by: 'policy', who: '*' },
    ]);
    expect(readPolicy('{}')).toEqual([]);
  });

  it('lets in what nothing is configured to send: told where the service was asked, and lies here', () => {
    const own = { partition: 'aws', region: 'eu-west-1', account: '1' };
    const all = new Set(['apigateway', 'events', 's3', 'sns'] as const);
    const api = (source: string): ExpectedSource => ({ by: 'policy', who: 'apigateway.amazonaws.com', source });
    const ours = api('arn:aws:execute-api:eu-west-1:1:abc/*/GET/cart');
    const route: ExpectedSource = { ...ours, by: 'route', source: 'arn:aws:execute-api:eu-west-1:1:abc', detail: 'GET /cart' };
    const idle = (
      one: ExpectedSource,
      direct: readonly ExpectedSource[] = [],
      complete: Parameters<typeof withIdle>[2] = all,
    ) => withIdle([one], direct, complete, own)[0]?.idle === true;
    expect(idle(ours)).toBe(true);
    expect(idle(ours, [route])).toBe(false);
    expect(idle(ours, [{ ...route, source: 'arn:aws:execute-api:eu-west-1:1:abcd' }])).toBe(true);
    expect(idle(ours, [], new Set(['events'] as const))).toBe(false);
    expect(idle(api('arn:aws:execute-api:eu-west-1:2:abc/*/GET/cart'))).toBe(false);
    expect(idle(api('arn:aws:execute-api:eu-west-1:1:abc/authorizers/x'))).toBe(false);
    expect(idle(RULE)).toBe(true);
    expect(idle(RULE, [{ ...RULE, by: 'rule' }])).toBe(false);
    expect(idle(BUCKET)).toBe(false);
    expect(idle({ ...BUCKET, account: '1' })).toBe(true);
    expect(idle({ by: 'policy', who: 'arn:aws:iam::2:root' })).toBe(false);
    const unused = fn({ ...ours, idle: true }, { ...RULE, idle: true });
    expect(explained(unused, 'http', '/cart')).toBe(false);
    expect(explained(unused, 'eventbridge', 'my.app')).toBe(false);
    expect(takesAnything(unused)).toBe(false);
    expect(explained(fn(route), 'http', '/cart')).toBe(true);
    expect(takesAnything(fn({ ...RULE, by: 'rule' }))).toBe(true);
  });
});

describe('notifications of buckets', () => {
  it('are read of all buckets but those that let nobody look, which count as not read', async () => {
    const fn = 'arn:aws-cn:lambda:cn-north-1:123456789012:function:cart';
    const to = `<CloudFunctionConfiguration><CloudFunction>${fn}</CloudFunction><Event>s3:ObjectCreated:*</Event></CloudFunctionConfiguration>`;
    let buckets = ['photos', 'vault', 'gone', 'papers'];
    const server = createServer(({ url = '' }, res) => {
      const bucket = /^\/(\w+)\/?\?/.exec(url)?.[1] ?? '';
      const error = { vault: [403, 'AccessDenied'], gone: [404, 'NoSuchBucket'] }[bucket];
      const listed = buckets.map((name) => `<Bucket><Name>${name}</Name></Bucket>`).join('');
      if (error !== undefined) res.writeHead(Number(error[0])).end(`<Error><Code>${error[1]}</Code></Error>`);
      else if (bucket !== '') res.end(`<NotificationConfiguration>${to}</NotificationConfiguration>`);
      else res.end(`<ListAllMyBucketsResult><Buckets>${listed}</Buckets></ListAllMyBucketsResult>`);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const credentials = { accessKeyId: 'x', secretAccessKey: 'y' };
    const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const client = new S3Client({ endpoint, region: 'cn-north-1', credentials, forcePathStyle: true });
    try {
      const own = { partition: 'aws-cn', region: 'cn-north-1', account: '123456789012' };
      const { found, cut } = await readNotifications(client, own);
      expect(found.map(([name, { source }]) => [name, source])).toEqual([
        ['cart', 'arn:aws-cn:s3:::photos'],
        ['cart', 'arn:aws-cn:s3:::papers'],
      ]);
      expect(cut).toBe(true);
      buckets = ['photos', 'gone'];
      expect(await readNotifications(client, own)).toMatchObject({ found: [['cart', { by: 'notification' }]], cut: false });
    } finally {
      client.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  });
});

describe('what is configured', () => {
  it('explains requests of its queues, streams, buckets, rules, APIs and URLs, and no others', () => {
    const all = fn(QUEUE, STREAM, BUCKET, RULE);
    expect(explained(all, 'sqs', 'orders')).toBe(true);
    expect(explained(all, 'sqs', 'elsewhere')).toBe(false);
    expect(explained(all, 'dynamodb', 'Carts')).toBe(true);
    expect(explained(all, 's3', 'photos')).toBe(true);
    expect(explained(all, 's3', 'other')).toBe(false);
    expect(explained(all, 'eventbridge', 'my.app')).toBe(true);
    expect(explained(fn(QUEUE), 'eventbridge', 'my.app')).toBe(false);
    expect(explained(all, 'http', '/cart')).toBe(false);
    expect(explained(fn({ by: 'url', who: 'NONE', source: 'https://x.lambda-url' }), 'http', '/')).toBe(true);
    expect(explained(fn({ by: 'policy', who: 'apigateway.amazonaws.com', source: 'a' }), 'http', '/')).toBe(true);
  });

  it('leaves plain invocations to their caller, unless something may send any payload', () => {
    expect(explained(fn(QUEUE), 'invoke', undefined)).toBeUndefined();
    expect(takesAnything(fn(QUEUE, BUCKET))).toBe(false);
    expect(takesAnything(fn(RULE))).toBe(true);
  });
});
