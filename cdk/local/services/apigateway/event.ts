import type { Environment } from '../../environment.ts';
import { type Api, type ApiRequest, type ApiRequestIds, type FunctionRoute, headerValue, isText, type Stage } from './api.ts';

export interface EventContext {
  readonly env: Environment;
  readonly api: Api;
  readonly stage: Stage;
  readonly route: FunctionRoute;
  readonly parameters: Readonly<Record<string, string>>;
  readonly ids: ApiRequestIds;
}

const orNull = <T extends object>(map: T): T | null => (Object.keys(map).length === 0 ? null : map);

function grouped(pairs: Iterable<readonly [string, string]>): Record<string, string[]> {
  const groups: Record<string, string[]> = {};
  for (const [name, value] of pairs) {
    const group = groups[name];
    if (group === undefined) groups[name] = [value];
    else group.push(value);
  }
  return groups;
}

const last = (groups: Record<string, string[]>): Record<string, string> =>
  Object.fromEntries(Object.entries(groups).map(([name, values]) => [name, values.at(-1) ?? '']));

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** Common log format: `09/Apr/2015:12:34:56 +0000`. */
function clf(date: Date): string {
  const two = (value: number) => String(value).padStart(2, '0');
  const day = `${two(date.getUTCDate())}/${MONTHS[date.getUTCMonth()]}/${date.getUTCFullYear()}`;
  return `${day}:${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())} +0000`;
}

const domain = ({ env, api }: EventContext) => `${api.id}.execute-api.${env.region}.amazonaws.com`;

/** Headers the gateway adds for the function. */
function forwarded(request: ApiRequest, ids: ApiRequestIds): (readonly [string, string])[] {
  const added: (readonly [string, string])[] = [
    ['X-Amzn-Trace-Id', ids.trace],
    ['X-Forwarded-For', request.sourceIp],
    ['X-Forwarded-Port', '443'],
    ['X-Forwarded-Proto', 'https'],
  ];
  const replaced = new Set(added.map(([name]) => name.toLowerCase()));
  const kept = request.headers.filter(
    ([name]) => !replaced.has(name.toLowerCase()) && !/^(connection|transfer-encoding)$/i.test(name),
  );
  return [...kept, ...added];
}

/** https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html (payload format 1.0) */
export function restEvent(request: ApiRequest, context: EventContext): unknown {
  const { api, stage, route, ids, env } = context;
  const headers = grouped(forwarded(request, ids));
  const query = grouped(new URLSearchParams(request.rawQuery));
  const encoded = api.kind === 'http' && !isText(headerValue(request, 'content-type'));
  return {
    ...(api.kind === 'http' ? { version: '1.0' } : {}),
    resource: route.path,
    path: request.path,
    httpMethod: request.method,
    headers: orNull(last(headers)),
    multiValueHeaders: orNull(headers),
    queryStringParameters: orNull(last(query)),
    multiValueQueryStringParameters: orNull(query),
    pathParameters: orNull({ ...context.parameters }),
    stageVariables: orNull({ ...stage.variables }),
    requestContext: {
      resourceId: route.resourceId,
      resourcePath: route.path,
      operationName: undefined,
      httpMethod: request.method,
      extendedRequestId: ids.extendedId,
      requestTime: clf(request.receivedAt),
      path: request.fullPath,
      accountId: env.accountId,
      protocol: 'HTTP/1.1',
      stage: stage.name,
      domainPrefix: api.id,
      requestTimeEpoch: request.receivedAt.getTime(),
      requestId: ids.requestId,
      identity: {
        cognitoIdentityPoolId: null,
        accountId: null,
        cognitoIdentityId: null,
        caller: null,
        sourceIp: request.sourceIp,
        principalOrgId: null,
        accessKey: null,
        cognitoAuthenticationType: null,
        cognitoAuthenticationProvider: null,
        userArn: null,
        userAgent: headerValue(request, 'user-agent') ?? null,
        user: null,
      },
      domainName: domain(context),
      apiId: api.id,
    },
    body: request.body.length === 0 ? null : request.body.toString(encoded ? 'base64' : 'utf8'),
    isBase64Encoded: encoded,
  };
}

/** https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html (payload format 2.0) */
export function httpEvent(request: ApiRequest, context: EventContext): unknown {
  const { api, stage, route, ids, env } = context;
  const headers = grouped(forwarded(request, ids).map(([name, value]) => [name.toLowerCase(), value] as const));
  const { cookie, ...plain } = headers;
  const query = grouped(new URLSearchParams(request.rawQuery));
  const joined = (groups: Record<string, string[]>) =>
    Object.fromEntries(Object.entries(groups).map(([name, values]) => [name, values.join(',')]));
  const encoded = !isText(headerValue(request, 'content-type'));
  const rawPath = stage.name === '$default' ? request.path : request.fullPath;
  return {
    version: '2.0',
    routeKey: route.key,
    rawPath,
    rawQueryString: request.rawQuery,
    ...(cookie === undefined ? {} : { cookies: cookie.flatMap((one) => one.split('; ')) }),
    headers: joined(plain),
    ...(request.rawQuery === '' ? {} : { queryStringParameters: joined(query) }),
    requestContext: {
      accountId: env.accountId,
      apiId: api.id,
      domainName: domain(context),
      domainPrefix: api.id,
      http: {
        method: request.method,
        path: rawPath,
        protocol: 'HTTP/1.1',
        sourceIp: request.sourceIp,
        userAgent: headerValue(request, 'user-agent') ?? '',
      },
      requestId: ids.requestId,
      routeKey: route.key,
      stage: stage.name,
      time: clf(request.receivedAt),
      timeEpoch: request.receivedAt.getTime(),
    },
    ...(Object.keys(context.parameters).length === 0 ? {} : { pathParameters: context.parameters }),
    ...(Object.keys(stage.variables).length === 0 ? {} : { stageVariables: stage.variables }),
    ...(request.body.length === 0 ? {} : { body: request.body.toString(encoded ? 'base64' : 'utf8') }),
    isBase64Encoded: encoded,
  };
}
