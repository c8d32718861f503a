import { apiId } from '../ids.ts';
import { TemplateError } from '../template/problem.ts';
import { number, type ResourceType } from '../template/resource-type.ts';
import { apiOf, integrationFunction } from './api-draft.ts';
import { DESCRIPTION, NO_AUTHORISATION } from './reasons.ts';

export interface HttpIntegration {
  readonly functionArn: string;
  readonly payload: '1.0' | '2.0';
  readonly timeoutMs: number;
}

/** Longest an HTTP API waits. */
const MAX_TIMEOUT_MS = 30_000;

export const httpIntegration: ResourceType = {
  type: 'AWS::ApiGatewayV2::Integration',
  properties: {
    ApiId: true,
    IntegrationType: true,
    IntegrationUri: true,
    PayloadFormatVersion: true,
    TimeoutInMillis: true,
    IntegrationMethod: 'functions are invoked, whatever the method',
    ConnectionType: 'everything is on 127.0.0.1',
    CredentialsArn: NO_AUTHORISATION,
    Description: DESCRIPTION,
  },
  create(resource) {
    const { properties, services } = resource;
    apiOf(resource, 'ApiId');
    if (properties.IntegrationType !== 'AWS_PROXY')
      throw new TemplateError(
        resource.at('IntegrationType'),
        `${String(properties.IntegrationType)} is not supported locally; AWS_PROXY with a function is.`,
      );
    const id = apiId().slice(0, 7);
    const { PayloadFormatVersion: payload = '1.0' } = properties;
    if (payload !== '1.0' && payload !== '2.0')
      throw new TemplateError(resource.at('PayloadFormatVersion'), 'must be 1.0 or 2.0.');
    const integration: HttpIntegration = {
      functionArn: integrationFunction(resource, properties.IntegrationUri, 'IntegrationUri'),
      payload,
      timeoutMs: number(resource, 'TimeoutInMillis', MAX_TIMEOUT_MS),
    };
    services.drafts.set(`integration:${id}`, integration);
    return { ref: id, attributes: { IntegrationId: id } };
  },
};
