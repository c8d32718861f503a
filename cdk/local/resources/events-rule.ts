import { parseArn } from '../environment.ts';
import { checkPattern } from '../services/events/pattern.ts';
import { type RuleTarget, rateMs } from '../services/events/service.ts';
import { TemplateError } from '../template/problem.ts';
import { object, objects, type Resource, type ResourceType } from '../template/resource-type.ts';
import { DESCRIPTION, NO_AUTHORISATION, TAGS } from './reasons.ts';

function target(resource: Resource, entry: Record<string, unknown>): RuleTarget {
  const arn = String(entry.Arn);
  if (!['lambda', 'sqs', 'sns', 'events'].includes(parseArn(arn)?.service ?? ''))
    throw new TemplateError(
      resource.at('Targets'),
      `the target ${arn} is not supported locally; functions, queues, topics and buses are.`,
    );
  const transformer = entry.InputTransformer === undefined ? null : object(entry.InputTransformer);
  const group = object(entry.SqsParameters).MessageGroupId;
  return {
    id: String(entry.Id),
    arn,
    ...(typeof entry.Input === 'string' ? { input: entry.Input } : {}),
    ...(typeof entry.InputPath === 'string' ? { inputPath: entry.InputPath } : {}),
    ...(transformer === null
      ? {}
      : {
          transformer: {
            paths: object(transformer.InputPathsMap) as Record<string, string>,
            template: String(transformer.InputTemplate),
          },
        }),
    ...(typeof group === 'string' ? { messageGroupId: group } : {}),
  };
}

function schedule(resource: Resource): number | null {
  const { ScheduleExpression: expression } = resource.properties;
  if (typeof expression !== 'string') return null;
  const every = rateMs(expression);
  if (every === null)
    resource.services.env.log(`${resource.logicalId}: ${expression} is accepted and never fires locally; only rate(…) does`);
  return every;
}

export const rule: ResourceType = {
  type: 'AWS::Events::Rule',
  properties: {
    Name: true,
    EventBusName: true,
    EventPattern: true,
    ScheduleExpression: true,
    State: true,
    Targets: [
      {
        Id: true,
        Arn: true,
        Input: true,
        InputPath: true,
        InputTransformer: { InputPathsMap: true, InputTemplate: true },
        SqsParameters: { MessageGroupId: true },
        RetryPolicy: 'a target here either takes an event or never will',
        DeadLetterConfig: 'a target here either takes an event or never will',
        RoleArn: NO_AUTHORISATION,
      },
    ],
    Description: DESCRIPTION,
    RoleArn: NO_AUTHORISATION,
    Tags: TAGS,
  },
  create(resource) {
    const { properties, services } = resource;
    const { EventPattern: given, EventBusName: busName } = properties;
    const pattern: unknown = given === undefined ? null : typeof given === 'string' ? JSON.parse(given) : given;
    if (pattern !== null) checkPattern(pattern);
    const name = resource.name(properties.Name);
    const bus = typeof busName === 'string' ? (parseArn(busName)?.resource ?? busName).replace(/^event-bus\//, '') : 'default';
    const arn = services.events.createRule({
      name,
      bus,
      enabled: properties.State !== 'DISABLED',
      pattern,
      everyMs: schedule(resource),
      schedule: typeof properties.ScheduleExpression === 'string' ? properties.ScheduleExpression : null,
      targets: objects(properties.Targets).map((one) => target(resource, one)),
    });
    return { ref: bus === 'default' ? name : `${bus}|${name}`, attributes: { Arn: arn } };
  },
};
