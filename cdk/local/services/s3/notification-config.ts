import { type BucketRequest, reply } from './request.ts';

/** Where notifications of a bucket go. */
export interface NotificationTarget {
  readonly id: string;
  /** ARN of a function, queue or topic. */
  readonly arn: string;
  /** E.g. `s3:ObjectCreated:*`. */
  readonly events: readonly string[];
  readonly prefix: string;
  readonly suffix: string;
}

export interface NotificationConfig {
  readonly targets: readonly NotificationTarget[];
  readonly eventBridge: boolean;
}

/** `s3:ObjectCreated:*` covers `ObjectCreated:Put`; names in events have no `s3:`. */
export function covers(pattern: string, eventName: string): boolean {
  const bare = pattern.replace(/^s3:/, '');
  return bare.endsWith('*') ? eventName.startsWith(bare.slice(0, -1)) : bare === eventName;
}

/** Targets that want to hear of `eventName` for `key`. Filters are compared with the key as it is, not URL-encoded. */
export function interested(config: NotificationConfig, eventName: string, key: string): NotificationTarget[] {
  return config.targets.filter(
    (target) =>
      target.events.some((pattern) => covers(pattern, eventName)) &&
      key.startsWith(target.prefix) &&
      key.endsWith(target.suffix),
  );
}

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketNotificationConfiguration.html */
export function getNotification(request: BucketRequest): void {
  const { targets = [], eventBridge = false } = request.bucket.notifications ?? {};
  const of = (service: string, name: string) =>
    targets
      .filter(({ arn }) => arn.split(':')[2] === service)
      .map(({ id, arn, events, prefix, suffix }) => ({
        ...{ Id: id, [name]: arn, Event: [...events] },
        Filter: { S3Key: { FilterRule: rules({ prefix, suffix }) } },
      }));
  const value = {
    ...{ TopicConfiguration: of('sns', 'Topic'), QueueConfiguration: of('sqs', 'Queue') },
    CloudFunctionConfiguration: of('lambda', 'CloudFunction'),
    ...(eventBridge ? { EventBridgeConfiguration: '' } : {}),
  };
  reply(request, 200, {}, { root: 'NotificationConfiguration', value });
}

const rules = (filter: Readonly<Record<string, string>>) =>
  Object.entries(filter).flatMap(([Name, Value]) => (Value === '' ? [] : [{ Name, Value }]));
