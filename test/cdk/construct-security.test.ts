import type { CfnElement } from 'aws-cdk-lib';
import { Duration, Stack } from 'aws-cdk-lib';
import { Match, type Template } from 'aws-cdk-lib/assertions';
import { HttpJwtAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2-authorizers';
import { ArnPrincipal } from 'aws-cdk-lib/aws-iam';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Alastor, type AlastorProps } from '../../cdk/index.ts';
import { inlineFunction, templateOf, type Workbench, workbench } from './construct-parts.ts';
import { type Account, accountOf } from './template-account.ts';

const auditor = 'arn:aws:iam::123456789012:role/auditor';
let bench: Workbench;
beforeAll(() => {
  bench = workbench();
});
afterAll(() => bench.remove());

interface SetUp {
  readonly template: Template;
  readonly account: Account;
  /** Logical ids. */
  readonly id: Readonly<Record<'bucket' | 'key' | 'shop' | 'other' | 'stitcher' | 'query', string>>;
}

function setUp(props: AlastorProps = {}): SetUp {
  const stack = new Stack(bench.app(), 'Audit');
  const [shop, other] = ['Shop', 'Other'].map((name) => inlineFunction(stack, name, { functionName: name.toLowerCase() }));
  const alastor = new Alastor(stack, 'Alastor', { layerDirectory: bench.layerDirectory, ...props }).audit([shop!, other!]);
  const template = templateOf(stack);
  const named = (construct: { readonly node: { readonly defaultChild?: unknown } }) =>
    stack.getLogicalId(construct.node.defaultChild as CfnElement);
  const [key = ''] = Object.keys(template.findResources('AWS::KMS::Key'));
  return {
    template,
    account: accountOf(template),
    id: {
      ...{ bucket: named(alastor.bucket), key, shop: named(shop!), other: named(other!) },
      ...{ stitcher: named(alastor.stitcher), query: named(alastor.query) },
    },
  };
}

