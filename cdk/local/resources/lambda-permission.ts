import { functionName } from '../environment.ts';
import { type ResourceType, text } from '../template/resource-type.ts';
import { NO_AUTHORISATION } from './reasons.ts';

/** Nothing is authorised locally, but who may invoke a function is told to whoever asks (GetPolicy). */
export const permission: ResourceType = {
  type: 'AWS::Lambda::Permission',
  properties: {
    FunctionName: true,
    Action: true,
    Principal: true,
    SourceArn: true,
    SourceAccount: NO_AUTHORISATION,
    EventSourceToken: NO_AUTHORISATION,
    FunctionUrlAuthType: NO_AUTHORISATION,
    InvokedViaFunctionUrl: NO_AUTHORISATION,
    PrincipalOrgID: NO_AUTHORISATION,
  },
  create(resource) {
    const { SourceArn: sourceArn } = resource.properties;
    resource.services.topology.permissions.push({
      ...{ functionName: functionName(text(resource, 'FunctionName')), sid: resource.logicalId },
      ...{ principal: text(resource, 'Principal'), action: text(resource, 'Action') },
      ...(typeof sourceArn === 'string' ? { sourceArn } : {}),
    });
    return { ref: resource.logicalId, attributes: { Id: resource.logicalId } };
  },
};
