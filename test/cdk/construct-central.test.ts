import { Duration, Stack } from 'aws-cdk-lib';
import { Annotations, Match } from 'aws-cdk-lib/assertions';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  Alastor,
  AlastorCollector,
  type AlastorCollectorProps,
  type AlastorProps,
  type AlastorReferenceProps,
} from '../../cdk/index.ts';
import { inlineFunction, propertiesOf, templateOf, type Workbench, workbench } from './construct-parts.ts';

const processor = process.arch === 'arm64' ? 'Arm64' : 'X64';
let bench: Workbench;
beforeAll(() => {
  bench = workbench();
});
afterAll(() => bench.remove());

function central(props: AlastorProps): Stack {
  const stack = new Stack(bench.app(), 'Security', { env: { account: '999999999999', region: 'eu-west-1' } });
  new Alastor(stack, 'Alastor', { layerDirectory: bench.layerDirectory, ...props });
  return stack;
}

/** A function of another account, with its stack. */
function elsewhere(props: AlastorReferenceProps) {
  const stack = new Stack(bench.app(), 'Shop', { env: { account: '111122223333', region: 'eu-west-3' } });
  const fn = inlineFunction(stack, 'Purchase', { logGroup: new LogGroup(stack, 'Log') });
  Alastor.fromReference(stack, 'Alastor', { layerDirectory: bench.layerDirectory, ...props }).auditAll(stack);
  return { stack, fn };
}

const variables = (fn: Parameters<typeof propertiesOf>[0]) =>
  (propertiesOf(fn).Environment as { Variables: Record<string, unknown> }).Variables;

describe('a central bucket', () => {
  const ownPrefix = {
    'Fn::Join': ['', [{ 'Fn::GetAtt': Match.anyValue() }, '/segments/$' + '{aws:PrincipalAccount}.*']],
  };

  it('takes segments of an organization, of each account below its own number, and gives nothing away', () => {
    const template = templateOf(central({ sharedWith: { organizationId: 'o-abcdefghij' } }));
    template.hasResourceProperties('AWS::S3::BucketPolicy', {
      PolicyDocument: {
        Statement: Match.arrayWith([
          {
            Sid: 'SegmentsOfOtherAccounts',
            Effect: 'Allow',
            Principal: { AWS: '*' },
            Action: 's3:PutObject',
            Resource: ownPrefix,
            Condition: {
              StringEquals: { 'aws:PrincipalOrgID': 'o-abcdefghij' },
              StringNotEquals: { 'aws:PrincipalAccount': '999999999999' },
            },
          },
        ]),
      },
    });
  });

  it('takes those of the accounts named', () => {
    const template = templateOf(central({ sharedWith: { accounts: ['111122223333'] } }));
    template.hasResourceProperties('AWS::S3::BucketPolicy', {
      PolicyDocument: {
        Statement: Match.arrayWith([
          Match.objectLike({
            Sid: 'SegmentsOfOtherAccounts',
            Principal: { AWS: { 'Fn::Join': ['', ['arn:', { Ref: 'AWS::Partition' }, ':iam::111122223333:root']] } },
            Resource: ownPrefix,
          }),
        ]),
      },
    });
  });

  it('takes none but of its own account unless told', () => {
    expect(JSON.stringify(templateOf(central({})).findResources('AWS::S3::BucketPolicy'))).not.toContain('OtherAccounts');
  });

  it('is found by a parameter and by an export', () => {
    const template = templateOf(central({ parameterName: '/alastor/evidence', exportName: 'alastor-evidence' }));
    const bucket = { Ref: Match.stringLikeRegexp('^AlastorEvidenceBucket') };
    template.hasResourceProperties('AWS::SSM::Parameter', { Name: '/alastor/evidence', Type: 'String', Value: bucket });
    template.hasOutput('*', { Value: bucket, Export: { Name: 'alastor-evidence' } });
  });

  it('comes with layers for functions outside of CDK, and for the organization', () => {
    const template = templateOf(central({ publishLayers: { organizationId: 'o-abcdefghij' } }));
    expect(Object.keys(template.toJSON().Outputs)).toEqual(
      expect.arrayContaining([`AlastorLayer${processor}Arn`, `AlastorLayerWithNode${processor}Arn`]),
    );
    template.allResourcesProperties('AWS::Lambda::LayerVersionPermission', { Principal: '*', OrganizationId: 'o-abcdefghij' });
    template.resourceCountIs('AWS::Lambda::LayerVersionPermission', 2);
  });
});