describe('policies of the synthesized template', () => {
  const header = { 's3:if-none-match': '*' };

  it('let an audited function put segments under its own name, once, and nothing else', () => {
    const { account, id } = setUp();
    const may = account.may(id.shop);
    const own = `arn:aws:s3:::${id.bucket}/segments/shop/0/1`;
    expect(may('s3:PutObject', own, header)).toBe(true);
    expect(may('s3:PutObject', own)).toBe(false);
    expect(may('s3:PutObject', own.replace('shop', 'other'), header)).toBe(false);
    expect(may('s3:PutObject', `arn:aws:s3:::${id.bucket}/spill/x`, header)).toBe(false);
    for (const action of [
      ...['GetObject', 'GetObjectVersion', 'GetObjectAttributes', 'GetObjectTagging', 'DeleteObject', 'DeleteObjectVersion'],
      ...['PutObjectAcl', 'PutObjectTagging', 'PutObjectRetention', 'PutObjectLegalHold', 'BypassGovernanceRetention'],
      ...[
        'RestoreObject',
        'AbortMultipartUpload',
        'ListMultipartUploadParts',
        'ReplicateObject',
        'ObjectOwnerOverrideToBucketOwner',
      ],
    ]) {
      expect([action, may(`s3:${action}`, own, header)]).toEqual([action, false]);
    }
    for (const action of [
      ...[
        'ListBucket',
        'ListBucketVersions',
        'ListBucketMultipartUploads',
        'DeleteBucket',
        'PutBucketPolicy',
        'DeleteBucketPolicy',
      ],
      ...['PutBucketVersioning', 'PutLifecycleConfiguration', 'PutBucketObjectLockConfiguration', 'PutEncryptionConfiguration'],
      ...['PutReplicationConfiguration', 'PutBucketNotification', 'PutBucketPublicAccessBlock', 'PutBucketLogging'],
    ]) {
      expect([action, may(`s3:${action}`, `arn:aws:s3:::${id.bucket}`)]).toEqual([action, false]);
    }
  });

  it('let it have S3 encrypt, and never decrypt, by itself or through S3', () => {
    const { account, id } = setUp();
    const key = account.arnOf(id.key);
    const s3 = { 'kms:viaservice': 's3.us-east-1.amazonaws.com' };
    expect(account.may(id.shop)('kms:GenerateDataKey', key, s3)).toBe(true);
    expect(account.may(id.shop)('kms:GenerateDataKey', key)).toBe(false);
    for (const action of [
      'kms:Decrypt',
      'kms:ReEncryptFrom',
      'kms:CreateGrant',
      'kms:PutKeyPolicy',
      'kms:ScheduleKeyDeletion',
    ]) {
      expect([action, account.may(id.shop)(action, key, s3)]).toEqual([action, false]);
    }
  });

  it("leave decryption to Alastor's readers and the auditors: no policy of the account opens it to anybody else", () => {
    const { account, id } = setUp({ auditors: [new ArnPrincipal(auditor)] });
    const [key, s3] = [account.arnOf(id.key), { 'kms:viaservice': 's3.us-east-1.amazonaws.com' }];
    for (const reader of [id.stitcher, id.query]) expect(account.may(reader)('kms:Decrypt', key, s3)).toBe(true);
    expect(account.mayAs(auditor, [])('kms:Decrypt', key, s3)).toBe(true);
    expect(account.mayAs(auditor, [])('s3:GetObjectVersion', `arn:aws:s3:::${id.bucket}/segments/shop/0/1`)).toBe(true);
    expect(account.mayAs(auditor, [])('s3:DeleteObject', `arn:aws:s3:::${id.bucket}/segments/shop/0/1`)).toBe(false);
    // An administrator of the account: may look after the key, and could give himself more, which CloudTrail shows.
    const admin = account.mayAs('arn:aws:iam::123456789012:role/admin', [{ Effect: 'Allow', Action: '*', Resource: '*' }]);
    expect(admin('kms:Decrypt', key, s3)).toBe(false);
    expect(admin('kms:PutKeyPolicy', key)).toBe(true);
    expect(admin('kms:CreateAlias', key)).toBe(true);
    expect(admin('kms:CreateGrant', key)).toBe(false);
  });

  it('refuse to everybody what would replace, hide or lock away a segment', () => {
    const { account, id } = setUp();
    const all = [{ Effect: 'Allow', Action: '*', Resource: '*' }];
    const may = account.mayAs('arn:aws:iam::123456789012:role/admin', all);
    const segment = `arn:aws:s3:::${id.bucket}/segments/shop/0/1`;
    expect(may('s3:PutObject', segment, header)).toBe(true);
    expect(may('s3:PutObject', segment, {})).toBe(false);
    expect(may('s3:PutObject', segment, { 's3:objectcreationoperation': 'false' })).toBe(false);
    for (const more of [
      { 's3:x-amz-server-side-encryption-customer-algorithm': 'AES256' },
      { 's3:x-amz-server-side-encryption': 'AES256' },
      { 's3:x-amz-storage-class': 'DEEP_ARCHIVE' },
      { 'aws:securetransport': 'false' },
      { 's3:tlsversion': '1.1' },
    ]) {
      expect(may('s3:PutObject', segment, { ...header, ...more })).toBe(false);
    }
    expect(may('s3:PutObject', segment, { ...header, 's3:x-amz-storage-class': 'STANDARD' })).toBe(true);
  });

  it('refuse a key of the writer also where evidence has none of its own', () => {
    const { account, id } = setUp({ encryptionKey: false });
    const may = account.may(id.shop);
    const segment = `arn:aws:s3:::${id.bucket}/segments/shop/0/1`;
    expect(may('s3:PutObject', segment, header)).toBe(true);
    expect(may('s3:PutObject', segment, { ...header, 's3:x-amz-server-side-encryption': 'aws:kms' })).toBe(false);
  });

  it("give each of Alastor's functions what it does and no more", () => {
    const { account, template } = setUp({ witness: true, inventory: true });
    // By function: what its role's policies name, action by action.
    const actions = account.actions(Object.keys(template.findResources('AWS::IAM::Role')));
    expect(actions).toMatchSnapshot();
    expect(JSON.stringify(actions)).not.toMatch(/(s3|dynamodb|kms):[A-Za-z]*\*/);
  });
});

