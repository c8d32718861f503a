import { type ResourceType, text } from '../template/resource-type.ts';
import { DESCRIPTION, ENCRYPTION, NO_AUTHORISATION, NO_METRICS, TAGS } from './reasons.ts';

export const eventBus: ResourceType = {
  type: 'AWS::Events::EventBus',
  properties: {
    Name: true,
    Description: DESCRIPTION,
    KmsKeyIdentifier: ENCRYPTION,
    LogConfig: NO_METRICS,
    Policy: NO_AUTHORISATION,
    Tags: TAGS,
  },
  create(resource) {
    const name = text(resource, 'Name');
    const arn = resource.services.events.createBus(name);
    return { ref: name, attributes: { Arn: arn, Name: name } };
  },
};
