import { Duration, Stack } from 'aws-cdk-lib';
import { AnyPrincipal, type Conditions, Effect, PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import {
  BlockPublicAccess,
  Bucket,
  BucketEncryption,
  type CfnBucket,
  ObjectLockRetention,
  ObjectOwnership,
} from 'aws-cdk-lib/aws-s3';
import type { Construct } from 'constructs';
import { forgottenPrefix, segmentPrefix } from '../functions/store/schema.ts';
import type { AlastorSettings } from './props.ts';

/**
 * The bucket for evidence. What is written stays as it was written: nobody overwrites a segment, and until its retention is over
 * nobody deletes one (in `governance` mode but who may bypass it).
 */
export function evidenceBucket(scope: Construct, settings: AlastorSettings, key: IKey | undefined): Bucket {
  const { removalPolicy, retentionDays, objectLock, auditors } = settings;
  const retention = Duration.days(retentionDays);
  const bucket = new Bucket(scope, 'Bucket', {
    blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
    objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
    // A bucket key: one call of KMS for very many objects, where otherwise each would cost one.
    ...(key === undefined
      ? { encryption: BucketEncryption.S3_MANAGED }
      : { encryption: BucketEncryption.KMS, encryptionKey: key, bucketKeyEnabled: true }),
    enforceSSL: true,
    minimumTLSVersion: 1.2,
    versioned: true,
    objectLockEnabled: true,
    objectLockDefaultRetention:
      objectLock === 'compliance' ? ObjectLockRetention.compliance(retention) : ObjectLockRetention.governance(retention),
    removalPolicy,
    lifecycleRules: [
      // Expiration puts a delete marker before the version; a day later, its lock being over as well, that is gone for good.
      { id: 'Retention', expiration: retention, noncurrentVersionExpiration: Duration.days(1) },
      { id: 'Leftovers', expiredObjectDeleteMarker: true, abortIncompleteMultipartUploadAfter: Duration.days(1) },
    ],
  });
  logAccess(scope, bucket, settings);
  refuseRewriting(bucket);
  if (auditors.length > 0) {
    const principals = [...auditors];
    const objects = ['s3:GetObject', 's3:GetObjectVersion'];
    const resources = [segmentPrefix, forgottenPrefix].map((prefix) => bucket.arnForObjects(`${prefix}*`));
    bucket.addToResourcePolicy(new PolicyStatement({ principals, actions: objects, resources }));
    const lists = ['s3:ListBucket', 's3:ListBucketVersions'];
    bucket.addToResourcePolicy(new PolicyStatement({ principals, actions: lists, resources: [bucket.bucketArn] }));
  }
  return bucket;
}

/** Lets nobody put a segment, or a tombstone, in the place of another, or in a way that keeps it from being read. */
export function refuseRewriting(bucket: Bucket): void {
  for (const [sid, conditions] of REFUSALS) {
    bucket.addToResourcePolicy(
      new PolicyStatement({
        ...{ sid, effect: Effect.DENY, principals: [new AnyPrincipal()], actions: ['s3:PutObject'], conditions },
        resources: [segmentPrefix, forgottenPrefix].map((prefix) => bucket.arnForObjects(`${prefix}*`)),
      }),
    );
  }
}

/** Of these, what is refused to everybody, the administrator included: sid and condition. */
const REFUSALS: readonly (readonly [string, Conditions])[] = [
  // Without the header S3 would put a new version before the one that is there. Parts of a multipart upload cannot have it, so
  // there are none: a segment is 4 MB at most.
  ['NothingOverwritten', { Null: { 's3:if-none-match': 'true' } }],
  // Evidence that only its writer could read, or only after hours. The recorder asks for no encryption: it is the bucket's.
  ['NoKeyOfTheWriter', { Null: { 's3:x-amz-server-side-encryption-customer-algorithm': 'false' } }],
  ['NoOtherKey', { Null: { 's3:x-amz-server-side-encryption': 'false' } }],
  ['NoArchive', { Null: { 's3:x-amz-storage-class': 'false' }, StringNotEquals: { 's3:x-amz-storage-class': 'STANDARD' } }],
];

/** Who read or wrote evidence, as S3 logs it. A bucket with Object Lock cannot take such logs, so they have their own. */
function logAccess(scope: Construct, bucket: Bucket, { removalPolicy, retentionDays }: AlastorSettings): void {
  const logs = new Bucket(scope, 'AccessLogs', {
    blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
    objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
    encryption: BucketEncryption.S3_MANAGED,
    enforceSSL: true,
    minimumTLSVersion: 1.2,
    removalPolicy,
    lifecycleRules: [{ id: 'Retention', expiration: Duration.days(retentionDays) }],
  });
  const prefix = 'evidence/';
  // By hand: CDK does it with a policy only under a feature flag, and with an ACL otherwise, which new buckets refuse.
  (bucket.node.defaultChild as CfnBucket).loggingConfiguration = {
    destinationBucketName: logs.bucketName,
    logFilePrefix: prefix,
  };
  logs.addToResourcePolicy(
    new PolicyStatement({
      principals: [new ServicePrincipal('logging.s3.amazonaws.com')],
      actions: ['s3:PutObject'],
      resources: [logs.arnForObjects(`${prefix}*`)],
      // By account, not by the bucket's ARN: that would make the two buckets wait for each other.
      conditions: { StringEquals: { 'aws:SourceAccount': Stack.of(scope).account } },
    }),
  );
}
