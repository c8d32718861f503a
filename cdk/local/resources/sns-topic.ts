import { TemplateError } from '../template/problem.ts';
import { flag, type ResourceType } from '../template/resource-type.ts';
import { DESCRIPTION, ENCRYPTION, NO_TRACING, TAGS } from './reasons.ts';

export const topic: ResourceType = {
  type: 'AWS::SNS::Topic',
  properties: {
    TopicName: true,
    FifoTopic: true,
    DisplayName: DESCRIPTION,
    KmsMasterKeyId: ENCRYPTION,
    TracingConfig: NO_TRACING,
    Tags: TAGS,
  },
  create(resource) {
    if (flag(resource.properties.FifoTopic))
      throw new TemplateError(resource.at('FifoTopic'), 'FIFO topics are not supported locally; use a standard topic.');
    const name = resource.name(resource.properties.TopicName, 256);
    const arn = resource.services.sns.createTopic(name);
    return { ref: arn, attributes: { TopicArn: arn, TopicName: name } };
  },
};
