import type { MockRoute, Route } from '../services/apigateway/api.ts';
import { segmentsOf } from '../services/apigateway/routes.ts';
import { TemplateError } from '../template/problem.ts';
import { object, objects, type Resource, type ResourceType, text } from '../template/resource-type.ts';
import { apiOf, checkAuthorization, integrationFunction } from './api-draft.ts';
import { resourcePath } from './apigateway-resource.ts';
import { DESCRIPTION, NO_AUTHORISATION } from './reasons.ts';

/** Longest a REST API waits by default. */
const DEFAULT_TIMEOUT_MS = 29_000;
const MOCK_ONLY = 'it concerns mock integrations, whose first answer is given';

/** A mock integration answers with fixed headers: what CDK makes for CORS preflight. */
function mock(integration: Record<string, unknown>): Pick<MockRoute, 'status' | 'headers'> {
  const [answer = {}] = objects(integration.IntegrationResponses);
  const headers = Object.entries(object(answer.ResponseParameters)).flatMap(([name, value]) => {
    const header = /^method\.response\.header\.(.+)$/.exec(name)?.[1];
    return header === undefined ? [] : [[header, String(value).replace(/^'(.*)'$/, '$1')] as const];
  });
  return { status: Number(answer.StatusCode ?? 200), headers: Object.fromEntries(headers) };
}

function route(resource: Resource): Route {
  const method = text(resource, 'HttpMethod');
  const path = resourcePath(resource, 'ResourceId');
  const base = { key: `${method} ${path}`, method, path, segments: segmentsOf(path) };
  const integration = object(resource.properties.Integration);
  if (integration.Type === 'MOCK') return { ...base, ...mock(integration) };
  if (integration.Type !== 'AWS_PROXY')
    throw new TemplateError(
      resource.at('Integration.Type'),
      `${String(integration.Type)} is not supported locally; AWS_PROXY with a function and MOCK are.`,
    );
  return {
    ...base,
    functionArn: integrationFunction(resource, integration.Uri, 'Integration.Uri'),
    payload: '1.0',
    timeoutMs: Number(integration.TimeoutInMillis ?? DEFAULT_TIMEOUT_MS),
    resourceId: text(resource, 'ResourceId'),
  };
}

export const restMethod: ResourceType = {
  type: 'AWS::ApiGateway::Method',
  properties: {
    HttpMethod: true,
    ResourceId: true,
    RestApiId: true,
    AuthorizationType: true,
    Integration: {
      Type: true,
      Uri: true,
      TimeoutInMillis: true,
      IntegrationResponses: true,
      IntegrationHttpMethod: 'functions are invoked, whatever the method',
      RequestTemplates: MOCK_ONLY,
      PassthroughBehavior: MOCK_ONLY,
      ConnectionType: 'everything is on 127.0.0.1',
      ResponseTransferMode: 'answers are buffered',
      Credentials: NO_AUTHORISATION,
    },
    ApiKeyRequired: NO_AUTHORISATION,
    AuthorizationScopes: NO_AUTHORISATION,
    MethodResponses: 'functions say themselves what they answer',
    OperationName: DESCRIPTION,
  },
  create(resource) {
    const api = apiOf(resource, 'RestApiId');
    checkAuthorization(resource);
    api.routes.push(route(resource));
    return { ref: resource.name(undefined), attributes: {} };
  },
};
