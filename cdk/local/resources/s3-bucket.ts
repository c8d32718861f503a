import { randomUUID } from 'node:crypto';
import { BUCKET_NAME } from '../services/s3/buckets.ts';
import type { NotificationConfig, NotificationTarget } from '../services/s3/notification-config.ts';
import type { ObjectLock } from '../services/s3/store.ts';
import { TemplateError } from '../template/problem.ts';
import { object, objects, type ResourceType } from '../template/resource-type.ts';
import { NO_AUTHORISATION, NO_METRICS, SHORT_LIVED, TAGS } from './reasons.ts';

/** One entry of LambdaConfigurations, QueueConfigurations or TopicConfigurations. */
function target(entry: Record<string, unknown>, property: string): NotificationTarget {
  const rules = objects(object(object(entry.Filter).S3Key).Rules);
  const affix = (name: string) => String(rules.find((one) => String(one.Name).toLowerCase() === name)?.Value ?? '');
  return {
    id: randomUUID(),
    arn: String(entry[property]),
    events: [String(entry.Event)],
    prefix: affix('prefix'),
    suffix: affix('suffix'),
  };
}

function notifications(value: unknown): NotificationConfig | null {
  if (value === undefined) return null;
  const config = object(value);
  return {
    targets: [
      ...objects(config.LambdaConfigurations).map((one) => target(one, 'Function')),
      ...objects(config.QueueConfigurations).map((one) => target(one, 'Queue')),
      ...objects(config.TopicConfigurations).map((one) => target(one, 'Topic')),
    ],
    eventBridge:
      config.EventBridgeConfiguration !== undefined && object(config.EventBridgeConfiguration).EventBridgeEnabled !== false,
  };
}

const FILTER = { S3Key: { Rules: [{ Name: true, Value: true }] } } as const;

/** Nothing is encrypted here, but who may use the key is checked. */
function encryptionKey(value: unknown): string | null {
  const [rule] = objects(object(value).ServerSideEncryptionConfiguration);
  const { KMSMasterKeyID: key } = object(rule?.ServerSideEncryptionByDefault);
  return typeof key === 'string' && key.startsWith('arn:') ? key : null;
}

function objectLock(value: unknown): ObjectLock | null {
  const { Mode, Days, Years } = object(object(object(value).Rule).DefaultRetention);
  if (Mode !== 'GOVERNANCE' && Mode !== 'COMPLIANCE') return null;
  return { mode: Mode, days: Days === undefined ? Number(Years) * 365 : Number(Days) };
}

export const bucket: ResourceType = {
  type: 'AWS::S3::Bucket',
  properties: {
    BucketName: true,
    VersioningConfiguration: { Status: true },
    NotificationConfiguration: {
      LambdaConfigurations: [{ Event: true, Function: true, Filter: FILTER }],
      QueueConfigurations: [{ Event: true, Queue: true, Filter: FILTER }],
      TopicConfigurations: [{ Event: true, Topic: true, Filter: FILTER }],
      EventBridgeConfiguration: { EventBridgeEnabled: true },
    },
    AccessControl: NO_AUTHORISATION,
    BucketEncryption: true,
    CorsConfiguration: 'no browser talks to the bucket locally',
    IntelligentTieringConfigurations: 'there is one kind of storage',
    LifecycleConfiguration: SHORT_LIVED,
    LoggingConfiguration: NO_METRICS,
    MetricsConfigurations: NO_METRICS,
    ObjectLockConfiguration: {
      ObjectLockEnabled: true,
      Rule: { DefaultRetention: { Mode: true, Days: true, Years: true } },
    },
    ObjectLockEnabled: true,
    OwnershipControls: NO_AUTHORISATION,
    PublicAccessBlockConfiguration: NO_AUTHORISATION,
    Tags: TAGS,
  },
  create(resource) {
    const { properties, services } = resource;
    const name = resource.name(properties.BucketName, 63).toLowerCase();
    if (!BUCKET_NAME.test(name)) throw new TemplateError(resource.at('BucketName'), `${name} is not a valid bucket name.`);
    const created = services.s3.buckets.create(name);
    const status = object(properties.VersioningConfiguration).Status;
    if (status === 'Enabled' || status === 'Suspended') created.versioning = status;
    created.keyArn = encryptionKey(properties.BucketEncryption);
    created.lock = objectLock(properties.ObjectLockConfiguration);
    created.notifications = notifications(properties.NotificationConfiguration);
    const domain = `${name}.s3.amazonaws.com`;
    return {
      ref: name,
      attributes: {
        Arn: `arn:aws:s3:::${name}`,
        DomainName: domain,
        RegionalDomainName: `${name}.s3.${services.env.region}.amazonaws.com`,
        WebsiteURL: `${services.env.endpoint}/${name}`,
      },
    };
  },
};