describe('a function whose evidence goes to another account', () => {
  it('may put segments below its own account, region and name, and is recorded so', () => {
    const { stack, fn } = elsewhere({ bucketName: 'central-evidence' });
    expect(variables(fn)).toMatchObject({ ALASTOR_BUCKET: 'central-evidence', ALASTOR_QUALIFIER: '111122223333.eu-west-3.' });
    templateOf(stack).hasResourceProperties('AWS::IAM::Policy', {
      PolicyDocument: {
        Statement: Match.arrayWith([
          Match.objectLike({
            Action: 's3:PutObject',
            Resource: {
              'Fn::Join': [
                '',
                [
                  'arn:',
                  { Ref: 'AWS::Partition' },
                  ':s3:::central-evidence/segments/111122223333.eu-west-3.',
                  { Ref: Match.stringLikeRegexp('^Purchase') },
                  '/*',
                ],
              ],
            },
          }),
        ]),
      },
    });
    templateOf(stack).resourceCountIs('AWS::Logs::SubscriptionFilter', 0);
    templateOf(stack).resourceCountIs('AWS::S3::Bucket', 0);
    Annotations.fromStack(stack).hasNoError('*', Match.anyValue());
  });

  it('goes by its plain name where account and region are the same, unless told otherwise', () => {
    expect(variables(elsewhere({ exportName: 'alastor-evidence' }).fn)).toEqual({
      AWS_LAMBDA_EXEC_WRAPPER: '/opt/alastor/wrapper',
      ALASTOR_BUCKET: { 'Fn::ImportValue': 'alastor-evidence' },
    });
    const { stack, fn } = elsewhere({ parameterName: '/alastor/evidence', qualified: true });
    const { Ref: parameter } = variables(fn).ALASTOR_BUCKET as { Ref: string };
    expect(templateOf(stack).toJSON().Parameters[parameter]).toEqual({
      Type: 'AWS::SSM::Parameter::Value<String>',
      Default: '/alastor/evidence',
    });
    expect(variables(fn)).toHaveProperty('ALASTOR_QUALIFIER', '111122223333.eu-west-3.');
  });
});

describe('props of sharing', () => {
  it.each<[keyof AlastorProps, AlastorProps]>([
    ['sharedWith', { sharedWith: { organizationId: 'my-organization' } }],
    ['sharedWith', { sharedWith: { accounts: [] } }],
    ['sharedWith', { sharedWith: { accounts: ['123'] } }],
    ['parameterName', { parameterName: 'no slash' }],
    ['exportName', { exportName: 'under_score' }],
    ['publishLayers', { publishLayers: { organizationId: '' } }],
  ])('%s out of bounds is named, with its construct: %o', (prop, props) => {
    expect(() => central(props)).toThrow(new RegExp(`Security/Alastor.*${prop} must be`));
  });

  it.each<[string, AlastorReferenceProps]>([
    ['one of bucketName, parameterName and exportName', {}],
    ['one of bucketName, parameterName and exportName', { bucketName: 'central', exportName: 'central' }],
    ['bucketName', { bucketName: 'Not_A_Bucket' }],
    ['parameterName', { parameterName: 'no slash' }],
    ['evidenceKeyArn', { bucketName: 'central', evidenceKeyArn: 'alias/key' }],
  ])('of a reference, %s: %o', (prop, props) => {
    expect(() => elsewhere(props)).toThrow(new RegExp(`Shop/Alastor.*${prop} must be`));
  });
});

