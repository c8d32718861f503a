import { parseArn } from '../environment.ts';
import { filterTerms } from '../services/logs/service.ts';
import { TemplateError } from '../template/problem.ts';
import { type ResourceType, text } from '../template/resource-type.ts';
import { NO_AUTHORISATION } from './reasons.ts';

export const subscriptionFilter: ResourceType = {
  type: 'AWS::Logs::SubscriptionFilter',
  properties: {
    FilterName: true,
    FilterPattern: true,
    LogGroupName: true,
    DestinationArn: true,
    RoleArn: NO_AUTHORISATION,
    Distribution: 'a function gets all lines, whatever their stream',
  },
  create(resource) {
    const destinationArn = text(resource, 'DestinationArn');
    if (parseArn(destinationArn)?.service !== 'lambda')
      throw new TemplateError(
        resource.at('DestinationArn'),
        `${destinationArn} is no function; others are not supported locally.`,
      );
    const pattern = text(resource, 'FilterPattern');
    const terms = filterTerms(pattern);
    if (terms === null)
      throw new TemplateError(
        resource.at('FilterPattern'),
        `${pattern} is not supported locally; terms of which one must be there are (?START ?"two words").`,
      );
    const name = resource.name(resource.properties.FilterName, 512);
    resource.services.logs.subscribe({ name, group: text(resource, 'LogGroupName'), destinationArn, terms });
    return { ref: name, attributes: {} };
  },
};