describe('the evidence bucket', () => {
  it('keeps every version for the retention, and a day longer', () => {
    const { template } = setUp({ retention: Duration.days(30) });
    template.hasResourceProperties('AWS::S3::Bucket', {
      VersioningConfiguration: { Status: 'Enabled' },
      ObjectLockEnabled: true,
      ObjectLockConfiguration: { Rule: { DefaultRetention: { Mode: 'GOVERNANCE', Days: 30 } } },
      LifecycleConfiguration: {
        Rules: Match.arrayWith([
          Match.objectLike({ ExpirationInDays: 30, NoncurrentVersionExpiration: { NoncurrentDays: 1 } }),
        ]),
      },
    });
  });

  it('is locked also against the root user when that is asked for', () => {
    setUp({ objectLock: 'compliance' }).template.hasResourceProperties('AWS::S3::Bucket', {
      ObjectLockConfiguration: { Rule: { DefaultRetention: { Mode: 'COMPLIANCE', Days: 90 } } },
    });
  });

  it('is encrypted with a key of its own that rotates, by a bucket key; or with S3 alone', () => {
    const { template } = setUp();
    template.hasResource('AWS::KMS::Key', { DeletionPolicy: 'Retain', Properties: { EnableKeyRotation: true } });
    template.hasResourceProperties('AWS::S3::Bucket', {
      BucketEncryption: {
        ServerSideEncryptionConfiguration: [
          { BucketKeyEnabled: true, ServerSideEncryptionByDefault: { SSEAlgorithm: 'aws:kms' } },
        ],
      },
    });
    const plain = setUp({ encryptionKey: false });
    plain.template.resourceCountIs('AWS::KMS::Key', 0);
    expect(JSON.stringify(plain.template.toJSON())).not.toContain('kms:');
  });

  it('has its accesses logged to a bucket that only the service for that may write', () => {
    const { template, account, id } = setUp();
    const { LoggingConfiguration: to } = template.findResources('AWS::S3::Bucket')[id.bucket]?.Properties ?? {};
    const logs = to.DestinationBucketName.Ref as string;
    template.resourcePropertiesCountIs('AWS::S3::Bucket', { ObjectLockEnabled: true }, 1);
    const object = `arn:aws:s3:::${logs}/${to.LogFilePrefix}x`;
    const of = (service: string, accountId: string) =>
      account.mayAsService(service)('s3:PutObject', object, { 'aws:sourceaccount': accountId });
    expect(of('logging.s3.amazonaws.com', '123456789012')).toBe(true);
    expect(of('logging.s3.amazonaws.com', '999999999999')).toBe(false);
    expect(of('delivery.logs.amazonaws.com', '123456789012')).toBe(false);
    expect(account.may(id.shop)('s3:PutObject', object)).toBe(false);
  });

  it('takes nothing else for objectLock', () => {
    expect(() => setUp({ objectLock: 'none' as 'governance' })).toThrow(/Audit\/Alastor.*objectLock must be/);
  });
});

describe('the query API', () => {
  it('answers signed requests only, so many a second, logs who asked, and lets no web site ask', () => {
    const { template } = setUp({ retention: Duration.days(91) });
    template.allResourcesProperties('AWS::ApiGatewayV2::Route', { AuthorizationType: 'AWS_IAM' });
    template.hasResourceProperties('AWS::ApiGatewayV2::Stage', {
      DefaultRouteSettings: { ThrottlingRateLimit: 50, ThrottlingBurstLimit: 100 },
      AccessLogSettings: { DestinationArn: Match.anyValue(), Format: Match.stringLikeRegexp('userArn') },
    });
    // Not shorter than evidence, and one that CloudWatch offers.
    template.hasResourceProperties('AWS::Logs::LogGroup', { RetentionInDays: 120 });
    template.allResourcesProperties('AWS::ApiGatewayV2::Api', { CorsConfiguration: Match.absent() });
  });

  it('takes tokens instead, when told whose', () => {
    const queryAuthorizer = new HttpJwtAuthorizer('Jwt', 'https://login.example', { jwtAudience: ['alastor'] });
    const { template } = setUp({ queryAuthorizer });
    template.allResourcesProperties('AWS::ApiGatewayV2::Route', { AuthorizationType: 'JWT' });
    template.hasResourceProperties('AWS::ApiGatewayV2::Authorizer', {
      JwtConfiguration: { Audience: ['alastor'], Issuer: 'https://login.example' },
    });
  });
});