describe('a collector in another region', () => {
  const key = 'arn:aws:kms:eu-west-1:999999999999:key/abc-def';

  function collector(props: Partial<AlastorCollectorProps> = {}): Stack {
    const stack = new Stack(bench.app(), 'Tokyo', { env: { account: '999999999999', region: 'ap-northeast-1' } });
    const given = { centralBucketName: 'central-evidence', centralKeyArn: key, layerDirectory: bench.layerDirectory };
    new AlastorCollector(stack, 'Alastor', { ...given, ...props }).auditAll(stack);
    return stack;
  }

  it('copies segments, and deletions never, to the central bucket under its key', () => {
    const template = templateOf(collector());
    template.hasResourceProperties('AWS::S3::Bucket', {
      VersioningConfiguration: { Status: 'Enabled' },
      ObjectLockEnabled: Match.absent(),
      ReplicationConfiguration: {
        Rules: [
          {
            Status: 'Enabled',
            Filter: { Prefix: 'segments/' },
            DeleteMarkerReplication: { Status: 'Disabled' },
            // S3 refuses EncryptionConfiguration without.
            SourceSelectionCriteria: { SseKmsEncryptedObjects: { Status: 'Enabled' } },
            Destination: {
              Bucket: { 'Fn::Join': ['', ['arn:', { Ref: 'AWS::Partition' }, ':s3:::central-evidence']] },
              EncryptionConfiguration: { ReplicaKmsKeyID: key },
            },
          },
        ],
      },
    });
    template.hasOutput('AlastorEvidenceBucket', {});
    template.resourceCountIs('AWS::Lambda::Function', 0);
  });

  it('has a key of its own where the central bucket has one, which the copying alone may decrypt with', () => {
    const template = templateOf(collector({ sharedWith: { accounts: ['111122223333'] } }));
    const [[id = ''] = []] = Object.entries(template.findResources('AWS::KMS::Key'));
    const ARN = { 'Fn::GetAtt': [id, 'Arn'] };
    template.hasOutput('AlastorEvidenceKey', { Value: ARN });
    template.hasResourceProperties('AWS::S3::Bucket', {
      BucketEncryption: {
        ServerSideEncryptionConfiguration: [
          { BucketKeyEnabled: true, ServerSideEncryptionByDefault: { SSEAlgorithm: 'aws:kms', KMSMasterKeyID: ARN } },
        ],
      },
    });
    const statements = template.findResources('AWS::KMS::Key')[id]?.Properties.KeyPolicy.Statement as readonly object[];
    const through = { StringEquals: { 'kms:ViaService': 's3.ap-northeast-1.amazonaws.com' } };
    expect(statements.filter((one) => JSON.stringify(one).includes('Decrypt'))).toMatchObject([
      {
        Action: 'kms:Decrypt',
        Principal: { AWS: { 'Fn::GetAtt': [expect.stringContaining('Replication'), 'Arn'] } },
        Condition: through,
      },
    ]);
    expect(statements).toContainEqual(
      expect.objectContaining({ Sid: 'EncryptForOtherAccounts', Action: 'kms:GenerateDataKey', Condition: through }),
    );
  });

  it('has functions of its region encrypt with that key, and none where the central bucket has none', () => {
    const shop = (props: Partial<AlastorCollectorProps>) => {
      const stack = new Stack(bench.app(), 'Tokyo', { env: { account: '999999999999', region: 'ap-northeast-1' } });
      inlineFunction(stack, 'Purchase');
      const given = { centralBucketName: 'central-evidence', layerDirectory: bench.layerDirectory };
      new AlastorCollector(stack, 'Alastor', { ...given, ...props }).auditAll(stack);
      return templateOf(stack);
    };
    const generate = Match.arrayWith([Match.objectLike({ Action: 'kms:GenerateDataKey', Effect: 'Allow' })]);
    shop({ centralKeyArn: key }).hasResourceProperties('AWS::IAM::Policy', { PolicyDocument: { Statement: generate } });
    const plain = shop({});
    plain.resourceCountIs('AWS::KMS::Key', 0);
    expect(JSON.stringify(plain.toJSON())).not.toMatch(/kms:|SseKms|ReplicaKms/);
  });

  it('lets S3 read and copy segments only, and nobody overwrite them', () => {
    const template = templateOf(collector());
    const [policy] = Object.values(template.findResources('AWS::IAM::Policy'));
    const statements = policy!.Properties.PolicyDocument.Statement as readonly {
      Action: string | string[];
      Resource: unknown;
    }[];
    expect(statements.map(({ Action }) => Action)).toEqual([
      ['s3:GetReplicationConfiguration', 's3:ListBucket'],
      ['s3:GetObjectVersionForReplication', 's3:GetObjectVersionAcl', 's3:GetObjectVersionTagging'],
      ['s3:ReplicateObject', 's3:ReplicateTags'],
      'kms:Decrypt',
      ['kms:Encrypt', 'kms:GenerateDataKey'],
    ]);
    expect(statements[3]).toMatchObject({
      Condition: { StringEquals: { 'kms:ViaService': 's3.ap-northeast-1.amazonaws.com' } },
    });
    expect(statements[4]).toMatchObject({
      ...{ Resource: key, Condition: { StringEquals: { 'kms:ViaService': 's3.eu-west-1.amazonaws.com' } } },
    });
    expect(statements.slice(1, 3).every(({ Resource }) => JSON.stringify(Resource).includes('/segments/*'))).toBe(true);
    template.hasResourceProperties('AWS::S3::BucketPolicy', {
      PolicyDocument: { Statement: Match.arrayWith([Match.objectLike({ Sid: 'NothingOverwritten', Effect: 'Deny' })]) },
    });
  });

  it('records functions of its region by account, region and name', () => {
    const stack = new Stack(bench.app(), 'Tokyo', { env: { account: '999999999999', region: 'ap-northeast-1' } });
    const fn = inlineFunction(stack, 'Purchase');
    const props = { centralBucketName: 'central-evidence', layerDirectory: bench.layerDirectory };
    new AlastorCollector(stack, 'Alastor', props).auditAll(stack);
    expect(variables(fn)).toMatchObject({ ALASTOR_QUALIFIER: '999999999999.ap-northeast-1.' });
  });

  it.each<[keyof AlastorCollectorProps, Partial<AlastorCollectorProps>]>([
    ['centralBucketName', { centralBucketName: 'X' }],
    ['centralKeyArn', { centralKeyArn: 'alias/x' }],
    ['retention', { retention: Duration.days(91) }],
    ['sharedWith', { sharedWith: { accounts: ['1'] } }],
  ])('names the prop that is out of bounds: %s %o', (prop, props) => {
    expect(() => collector(props)).toThrow(new RegExp(`Tokyo/Alastor.*${prop} must be`));
  });
});

describe('a key of the central bucket', () => {
  it('encrypts for the organization, through S3 only, and decrypts for nobody else', () => {
    const template = templateOf(central({ sharedWith: { organizationId: 'o-abcdefghij' } }));
    const [key] = Object.values(template.findResources('AWS::KMS::Key'));
    const statements = key!.Properties.KeyPolicy.Statement as readonly { Sid?: string; Action: unknown; Condition: unknown }[];
    expect(statements.filter(({ Sid }) => Sid === 'EncryptForOtherAccounts')).toMatchObject([
      {
        Action: 'kms:GenerateDataKey',
        Condition: {
          StringEquals: { 'kms:ViaService': 's3.eu-west-1.amazonaws.com', 'aws:PrincipalOrgID': 'o-abcdefghij' },
          StringNotEquals: { 'aws:PrincipalAccount': '999999999999' },
        },
      },
    ]);
  });
});
