import { functionName } from '../environment.ts';
import { type ResourceType, text } from '../template/resource-type.ts';
import { DESCRIPTION } from './reasons.ts';

/** Published versions run the one code that is there. */
export const version: ResourceType = {
  type: 'AWS::Lambda::Version',
  properties: { FunctionName: true, Description: DESCRIPTION, CodeSha256: 'the code is the one of this synthesis' },
  create(resource) {
    const { region, accountId } = resource.services.env;
    const arn = `arn:aws:lambda:${region}:${accountId}:function:${functionName(text(resource, 'FunctionName'))}:1`;
    return { ref: arn, attributes: { Version: '1', FunctionArn: arn } };
  },
};
