import type { ResourceType } from '../template/resource-type.ts';
import { ENCRYPTION, NO_AUTHORISATION, SHORT_LIVED, TAGS } from './reasons.ts';

export const logGroup: ResourceType = {
  type: 'AWS::Logs::LogGroup',
  properties: {
    LogGroupName: true,
    RetentionInDays: SHORT_LIVED,
    LogGroupClass: 'subscriptions work with each class locally',
    KmsKeyId: ENCRYPTION,
    DataProtectionPolicy: 'lines are passed on as they are',
    FieldIndexPolicies: 'logs are not searched locally',
    ResourcePolicyDocument: NO_AUTHORISATION,
    Tags: TAGS,
  },
  create(resource) {
    const name = resource.name(resource.properties.LogGroupName, 512);
    const { region, accountId } = resource.services.env;
    return { ref: name, attributes: { Arn: `arn:aws:logs:${region}:${accountId}:log-group:${name}:*` } };
  },
};
