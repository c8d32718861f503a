import { randomUUID } from 'node:crypto';
import type { NotificationTarget } from '../services/s3/notification-config.ts';
import { TemplateError } from '../template/problem.ts';
import { object, objects, type ResourceType, text } from '../template/resource-type.ts';

/** One entry in the shape of PutBucketNotificationConfiguration. */
function target(entry: Record<string, unknown>, property: string): NotificationTarget {
  const rules = objects(object(object(entry.Filter).Key).FilterRules);
  const affix = (name: string) => String(rules.find((one) => String(one.Name).toLowerCase() === name)?.Value ?? '');
  return {
    id: typeof entry.Id === 'string' ? entry.Id : randomUUID(),
    arn: String(entry[property]),
    events: (Array.isArray(entry.Events) ? entry.Events : []).map(String),
    prefix: affix('prefix'),
    suffix: affix('suffix'),
  };
}

const FILTER = { Key: { FilterRules: [{ Name: true, Value: true }] } } as const;

/** What `bucket.addEventNotification` makes: applied here directly, without the Python function that CDK adds for it. */
export const bucketNotifications: ResourceType = {
  type: 'Custom::S3BucketNotifications',
  properties: {
    ServiceToken: 'applied without the function behind it',
    BucketName: true,
    NotificationConfiguration: {
      LambdaFunctionConfigurations: [{ Id: true, Events: true, LambdaFunctionArn: true, Filter: FILTER }],
      QueueConfigurations: [{ Id: true, Events: true, QueueArn: true, Filter: FILTER }],
      TopicConfigurations: [{ Id: true, Events: true, TopicArn: true, Filter: FILTER }],
      EventBridgeConfiguration: true,
    },
    Managed: 'there is nothing from outside the stack to keep',
    SkipDestinationValidation: 'targets are not validated',
  },
  create(resource) {
    const bucket = resource.services.s3.buckets.find(text(resource, 'BucketName'));
    if (bucket === null) throw new TemplateError(resource.at('BucketName'), 'the bucket is not part of the stack.');
    const config = object(resource.properties.NotificationConfiguration);
    bucket.notifications = {
      targets: [
        ...(bucket.notifications?.targets ?? []),
        ...objects(config.LambdaFunctionConfigurations).map((one) => target(one, 'LambdaFunctionArn')),
        ...objects(config.QueueConfigurations).map((one) => target(one, 'QueueArn')),
        ...objects(config.TopicConfigurations).map((one) => target(one, 'TopicArn')),
      ],
      eventBridge: bucket.notifications?.eventBridge === true || config.EventBridgeConfiguration !== undefined,
    };
    return { ref: resource.name(undefined), attributes: {} };
  },
};
