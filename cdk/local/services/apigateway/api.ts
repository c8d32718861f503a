import type { RoutePattern } from './routes.ts';

/** A request to an API after the base path and stage were taken off. */
export interface ApiRequest {
  readonly method: string;
  /** Without the stage, as sent (percent-encoded). */
  readonly path: string;
  /** With the stage. */
  readonly fullPath: string;
  readonly rawQuery: string;
  /** Name and value pairs in the order and spelling they came. */
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Buffer;
  readonly sourceIp: string;
  readonly host: string;
  readonly receivedAt: Date;
}

export interface FunctionRoute extends RoutePattern {
  readonly key: string;
  readonly functionArn: string;
  readonly payload: '1.0' | '2.0';
  readonly timeoutMs: number;
  /** REST APIs: id and path of the resource. */
  readonly resourceId: string;
}

export interface MockRoute extends RoutePattern {
  readonly key: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
}

export type Route = FunctionRoute | MockRoute;

export interface Cors {
  readonly origins: readonly string[];
  readonly methods: readonly string[];
  readonly headers: readonly string[];
  readonly exposed: readonly string[];
  readonly credentials: boolean;
  readonly maxAgeSeconds: number | null;
}

export interface Stage {
  readonly name: string;
  readonly variables: Readonly<Record<string, string>>;
}

/** A deployed API. Resources of the template fill it while the stack is created. */
export interface Api {
  readonly id: string;
  readonly kind: 'rest' | 'http';
  readonly name: string;
  readonly stages: Stage[];
  readonly routes: Route[];
  readonly cors: Cors | null;
}

/** Answer to the client. */
export interface ApiAnswer {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Buffer;
}

/** Ids of one request to an API. REST: UUID and extended id; HTTP: the extended form serves as both. */
export interface ApiRequestIds {
  readonly requestId: string;
  readonly extendedId: string;
  readonly trace: string;
}

const TEXT = /^(text\/|application\/(json|javascript|xml|x-www-form-urlencoded|[^;]*\+json|[^;]*\+xml))/;

/** HTTP APIs send bodies of these types as text and all others as base64; REST APIs (without binary types) send text. */
export function isText(contentType: string | undefined): boolean {
  return contentType === undefined || TEXT.test(contentType);
}

export function headerValue(request: ApiRequest, name: string): string | undefined {
  return request.headers.findLast(([one]) => one.toLowerCase() === name)?.[1];
}
