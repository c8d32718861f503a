import { Duration, type RemovalPolicy } from 'aws-cdk-lib';
import { AttributeType, BillingMode, Table } from 'aws-cdk-lib/aws-dynamodb';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { type Bucket, EventType } from 'aws-cdk-lib/aws-s3';
import { SqsDestination } from 'aws-cdk-lib/aws-s3-notifications';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { linksTable, mostReceives, segmentPrefix, shardsTable } from '../functions/store/schema.ts';
import { evidenceBucket } from './evidence-bucket.ts';
import { evidenceKey } from './evidence-key.ts';
import type { AlastorSettings } from './props.ts';

/** Where evidence lies: segments in a bucket, announced by a queue; the graph made of them in two tables. */
export class EvidenceStore extends Construct {
  readonly bucket: Bucket;
  /** What the bucket is encrypted with; undefined: S3's own key. */
  readonly key: IKey | undefined;
  readonly queue: Queue;
  readonly deadLetters: Queue;
  readonly shards: Table;
  readonly links: Table;

  /** @param stitcherTimeout bounds how long a message may be worked on. */
  constructor(scope: Construct, id: string, settings: AlastorSettings, stitcherTimeout: Duration) {
    super(scope, id);
    const { removalPolicy } = settings;

    this.key = evidenceKey(this, settings);
    this.bucket = evidenceBucket(this, settings, this.key);
    this.deadLetters = new Queue(this, 'DeadLetters', {
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      retentionPeriod: Duration.days(14),
    });
    this.queue = new Queue(this, 'Queue', {
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      // Lambda's own advice: six times the function's timeout, so that no message is handed out while it is being worked on.
      visibilityTimeout: Duration.seconds(stitcherTimeout.toSeconds() * 6),
      retentionPeriod: Duration.days(14),
      deadLetterQueue: { queue: this.deadLetters, maxReceiveCount: mostReceives },
    });
    // Only segments: spilled shards lie in the same bucket and must not come back as work.
    this.bucket.addEventNotification(EventType.OBJECT_CREATED, new SqsDestination(this.queue), { prefix: segmentPrefix });

    this.shards = this.table('Shards', shardsTable, removalPolicy);
    this.links = this.table('Links', linksTable, removalPolicy);
  }

  private table(id: string, keys: { partitionKey: string; sortKey: string; ttl: string }, removalPolicy: RemovalPolicy): Table {
    return new Table(this, id, {
      partitionKey: { name: keys.partitionKey, type: AttributeType.STRING },
      sortKey: { name: keys.sortKey, type: AttributeType.STRING },
      timeToLiveAttribute: keys.ttl,
      billingMode: BillingMode.PAY_PER_REQUEST,
      removalPolicy,
    });
  }
}
