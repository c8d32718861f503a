import { type ApiAnswer, type ApiRequest, type Cors, headerValue } from './api.ts';

type Header = readonly [string, string];

function allowed(cors: Cors, request: ApiRequest): string | null {
  const origin = headerValue(request, 'origin');
  if (origin === undefined) return null;
  if (cors.origins.includes('*')) return '*';
  return cors.origins.includes(origin) ? origin : null;
}

/** Headers an HTTP API adds to the answer of a cross-origin request. */
export function corsHeaders(cors: Cors, request: ApiRequest): Header[] {
  const origin = allowed(cors, request);
  if (origin === null) return [];
  return [
    ['access-control-allow-origin', origin],
    ...(cors.credentials ? [['access-control-allow-credentials', 'true'] as const] : []),
    ...(cors.exposed.length > 0 ? [['access-control-expose-headers', cors.exposed.join(',')] as const] : []),
  ];
}

/** The gateway's own answer to a preflight request; null when the request is none. */
export function preflight(cors: Cors, request: ApiRequest): ApiAnswer | null {
  if (request.method !== 'OPTIONS' || headerValue(request, 'access-control-request-method') === undefined) return null;
  const headers = corsHeaders(cors, request);
  if (headers.length > 0) {
    headers.push(
      ['access-control-allow-methods', cors.methods.join(',')],
      ['access-control-allow-headers', cors.headers.join(',')],
    );
    if (cors.maxAgeSeconds !== null) headers.push(['access-control-max-age', String(cors.maxAgeSeconds)]);
  }
  return { status: 204, headers, body: Buffer.alloc(0) };
}
