import { apiId } from '../ids.ts';
import { TemplateError } from '../template/problem.ts';
import { type Resource, type ResourceType, text } from '../template/resource-type.ts';
import { apiOf } from './api-draft.ts';

/** Path of a REST API's resource. */
export function resourcePath(resource: Resource, property: string): string {
  const path = resource.services.drafts.get(`resource:${text(resource, property)}`);
  if (typeof path === 'string') return path;
  throw new TemplateError(resource.at(property), 'names no resource of the stack.');
}

export const restResource: ResourceType = {
  type: 'AWS::ApiGateway::Resource',
  properties: { ParentId: true, PathPart: true, RestApiId: true },
  create(resource) {
    apiOf(resource, 'RestApiId');
    const id = apiId().slice(0, 6);
    const parent = resourcePath(resource, 'ParentId');
    resource.services.drafts.set(`resource:${id}`, `${parent === '/' ? '' : parent}/${text(resource, 'PathPart')}`);
    return { ref: id, attributes: { ResourceId: id } };
  },
};
