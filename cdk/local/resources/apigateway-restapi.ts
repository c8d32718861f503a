import { apiId } from '../ids.ts';
import { TemplateError } from '../template/problem.ts';
import type { ResourceType } from '../template/resource-type.ts';
import { DESCRIPTION, NO_AUTHORISATION, TAGS } from './reasons.ts';

export const restApi: ResourceType = {
  type: 'AWS::ApiGateway::RestApi',
  properties: {
    Name: true,
    BinaryMediaTypes: true,
    ApiKeySourceType: NO_AUTHORISATION,
    Description: DESCRIPTION,
    DisableExecuteApiEndpoint: 'the local address is always there',
    EndpointConfiguration: 'everything is on 127.0.0.1',
    MinimumCompressionSize: 'answers go out as they are',
    Policy: NO_AUTHORISATION,
    Tags: TAGS,
  },
  create(resource) {
    const { properties, services } = resource;
    if (Array.isArray(properties.BinaryMediaTypes) && properties.BinaryMediaTypes.length > 0)
      throw new TemplateError(
        resource.at('BinaryMediaTypes'),
        'binary media types are not supported locally; leave them out for local runs.',
      );
    const id = apiId();
    services.apis.add({
      id,
      kind: 'rest',
      name: String(properties.Name ?? resource.logicalId),
      stages: [],
      routes: [],
      cors: null,
    });
    const root = apiId();
    services.drafts.set(`resource:${root}`, '/');
    return { ref: id, attributes: { RestApiId: id, RootResourceId: root } };
  },
};
