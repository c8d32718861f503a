/**
 * The part of API Gateway's control plane that tells which routes lead to which functions. Shapes:
 * docs.aws.amazon.com/apigatewayv2/latest/api-reference (HTTP APIs), docs.aws.amazon.com/apigateway/latest/api (REST APIs).
 */
import type { Environment } from '../../environment.ts';
import type { Exchange } from '../../http/exchange.ts';
import { sendJson } from '../../lambda/http-replies.ts';
import type { Api, FunctionRoute } from './api.ts';

/** False when the request asks for something else. */
export function answerControl({ req, res, path }: Exchange, apis: readonly Api[], env: Environment): boolean {
  if (req.method !== 'GET') return false;
  const answer = (body: object) => {
    req.resume();
    sendJson(res, 200, body);
    return true;
  };
  const of = (kind: Api['kind']) => apis.filter((one) => one.kind === kind);
  if (path === '/v2/apis') {
    return answer({ items: of('http').map(({ id, name }) => ({ apiId: id, name, protocolType: 'HTTP' })) });
  }
  if (path === '/restapis') return answer({ item: of('rest').map(({ id, name }) => ({ id, name })) });
  const [, newer, older, what] = /^\/(?:v2\/apis\/(\w+)|restapis\/(\w+))\/(routes|integrations|resources)$/.exec(path) ?? [];
  const api = of(newer === undefined ? 'rest' : 'http').find(({ id }) => id === (newer ?? older));
  if (api === undefined || (what === 'resources') !== (newer === undefined)) return false;
  const routes = api.routes.filter((one) => 'functionArn' in one);
  // One integration for each route: which ones they shared in the template makes no difference here.
  if (what === 'routes')
    return answer({ items: routes.map(({ key }, i) => ({ routeId: `r${i}`, routeKey: key, target: `integrations/i${i}` })) });
  if (what === 'integrations')
    return answer({ items: routes.map((one, i) => ({ integrationId: `i${i}`, ...integration(one, env) })) });
  return answer({ item: resources(routes, env) });
}

const uri = ({ functionArn }: FunctionRoute, { region }: Environment) =>
  `arn:aws:apigateway:${region}:lambda:path/2015-03-31/functions/${functionArn}/invocations`;

const integration = (route: FunctionRoute, env: Environment) => ({
  ...{ integrationType: 'AWS_PROXY', integrationUri: uri(route, env), payloadFormatVersion: route.payload },
});

function resources(routes: readonly FunctionRoute[], env: Environment): readonly object[] {
  return [...Map.groupBy(routes, ({ resourceId }) => resourceId)].map(([id, own]) => ({
    ...{ id, path: own[0]?.path },
    resourceMethods: Object.fromEntries(
      own.map((one) => [one.method, { httpMethod: one.method, methodIntegration: { type: 'AWS_PROXY', uri: uri(one, env) } }]),
    ),
  }));
}
