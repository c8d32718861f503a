import { apiId } from '../ids.ts';
import { segmentsOf } from '../services/apigateway/routes.ts';
import { TemplateError } from '../template/problem.ts';
import { type ResourceType, text } from '../template/resource-type.ts';
import { apiOf, checkAuthorization } from './api-draft.ts';
import type { HttpIntegration } from './apigatewayv2-integration.ts';
import { DESCRIPTION } from './reasons.ts';

export const httpRoute: ResourceType = {
  type: 'AWS::ApiGatewayV2::Route',
  properties: { ApiId: true, RouteKey: true, Target: true, AuthorizationType: true, OperationName: DESCRIPTION },
  create(resource) {
    const api = apiOf(resource, 'ApiId');
    checkAuthorization(resource);
    const key = text(resource, 'RouteKey');
    const integration = resource.services.drafts.get(`integration:${text(resource, 'Target').replace('integrations/', '')}`);
    if (integration === undefined) throw new TemplateError(resource.at('Target'), 'names no integration of the stack.');
    const [method, path] = key === '$default' ? ['ANY', '$default'] : key.split(' ');
    if (method === undefined || path === undefined)
      throw new TemplateError(resource.at('RouteKey'), `${key} is not "<method> <path>" or $default.`);
    api.routes.push({ key, method, path, segments: segmentsOf(path), resourceId: key, ...(integration as HttpIntegration) });
    const id = apiId().slice(0, 7);
    return { ref: id, attributes: { RouteId: id } };
  },
};
