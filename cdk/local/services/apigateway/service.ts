import { setTimeout as sleep } from 'node:timers/promises';
import type { Environment } from '../../environment.ts';
import { functionName } from '../../environment.ts';
import type { Functions } from '../../functions.ts';
import { type Exchange, readBody } from '../../http/exchange.ts';
import { gatewayRequestId, traceHeader, uuid } from '../../ids.ts';
import { errorAnswer, httpAnswer, restAnswer } from './answer.ts';
import type { Api, ApiAnswer, ApiRequest, ApiRequestIds, FunctionRoute, Stage } from './api.ts';
import { headerValue } from './api.ts';
import { answerControl } from './control.ts';
import { corsHeaders, preflight } from './cors.ts';
import { type EventContext, httpEvent, restEvent } from './event.ts';
import { findRoute } from './routes.ts';

function pairs(raw: readonly string[]): (readonly [string, string])[] {
  return Array.from({ length: raw.length / 2 }, (_, index) => [raw[index * 2] ?? '', raw[index * 2 + 1] ?? ''] as const);
}

/** REST and HTTP APIs, and function URLs, under `/_api/<id>/…` and `/_url/<id>/…`, or by host `<id>.execute-api.…`. */
export class ApiGatewayService {
  readonly #env: Environment;
  readonly #functions: Functions;
  readonly #apis = new Map<string, Api>();
  readonly #urls = new Map<string, { functionArn: string }>();

  constructor(env: Environment, functions: Functions) {
    this.#env = env;
    this.#functions = functions;
  }

  add(api: Api): void {
    this.#apis.set(api.id, api);
  }

  addFunctionUrl(id: string, functionArn: string): string {
    this.#urls.set(id, { functionArn });
    return `${this.#env.endpoint}/_url/${id}/`;
  }

