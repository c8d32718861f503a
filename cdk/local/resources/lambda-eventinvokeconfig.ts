import { functionName } from '../environment.ts';
import { TemplateError } from '../template/problem.ts';
import { number, object, type ResourceType, text } from '../template/resource-type.ts';

/** Retries of asynchronous invocations when nothing is configured. */
const DEFAULT_RETRIES = 2;

export const eventInvokeConfig: ResourceType = {
  type: 'AWS::Lambda::EventInvokeConfig',
  properties: {
    FunctionName: true,
    Qualifier: 'there is one version of the code',
    MaximumRetryAttempts: true,
    DestinationConfig: { OnSuccess: { Destination: true }, OnFailure: { Destination: true } },
    MaximumEventAgeInSeconds: 'events do not wait for hours locally',
  },
  create(resource) {
    if (number(resource, 'MaximumRetryAttempts', DEFAULT_RETRIES) !== DEFAULT_RETRIES)
      throw new TemplateError(
        resource.at('MaximumRetryAttempts'),
        `asynchronous invocations are retried ${DEFAULT_RETRIES} times locally; leave the property out for local runs.`,
      );
    const config = object(resource.properties.DestinationConfig);
    const arn = (name: string) => {
      const { Destination: destination } = object(config[name]);
      return typeof destination === 'string' ? destination : undefined;
    };
    resource.services.destinations.set(functionName(text(resource, 'FunctionName')), {
      onSuccess: arn('OnSuccess'),
      onFailure: arn('OnFailure'),
    });
    return { ref: resource.name(undefined), attributes: {} };
  },
};
