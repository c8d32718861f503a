/** Routes of API Gateway's APIs that lead to functions: HTTP and WebSocket APIs, REST APIs. */
import { type APIGatewayClient, GetResourcesCommand, GetRestApisCommand } from '@aws-sdk/client-api-gateway';
import {
  type ApiGatewayV2Client,
  GetApisCommand,
  GetIntegrationsCommand,
  GetRoutesCommand,
} from '@aws-sdk/client-apigatewayv2';
import { inParallel } from '../store/table.ts';
import { functionIn, type Own, pages, type Read } from './triggers.ts';

/** An account has room for 600 APIs of each sort in a region, and an API for 300 routes; more on request. */
const MAX_APIS = 1000;
const MAX_ROUTES = 2000;
const WIDTH = 2;

export async function readRoutes(http: ApiGatewayV2Client, rest: APIGatewayClient, own: Own): Promise<Read> {
  const [newer, older] = [await httpRoutes(http, own), await restRoutes(rest, own)];
  return { found: [...newer.found, ...older.found], cut: newer.cut || older.cut };
}

const arnOf = ({ partition, region, account }: Own, api: string) => `arn:${partition}:execute-api:${region}:${account}:${api}`;

async function httpRoutes(client: ApiGatewayV2Client, own: Own): Promise<Read> {
  const apis = await pages(MAX_APIS, async (NextToken) => {
    const page = await client.send(new GetApisCommand({ NextToken }));
    return { items: page.Items, next: page.NextToken };
  });
  const read = await inParallel(apis.items, WIDTH, async ({ ApiId = '' }): Promise<Read> => {
    const integrations = await pages(MAX_ROUTES, async (NextToken) => {
      const page = await client.send(new GetIntegrationsCommand({ ApiId, NextToken }));
      return { items: page.Items, next: page.NextToken };
    });
    const routes = await pages(MAX_ROUTES, async (NextToken) => {
      const page = await client.send(new GetRoutesCommand({ ApiId, NextToken }));
      return { items: page.Items, next: page.NextToken };
    });
    const uris = new Map(integrations.items.map(({ IntegrationId, IntegrationUri }) => [IntegrationId, IntegrationUri]));
    const found = routes.items.flatMap(({ RouteKey = '', Target }) => {
      const fn = functionIn(uris.get(Target?.replace(/^integrations\//, '')), own);
      const source = { by: 'route', who: 'apigateway.amazonaws.com', source: arnOf(own, ApiId), detail: RouteKey } as const;
      return fn === undefined ? [] : [[fn, source] as const];
    });
    return { found, cut: integrations.cut || routes.cut };
  });
  return { found: read.flatMap(({ found }) => found), cut: apis.cut || read.some(({ cut }) => cut) };
}

async function restRoutes(client: APIGatewayClient, own: Own): Promise<Read> {
  const apis = await pages(MAX_APIS, async (position) => {
    const page = await client.send(new GetRestApisCommand({ position, limit: 500 }));
    return { items: page.items, next: page.position };
  });
  const read = await inParallel(apis.items, WIDTH, async ({ id = '' }): Promise<Read> => {
    const resources = await pages(MAX_ROUTES, async (position) => {
      const page = await client.send(new GetResourcesCommand({ restApiId: id, position, limit: 500, embed: ['methods'] }));
      return { items: page.items, next: page.position };
    });
    const found = resources.items.flatMap(({ path = '', resourceMethods = {} }) =>
      Object.entries(resourceMethods).flatMap(([method, { methodIntegration }]) => {
        const fn = functionIn(methodIntegration?.uri, own);
        const detail = `${method} ${path}`;
        const source = { by: 'route', who: 'apigateway.amazonaws.com', source: arnOf(own, id), detail } as const;
        return fn === undefined ? [] : [[fn, source] as const];
      }),
    );
    return { found, cut: resources.cut };
  });
  return { found: read.flatMap(({ found }) => found), cut: apis.cut || read.some(({ cut }) => cut) };
}
