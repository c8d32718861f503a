import { checkPattern } from '../services/events/pattern.ts';
import { TemplateError } from '../template/problem.ts';
import { flag, type ResourceType, text } from '../template/resource-type.ts';

export const subscription: ResourceType = {
  type: 'AWS::SNS::Subscription',
  properties: {
    TopicArn: true,
    Protocol: true,
    Endpoint: true,
    RawMessageDelivery: true,
    FilterPolicy: true,
    FilterPolicyScope: true,
    Region: 'there is one region',
  },
  create(resource) {
    const { properties, services } = resource;
    const protocol = text(resource, 'Protocol');
    if (protocol !== 'lambda' && protocol !== 'sqs')
      throw new TemplateError(resource.at('Protocol'), `${protocol} is not supported locally; lambda and sqs are.`);
    const { FilterPolicy: policy } = properties;
    const filter: unknown = policy === undefined ? null : typeof policy === 'string' ? JSON.parse(policy) : policy;
    if (filter !== null) checkPattern(filter);
    const arn = services.sns.subscribe({
      topicArn: text(resource, 'TopicArn'),
      protocol,
      endpoint: text(resource, 'Endpoint'),
      raw: flag(properties.RawMessageDelivery),
      filter,
      filterScope: properties.FilterPolicyScope === 'MessageBody' ? 'MessageBody' : 'MessageAttributes',
    });
    return { ref: arn, attributes: { Arn: arn } };
  },
};
