import { type ResourceType, text } from '../template/resource-type.ts';
import { DESCRIPTION, TAGS } from './reasons.ts';

export const parameter: ResourceType = {
  type: 'AWS::SSM::Parameter',
  properties: {
    Name: true,
    Type: true,
    Value: true,
    Description: DESCRIPTION,
    Tags: TAGS,
    Tier: 'there are no limits of size locally',
  },
  create(resource) {
    const name = resource.name(resource.properties.Name, 1011);
    const value = text(resource, 'Value');
    resource.services.parameters.set(name, value);
    return { ref: name, attributes: { Type: text(resource, 'Type'), Value: value } };
  },
};
