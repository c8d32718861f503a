import { object, type ResourceType, text } from '../template/resource-type.ts';
import { apiOf } from './api-draft.ts';
import { DESCRIPTION, NO_METRICS, NO_TRACING, TAGS } from './reasons.ts';

export const restStage: ResourceType = {
  type: 'AWS::ApiGateway::Stage',
  properties: {
    RestApiId: true,
    StageName: true,
    Variables: true,
    DeploymentId: 'methods are served as the template has them',
    AccessLogSetting: NO_METRICS,
    MethodSettings: 'requests are not limited, logged or cached locally',
    TracingEnabled: NO_TRACING,
    Description: DESCRIPTION,
    Tags: TAGS,
  },
  create(resource) {
    const name = text(resource, 'StageName');
    apiOf(resource, 'RestApiId').stages.push({
      name,
      variables: object(resource.properties.Variables) as Record<string, string>,
    });
    return { ref: name, attributes: {} };
  },
};