  /** False when the request asks for nothing that the control plane tells here. */
  control(exchange: Exchange): boolean {
    return answerControl(exchange, [...this.#apis.values()], this.#env);
  }

  find(id: string): Api | null {
    return this.#apis.get(id) ?? null;
  }

  /** Base address of an API; a REST API's has its first stage in it. */
  url(api: Api): string {
    const stage = api.stages.find((one) => one.name === '$default') ?? api.stages[0];
    const path = stage === undefined || stage.name === '$default' ? '' : `${stage.name}/`;
    return `${this.#env.endpoint}/_api/${api.id}/${path}`;
  }

  /** `https://<id>.execute-api.…/` in a text becomes the local address: the one name of an API that works here. */
  localise(text: string): string {
    return text.replace(
      /https:\/\/([a-z0-9]{10})\.(?:execute-api|lambda-url)\.[a-z0-9-]+\.amazonaws\.com/g,
      (whole, id: string) => (this.#apis.has(id) ? `${this.#env.endpoint}/_api/${id}` : whole),
    );
  }

  async handle(exchange: Exchange, kind: 'api' | 'url', id: string, path: string): Promise<void> {
    const request: ApiRequest = {
      method: exchange.req.method ?? 'GET',
      path,
      fullPath: path,
      rawQuery: exchange.query.size === 0 ? '' : (exchange.req.url ?? '').split('?').slice(1).join('?'),
      headers: pairs(exchange.req.rawHeaders),
      body: await readBody(exchange.req),
      sourceIp: (exchange.req.socket.remoteAddress ?? '127.0.0.1').replace('::ffff:', ''),
      host: exchange.req.headers.host ?? '',
      receivedAt: new Date(),
    };
    const trace = headerValue(request, 'x-amzn-trace-id') ?? traceHeader();
    const extendedId = gatewayRequestId();
    const api = kind === 'api' ? this.#apis.get(id) : undefined;
    const ids: ApiRequestIds = { requestId: api?.kind === 'http' ? extendedId : uuid(), extendedId, trace };
    const answer = kind === 'url' ? await this.#callUrl(id, request, ids) : await this.#callApi(api, request, ids);
    this.#answer(exchange, answer, kind === 'url' ? 'url' : (api?.kind ?? 'http'), ids);
  }

  async #callApi(api: Api | undefined, request: ApiRequest, ids: ApiRequestIds): Promise<ApiAnswer> {
    if (api === undefined) return errorAnswer(404, 'Not Found');
    const staged = this.#stage(api, request);
    const missing = api.kind === 'rest' ? errorAnswer(403, 'Missing Authentication Token') : errorAnswer(404, 'Not Found');
    if (staged === null) return api.kind === 'rest' ? errorAnswer(403, 'Forbidden') : missing;
    const [stage, inner] = staged;
    const early = api.cors === null ? null : preflight(api.cors, inner);
    if (early !== null) return early;
    const found = findRoute(
      api.routes.filter((one) => one.key !== '$default'),
      inner.method,
      inner.path,
    );
    const fallback = api.routes.find((one) => one.key === '$default');
    const route = found?.route ?? fallback;
    if (route === undefined) return missing;
    if ('status' in route) return { status: route.status, headers: Object.entries(route.headers), body: Buffer.alloc(0) };
    const context: EventContext = { env: this.#env, api, stage, route, parameters: found?.parameters ?? {}, ids };
    const event = route.payload === '2.0' ? httpEvent(inner, context) : restEvent(inner, context);
    const answer = await this.#invoke(api.kind, route, event, ids);
    return api.cors === null ? answer : withCors(answer, corsHeaders(api.cors, inner));
  }

  async #callUrl(id: string, request: ApiRequest, ids: ApiRequestIds): Promise<ApiAnswer> {
    const url = this.#urls.get(id);
    if (url === undefined) return { ...errorAnswer(403, 'Forbidden') };
    const stage: Stage = { name: '$default', variables: {} };
    const api: Api = { id, kind: 'http', name: id, stages: [stage], routes: [], cors: null };
    const route: FunctionRoute = {
      method: 'ANY',
      path: '$default',
      segments: [],
      key: '$default',
      functionArn: url.functionArn,
      payload: '2.0',
      timeoutMs: 900_000,
      resourceId: '',
    };
    const event = httpEvent(request, { env: this.#env, api, stage, route, parameters: {}, ids });
    return this.#invoke('url', route, event, ids);
  }

  /** Stage of the request and the request without it; null when the path names none. */
  #stage(api: Api, request: ApiRequest): [Stage, ApiRequest] | null {
    const first = request.path.split('/')[1] ?? '';
    const named = api.stages.find((one) => one.name === first && one.name !== '$default');
    if (named !== undefined) return [named, { ...request, path: request.path.slice(first.length + 1) || '/' }];
    const fallback = api.stages.find((one) => one.name === '$default');
    return fallback === undefined ? null : [fallback, request];
  }

  async #invoke(kind: 'rest' | 'http' | 'url', route: FunctionRoute, event: unknown, ids: ApiRequestIds): Promise<ApiAnswer> {
    const late = new AbortController();
    try {
      const result = await Promise.race([
        this.#functions.invoke(functionName(route.functionArn), Buffer.from(JSON.stringify(event)), {
          type: 'RequestResponse',
          traceHeader: ids.trace,
        }),
        sleep(route.timeoutMs, null, { signal: late.signal }),
      ]);
      if (result === null)
        return kind === 'rest' ? errorAnswer(504, 'Endpoint request timed out') : errorAnswer(503, 'Service Unavailable');
      if (result.statusCode >= 300)
        return kind === 'rest' ? errorAnswer(500, 'Internal server error') : errorAnswer(503, 'Service Unavailable');
      if (kind === 'url' && result.functionError !== undefined) return errorAnswer(502, 'Internal Server Error');
      return route.payload === '2.0' ? httpAnswer(result) : restAnswer(result);
    } catch (cause) {
      this.#env.log(`API route ${route.key}: ${cause instanceof Error ? cause.message : String(cause)}`);
      return kind === 'rest' ? errorAnswer(500, 'Internal server error') : errorAnswer(500, 'Internal Server Error');
    } finally {
      late.abort();
    }
  }

  #answer(exchange: Exchange, answer: ApiAnswer, kind: 'rest' | 'http' | 'url', ids: ApiRequestIds): void {
    const { res } = exchange;
    if (res.destroyed) return;
    const headers = new Map<string, string[]>();
    const put = (name: string, value: string) =>
      headers.set(name.toLowerCase(), [...(headers.get(name.toLowerCase()) ?? []), value]);
    for (const [name, value] of answer.headers) put(name, value);
    if (kind === 'http') headers.set('apigw-requestid', [ids.extendedId]);
    else headers.set('x-amzn-requestid', [ids.requestId]);
    if (kind === 'rest') headers.set('x-amz-apigw-id', [ids.extendedId]);
    if (kind !== 'http') headers.set('x-amzn-trace-id', [ids.trace]);
    for (const [name, values] of headers) res.setHeader(name, values.length === 1 ? (values[0] ?? '') : values);
    if (answer.status !== 204 && answer.status !== 304) res.setHeader('content-length', answer.body.length);
    res.statusCode = answer.status;
    res.end(exchange.req.method === 'HEAD' ? undefined : answer.body);
  }
}

/** The gateway's CORS settings win over what the function sets. */
function withCors(answer: ApiAnswer, added: readonly (readonly [string, string])[]): ApiAnswer {
  if (added.length === 0) return answer;
  return {
    ...answer,
    headers: [...answer.headers.filter(([name]) => !name.toLowerCase().startsWith('access-control-')), ...added],
  };
}
