import { functionName } from '../environment.ts';
import { apiId } from '../ids.ts';
import { TemplateError } from '../template/problem.ts';
import { type ResourceType, text } from '../template/resource-type.ts';

export const functionUrl: ResourceType = {
  type: 'AWS::Lambda::Url',
  properties: { TargetFunctionArn: true, AuthType: true, InvokeMode: true, Qualifier: 'there is one version of the code' },
  create(resource) {
    const { services, properties } = resource;
    if (properties.InvokeMode === 'RESPONSE_STREAM')
      throw new TemplateError(resource.at('InvokeMode'), 'streamed responses are not supported locally; use BUFFERED.');
    const { env, apis } = services;
    if (text(resource, 'AuthType') !== 'NONE') env.log(`${resource.logicalId}: signatures are not checked locally`);
    const name = functionName(text(resource, 'TargetFunctionArn'));
    const arn = `arn:aws:lambda:${env.region}:${env.accountId}:function:${name}`;
    const FunctionUrl = apis.addFunctionUrl(apiId(), arn);
    services.topology.urls.push({ functionName: name, FunctionUrl, AuthType: text(resource, 'AuthType') });
    return { ref: arn, attributes: { FunctionUrl, FunctionArn: arn } };
  },
};
