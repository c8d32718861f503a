import { Duration, RemovalPolicy, Stack, Token } from 'aws-cdk-lib';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { BlockPublicAccess, Bucket, BucketEncryption, type CfnBucket, ObjectOwnership } from 'aws-cdk-lib/aws-s3';
import type { Construct } from 'constructs';
import { segmentPrefix } from '../functions/store/schema.ts';
import { Auditor } from './auditor.ts';
import { refuseRewriting } from './evidence-bucket.ts';
import { evidenceKey, letDecrypt, throughS3 } from './evidence-key.ts';
import type { AuditProps } from './props.ts';
import { checkSharing, type SharingProps, shareBucket } from './sharing.ts';

export interface AlastorCollectorProps extends AuditProps, Pick<SharingProps, 'sharedWith'> {
  /** Evidence bucket of the `Alastor` in its own region: its output `<id>EvidenceBucket`. Both belong to the same account. */
  readonly centralBucketName: string;

  /**
   * ARN of the key of that bucket: its output `<id>EvidenceKey`. The bucket here then has a key of its own.
   * @default none: both buckets have S3's own key
   */
  readonly centralKeyArn?: string;

  /**
   * How long segments stay here, too, when they have been copied: whole days, 1 to 90.
   * @default 7 days
   */
  readonly retention?: Duration;

  /**
   * What becomes of the bucket here when the stack is deleted. One with objects in it is never deleted.
   * @default RemovalPolicy.RETAIN
   */
  readonly removalPolicy?: RemovalPolicy;
}

/**
 * Takes the evidence of functions in another region than the `Alastor`, so that they need not reach across the world at the end of a
 * request; S3 copies it to the bucket there, where it is stitched and asked about with all the rest.
 *
 * Output of the stack: `<id>EvidenceBucket`, the `bucketName` for `Alastor.fromReference` of apps in this region. With `centralKeyArn`
 * also `<id>EvidenceKey`, its `evidenceKeyArn`.
 */
export class AlastorCollector extends Auditor {
  readonly bucket: Bucket;
  readonly evidenceKeyArn: string | undefined;
  /** Names of functions are those of several regions once the evidence is together. */
  readonly qualified = true;
  readonly witness = undefined;

  /** @throws Error naming the prop when one is out of its bounds. */
  constructor(scope: Construct, id: string, props: AlastorCollectorProps) {
    super(scope, id, props);
    const { removalPolicy = RemovalPolicy.RETAIN, centralKeyArn } = props;
    const days = this.check(props);
    // A key lies in one region, and S3 replicates under another only what was under one before.
    const encryptionKey = centralKeyArn === undefined ? false : undefined;
    const key = evidenceKey(this, { encryptionKey, removalPolicy, auditors: [] });
    this.evidenceKeyArn = key?.keyArn;
    this.bucket = new Bucket(this, 'Bucket', {
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      ...(key === undefined
        ? { encryption: BucketEncryption.S3_MANAGED }
        : { encryption: BucketEncryption.KMS, encryptionKey: key, bucketKeyEnabled: true }),
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      // Versions are what replication needs. No Object Lock: a copy would take over its end, in place of the central bucket's.
      versioned: true,
      removalPolicy,
      lifecycleRules: [
        { id: 'Retention', expiration: Duration.days(days), noncurrentVersionExpiration: Duration.days(1) },
        { id: 'Leftovers', expiredObjectDeleteMarker: true, abortIncompleteMultipartUploadAfter: Duration.days(1) },
      ],
    });
    refuseRewriting(this.bucket);
    shareBucket(this, this.bucket, key, props);
    this.replicate(props, key);
    this.output('EvidenceBucket', this.bucket.bucketName, 'Bucket for the segments of functions in this region');
    if (key !== undefined) this.output('EvidenceKey', key.keyArn, 'Key that this bucket is encrypted with');
  }

  private check(props: AlastorCollectorProps): number {
    const { path } = this.node;
    const bad = (prop: keyof AlastorCollectorProps, rule: string, given: unknown) =>
      new Error(`Alastor (${path}): ${prop} must be ${rule}; it is ${String(given)}.`);
    checkSharing(path, props);
    const { centralBucketName: name, centralKeyArn: key, retention, removalPolicy = RemovalPolicy.RETAIN } = props;
    if (!Token.isUnresolved(name) && !/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(name)) {
      throw bad('centralBucketName', 'the name of an S3 bucket', name);
    }
    if (key !== undefined && !Token.isUnresolved(key) && !/^arn:[\w-]+:kms:[\w-]+:\d{12}:key\/[\w-]+$/.test(key)) {
      throw bad('centralKeyArn', 'the ARN of a key', key);
    }
    if (removalPolicy !== RemovalPolicy.RETAIN && removalPolicy !== RemovalPolicy.DESTROY) {
      throw bad('removalPolicy', 'RemovalPolicy.RETAIN or RemovalPolicy.DESTROY', removalPolicy);
    }
    const days = retention === undefined ? 7 : retention.toDays({ integral: false });
    if (!Number.isInteger(days) || days < 1 || days > 90) {
      throw bad('retention', 'whole days from 1 to 90', retention?.toHumanString());
    }
    return days;
  }

  /** By hand: what CDK would make of it may read and write more than segments. Actions: "Setting up permissions for live replication". */
  private replicate({ centralBucketName, centralKeyArn }: AlastorCollectorProps, key: IKey | undefined): void {
    const role = new Role(this, 'Replication', {
      assumedBy: new ServicePrincipal('s3.amazonaws.com'),
      description: 'Alastor: copies segments to the central bucket',
    });
    const central = `arn:${Stack.of(this).partition}:s3:::${centralBucketName}`;
    const allow = (actions: readonly string[], resource: string) =>
      role.addToPolicy(new PolicyStatement({ actions: [...actions], resources: [resource] }));
    allow(['s3:GetReplicationConfiguration', 's3:ListBucket'], this.bucket.bucketArn);
    const reads = ['s3:GetObjectVersionForReplication', 's3:GetObjectVersionAcl', 's3:GetObjectVersionTagging'];
    allow(reads, this.bucket.arnForObjects(`${segmentPrefix}*`));
    allow(['s3:ReplicateObject', 's3:ReplicateTags'], `${central}/${segmentPrefix}*`);
    if (key !== undefined && centralKeyArn !== undefined) {
      letDecrypt(this, key, role);
      role.addToPolicy(throughS3(this, key.keyArn, 'kms:Decrypt'));
      role.addToPolicy(throughS3(this, centralKeyArn, 'kms:Encrypt', 'kms:GenerateDataKey'));
    }
    (this.bucket.node.defaultChild as CfnBucket).replicationConfiguration = {
      role: role.roleArn,
      rules: [
        {
          ...{ id: 'Segments', status: 'Enabled', priority: 1, filter: { prefix: segmentPrefix } },
          // Who deletes here deletes nothing there.
          deleteMarkerReplication: { status: 'Disabled' },
          ...(centralKeyArn !== undefined && { sourceSelectionCriteria: { sseKmsEncryptedObjects: { status: 'Enabled' } } }),
          destination: {
            bucket: central,
            ...(centralKeyArn === undefined ? {} : { encryptionConfiguration: { replicaKmsKeyId: centralKeyArn } }),
          },
        },
      ],
    };
  }
}
