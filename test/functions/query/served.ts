import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { APIGatewayProxyEventV2 } from 'aws-lambda';
import { expect } from 'vitest';
import { z } from 'zod';
import { respond } from '../../../functions/query/handler.ts';
import type { Store } from '../../../functions/store/connect.ts';

interface Operation {
  readonly get: {
    readonly parameters: readonly { readonly name: string; readonly in: string }[];
    readonly responses: {
      readonly 200: { readonly content: { readonly 'application/json': { readonly schema: object } } };
    };
  };
}
export interface Document {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Operation>>;
  readonly components: { readonly schemas: { readonly Problem: object } };
}

/** Any answer; the schema of the document says what is in it. */
// biome-ignore lint/suspicious/noExplicitAny: tests name the fields that they look at
export type Body = any; // any: tests name the fields that they look at

/** The query handler behind HTTP, as API Gateway calls it; every answer is held against the OpenAPI document it serves. */
export class Served {
  readonly #server: Server;
  readonly #url: string;
  readonly #schemas = new Map<string, z.ZodType>();
  #document: Document | undefined;
  /** Paths of the document that were asked and answered. */
  readonly asked = new Set<string>();

  private constructor(server: Server) {
    this.#server = server;
    this.#url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  static async start(store: Store): Promise<Served> {
    const server = createServer((request, response) => {
      const { pathname, search } = new URL(request.url ?? '/', 'http://localhost');
      const http = { method: request.method ?? 'GET' };
      const event = { rawPath: pathname, rawQueryString: search.slice(1), requestContext: { http } };
      void respond(event as APIGatewayProxyEventV2, store).then(({ statusCode, headers, body }) => {
        response.writeHead(statusCode ?? 500, headers as Record<string, string>).end(body);
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new Served(server);
  }

  async stop(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }

  async document(): Promise<Document> {
    this.#document ??= (await (await fetch(`${this.#url}/v1/openapi.json`)).json()) as Document;
    return this.#document;
  }

  async get(path: string, query: Record<string, string | number> = {}): Promise<Body> {
    const { status, body } = await this.ask(path, query);
    expect({ status, body: status === 200 ? 'an answer' : body }, path).toEqual({ status: 200, body: 'an answer' });
    return body;
  }

  async ask(path: string, query: Record<string, string | number> = {}): Promise<{ status: number; body: Body }> {
    const search = new URLSearchParams(Object.entries(query).map(([name, value]): [string, string] => [name, String(value)]));
    const answer = await fetch(`${this.#url}${path}?${search}`);
    const body = await answer.json();
    const type = answer.headers.get('content-type');
    expect(type, path).toBe(answer.ok ? 'application/json' : 'application/problem+json');
    const { paths, components } = await this.document();
    const template = Object.keys(paths).find((one) => fits(one, path));
    if (answer.ok && template !== undefined) this.asked.add(template);
    const schema = answer.ok && template !== undefined ? schemaOf(paths[template]!) : components.schemas.Problem;
    const name = answer.ok ? (template ?? '') : 'Problem';
    const validator = this.#schemas.get(name) ?? z.fromJSONSchema(schema as never);
    this.#schemas.set(name, validator);
    const checked = validator.safeParse(body);
    expect(checked.error?.issues ?? [], `${path}?${search}`).toEqual([]);
    return { status: answer.status, body };
  }

  /** All pages of an answer; `pages` tells them apart. */
  async pages(path: string, query: Record<string, string | number>): Promise<readonly Body[]> {
    const pages: Body[] = [];
    let cursor: string | undefined;
    do {
      const page = await this.get(path, { ...query, ...(cursor === undefined ? {} : { cursor }) });
      pages.push(page);
      expect(page.cut.length > 0).toBe(page.cursor !== undefined);
      cursor = page.cursor;
      expect(pages.length, `${path} comes to an end`).toBeLessThan(500);
    } while (cursor !== undefined);
    return pages;
  }
}

const schemaOf = ({ get }: Operation) => get.responses[200].content['application/json'].schema;

function fits(template: string, path: string): boolean {
  const [wanted, given] = [template.split('/'), path.split('/')];
  return wanted.length === given.length && wanted.every((part, i) => part.startsWith('{') || part === given[i]);
}
