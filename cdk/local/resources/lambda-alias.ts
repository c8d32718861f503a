import { functionName } from '../environment.ts';
import { type ResourceType, text } from '../template/resource-type.ts';
import { DESCRIPTION } from './reasons.ts';

/** An alias means the one code that is there. */
export const alias: ResourceType = {
  type: 'AWS::Lambda::Alias',
  properties: { FunctionName: true, FunctionVersion: true, Name: true, Description: DESCRIPTION },
  create(resource) {
    const { region, accountId } = resource.services.env;
    const arn = `arn:aws:lambda:${region}:${accountId}:function:${functionName(text(resource, 'FunctionName'))}:${text(resource, 'Name')}`;
    return { ref: arn, attributes: { AliasArn: arn } };
  },
};
