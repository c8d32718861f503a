import { TemplateError } from '../template/problem.ts';
import { flag, number, object, type Resource, type ResourceType } from '../template/resource-type.ts';
import { ENCRYPTION, NO_AUTHORISATION, SHORT_LIVED, TAGS } from './reasons.ts';

function redrive(resource: Resource): { deadLetterArn: string; maxReceiveCount: number } | null {
  const { RedrivePolicy: policy } = resource.properties;
  if (policy === undefined) return null;
  const read = object(typeof policy === 'string' ? JSON.parse(policy) : policy);
  if (typeof read.deadLetterTargetArn !== 'string' || !Number.isInteger(Number(read.maxReceiveCount)))
    throw new TemplateError(resource.at('RedrivePolicy'), 'needs deadLetterTargetArn and maxReceiveCount.');
  return { deadLetterArn: read.deadLetterTargetArn, maxReceiveCount: Number(read.maxReceiveCount) };
}

export const queue: ResourceType = {
  type: 'AWS::SQS::Queue',
  properties: {
    QueueName: true,
    VisibilityTimeout: true,
    DelaySeconds: true,
    ReceiveMessageWaitTimeSeconds: true,
    RedrivePolicy: true,
    FifoQueue: true,
    ContentBasedDeduplication: true,
    DeduplicationScope: 'deduplication is over the whole queue',
    FifoThroughputLimit: 'a queue takes whatever the machine can do',
    MaximumMessageSize: 'the limit of the service (1 MiB) holds',
    MessageRetentionPeriod: SHORT_LIVED,
    RedriveAllowPolicy: NO_AUTHORISATION,
    KmsMasterKeyId: ENCRYPTION,
    KmsDataKeyReusePeriodSeconds: ENCRYPTION,
    SqsManagedSseEnabled: ENCRYPTION,
    Tags: TAGS,
  },
  create(resource) {
    const { properties, services } = resource;
    const fifo = flag(properties.FifoQueue);
    const name =
      typeof properties.QueueName === 'string'
        ? properties.QueueName
        : `${resource.name(undefined, fifo ? 75 : 80)}${fifo ? '.fifo' : ''}`;
    const created = services.sqs.create(name, {
      visibilityTimeoutSeconds: number(resource, 'VisibilityTimeout', 30),
      delaySeconds: number(resource, 'DelaySeconds', 0),
      receiveWaitSeconds: number(resource, 'ReceiveMessageWaitTimeSeconds', 0),
      fifo,
      contentBasedDeduplication: flag(properties.ContentBasedDeduplication),
      redrive: redrive(resource),
    });
    const url = services.sqs.url(created);
    return { ref: url, attributes: { Arn: created.arn, QueueName: name, QueueUrl: url } };
  },
};
