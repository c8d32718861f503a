import { randomUUID } from 'node:crypto';
import { functionName, parseArn } from '../environment.ts';
import { checkPattern, type Pattern } from '../services/events/pattern.ts';
import type { MappingSettings } from '../sources/source.ts';
import { TemplateError } from '../template/problem.ts';
import { flag, number, object, objects, type Resource, type ResourceType, text } from '../template/resource-type.ts';
import { ENCRYPTION, NO_METRICS, TAGS } from './reasons.ts';

/** Batch sizes of Lambda where none is given. */
const SQS_BATCH = 10;
const STREAM_BATCH = 100;
/** Lambda starts with this many pollers per queue. */
const SQS_CONCURRENCY = 5;

function filters(resource: Resource): Pattern[] {
  return objects(object(resource.properties.FilterCriteria).Filters).map((one) => {
    try {
      const pattern: unknown = JSON.parse(String(one.Pattern));
      checkPattern(pattern);
      return pattern;
    } catch (cause) {
      throw new TemplateError(resource.at('FilterCriteria'), cause instanceof Error ? cause.message : String(cause), { cause });
    }
  });
}

function settings(resource: Resource, batchSize: number): MappingSettings {
  const types = (resource.properties.FunctionResponseTypes ?? []) as unknown[];
  return {
    functionName: functionName(text(resource, 'FunctionName')),
    batchSize: number(resource, 'BatchSize', batchSize),
    windowMs: number(resource, 'MaximumBatchingWindowInSeconds', 0) * 1000,
    partialFailures: types.includes('ReportBatchItemFailures'),
    filters: filters(resource),
  };
}

function fromQueue(resource: Resource, arn: string): void {
  const { services, properties } = resource;
  const queue = services.sqs.byArn(arn);
  if (queue === null) throw new TemplateError(resource.at('EventSourceArn'), `the queue ${arn} is not part of the stack.`);
  const most = object(properties.ScalingConfig).MaximumConcurrency;
  services.sources.add({
    kind: 'sqs',
    mapping: { ...settings(resource, SQS_BATCH), queue, concurrency: most === undefined ? SQS_CONCURRENCY : Number(most) },
  });
}

function fromStream(resource: Resource, streamArn: string): void {
  const { services, properties } = resource;
  const position = text(resource, 'StartingPosition');
  if (position !== 'TRIM_HORIZON' && position !== 'LATEST')
    throw new TemplateError(
      resource.at('StartingPosition'),
      `${position} is not supported for DynamoDB streams; use TRIM_HORIZON or LATEST.`,
    );
  const destination = object(object(properties.DestinationConfig).OnFailure).Destination;
  services.sources.add({
    kind: 'stream',
    mapping: {
      ...settings(resource, STREAM_BATCH),
      streamArn,
      startingPosition: position,
      bisect: flag(properties.BisectBatchOnFunctionError),
      maxRetries: number(resource, 'MaximumRetryAttempts', -1),
      onFailureArn: typeof destination === 'string' ? destination : null,
    },
  });
}

export const eventSourceMapping: ResourceType = {
  type: 'AWS::Lambda::EventSourceMapping',
  properties: {
    EventSourceArn: true,
    FunctionName: true,
    Enabled: true,
    BatchSize: true,
    MaximumBatchingWindowInSeconds: true,
    FunctionResponseTypes: true,
    ScalingConfig: { MaximumConcurrency: true },
    FilterCriteria: { Filters: [{ Pattern: true }] },
    StartingPosition: true,
    BisectBatchOnFunctionError: true,
    MaximumRetryAttempts: true,
    DestinationConfig: { OnFailure: { Destination: true } },
    MaximumRecordAgeInSeconds: 'records do not wait for hours locally',
    ParallelizationFactor: 'batches of a shard are handed over one after the other, which every function must stand',
    KmsKeyArn: ENCRYPTION,
    MetricsConfig: NO_METRICS,
    Tags: TAGS,
  },
  create(resource) {
    const arn = text(resource, 'EventSourceArn');
    const id = randomUUID();
    const { region, accountId } = resource.services.env;
    const created = {
      ref: id,
      attributes: { Id: id, EventSourceMappingArn: `arn:aws:lambda:${region}:${accountId}:event-source-mapping:${id}` },
    };
    const { Enabled: enabled = true } = resource.properties;
    const of = functionName(text(resource, 'FunctionName'));
    const State = flag(enabled) ? 'Enabled' : 'Disabled';
    resource.services.topology.mappings.push({ UUID: id, EventSourceArn: arn, functionName: of, State });
    if (!flag(enabled)) return created;
    const service = parseArn(arn)?.service;
    if (service === 'sqs') fromQueue(resource, arn);
    else if (service === 'dynamodb') fromStream(resource, arn);
    else
      throw new TemplateError(
        resource.at('EventSourceArn'),
        `${arn} is neither a queue nor a table's stream; other sources are not supported locally.`,
      );
    return created;
  },
};
