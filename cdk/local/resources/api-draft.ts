import { functionName, parseArn } from '../environment.ts';
import type { Api } from '../services/apigateway/api.ts';
import { TemplateError } from '../template/problem.ts';
import type { Resource } from '../template/resource-type.ts';

/** Function behind an integration: `arn:aws:apigateway:…:lambda:path/2015-03-31/functions/<arn>/invocations`, or the ARN itself. */
export function integrationFunction(resource: Resource, uri: unknown, property: string): string {
  const arn = /functions\/(arn:[^/]+)\/invocations$/.exec(String(uri))?.[1] ?? String(uri);
  if (parseArn(arn)?.service !== 'lambda')
    throw new TemplateError(
      resource.at(property),
      `${String(uri)} is no Lambda function; only Lambda proxy integrations run locally.`,
    );
  const { region, accountId } = resource.services.env;
  return `arn:aws:lambda:${region}:${accountId}:function:${functionName(arn)}`;
}

/** The API a resource belongs to. Throws TemplateError when it is not part of the stack. */
export function apiOf(resource: Resource, property: string): Api {
  const id = resource.properties[property];
  const api = typeof id === 'string' ? resource.services.apis.find(id) : null;
  if (api === null) throw new TemplateError(resource.at(property), `the API ${String(id)} is not part of the stack.`);
  return api;
}

/** Accepts what lets the caller in here and on AWS, or only signs the request; refuses authorisers. */
export function checkAuthorization(resource: Resource): void {
  const { AuthorizationType: type = 'NONE' } = resource.properties;
  if (type === 'AWS_IAM') resource.services.env.log(`${resource.logicalId}: AWS_IAM authorisation is not enforced locally`);
  else if (type !== 'NONE')
    throw new TemplateError(
      resource.at('AuthorizationType'),
      `${String(type)} is not supported locally; NONE and AWS_IAM (not enforced) are.`,
    );
}
