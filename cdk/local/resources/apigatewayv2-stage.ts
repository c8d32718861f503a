import { object, type ResourceType, text } from '../template/resource-type.ts';
import { apiOf } from './api-draft.ts';
import { DESCRIPTION, NO_METRICS, TAGS } from './reasons.ts';

const NO_LIMITS = 'requests are not limited locally';

export const httpStage: ResourceType = {
  type: 'AWS::ApiGatewayV2::Stage',
  properties: {
    ApiId: true,
    StageName: true,
    StageVariables: true,
    AutoDeploy: 'routes are served as the template has them',
    DeploymentId: 'routes are served as the template has them',
    AccessLogSettings: NO_METRICS,
    DefaultRouteSettings: NO_LIMITS,
    RouteSettings: NO_LIMITS,
    Description: DESCRIPTION,
    Tags: TAGS,
  },
  create(resource) {
    const name = text(resource, 'StageName');
    apiOf(resource, 'ApiId').stages.push({
      name,
      variables: object(resource.properties.StageVariables) as Record<string, string>,
    });
    return { ref: name, attributes: {} };
  },
};
