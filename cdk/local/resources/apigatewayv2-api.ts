import { apiId } from '../ids.ts';
import type { Cors } from '../services/apigateway/api.ts';
import { TemplateError } from '../template/problem.ts';
import { flag, object, type ResourceType } from '../template/resource-type.ts';
import { DESCRIPTION, TAGS } from './reasons.ts';

function cors(value: unknown): Cors | null {
  if (value === undefined) return null;
  const config = object(value);
  const list = (name: string) => (Array.isArray(config[name]) ? config[name].map(String) : []);
  return {
    origins: list('AllowOrigins'),
    methods: list('AllowMethods'),
    headers: list('AllowHeaders'),
    exposed: list('ExposeHeaders'),
    credentials: flag(config.AllowCredentials),
    maxAgeSeconds: config.MaxAge === undefined ? null : Number(config.MaxAge),
  };
}

export const httpApi: ResourceType = {
  type: 'AWS::ApiGatewayV2::Api',
  properties: {
    Name: true,
    ProtocolType: true,
    CorsConfiguration: true,
    Description: DESCRIPTION,
    DisableExecuteApiEndpoint: 'the local address is always there',
    DisableSchemaValidation: 'it only concerns WebSocket APIs',
    RouteSelectionExpression: 'HTTP APIs have one',
    IpAddressType: 'everything is on 127.0.0.1',
    Version: DESCRIPTION,
    Tags: TAGS,
  },
  create(resource) {
    const { properties, services } = resource;
    if (properties.ProtocolType !== 'HTTP')
      throw new TemplateError(
        resource.at('ProtocolType'),
        `${String(properties.ProtocolType)} APIs are not supported locally; HTTP is.`,
      );
    const id = apiId();
    const name = String(properties.Name ?? resource.logicalId);
    services.apis.add({ id, kind: 'http', name, stages: [], routes: [], cors: cors(properties.CorsConfiguration) });
    return { ref: id, attributes: { ApiId: id, ApiEndpoint: `${services.env.endpoint}/_api/${id}` } };
  },
};
