import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { ServiceError, sendJsonError } from './http/error.ts';
import { credentialScope, type Exchange, readBody } from './http/exchange.ts';
import { handleIam, handleKms } from './services/iam.ts';
import { handleSts } from './services/sts.ts';
import type { Services } from './services.ts';

/** Long polls and functions may take 15 minutes; a client's own timeout comes first. */
const NO_TIMEOUT = 0;

/** The HTTP server behind `Engine.endpoint`: tells services apart and passes each request on. */
export class Endpoint {
  readonly #server: Server;
  #services: Services | null = null;
  #handling = 0;
  readonly #latencyMs: () => number;

  /** @param latencyMs added to every call of a service; not to requests of an API, whose functions make such calls. */
  constructor(latencyMs: number | (() => number) = 0) {
    this.#latencyMs = typeof latencyMs === 'number' ? () => latencyMs : latencyMs;
    this.#server = createServer({ keepAliveTimeout: 60_000, requestTimeout: NO_TIMEOUT }, (req, res) => this.#accept(req, res));
  }

  /** Listens on 127.0.0.1. Resolves to the base address. Throws when the port is taken. */
  async listen(port: number): Promise<string> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (cause: NodeJS.ErrnoException) =>
        reject(
          cause.code === 'EADDRINUSE'
            ? new Error(`Port ${port} of 127.0.0.1 is taken. Choose another with \`port\` (--port), or 0 for any.`)
            : cause,
        ),
      );
      this.#server.listen(port, '127.0.0.1', resolve);
    });
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('The endpoint has no port.');
    return `http://127.0.0.1:${address.port}`;
  }

  serve(services: Services): void {
    this.#services = services;
  }

  /** Requests that change something and are not answered yet. */
  busy(): string | null {
    return this.#handling === 0 ? null : `${this.#handling} request(s) to the endpoint under way`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #accept(req: IncomingMessage, res: ServerResponse): void {
    // A receive that waits for messages is no work in progress, or an outside reader would keep the engine from being idle.
    const counted = !String(req.headers['x-amz-target'] ?? '').endsWith('.ReceiveMessage');
    if (counted) {
      this.#handling++;
      res.once('close', () => this.#handling--);
    }
    this.#dispatch(req, res).catch((cause: unknown) => {
      this.#services?.env.log(`endpoint: ${req.method} ${req.url}: ${cause instanceof Error ? cause.message : String(cause)}`);
      if (res.headersSent) res.destroy();
      else sendJsonError(res, cause, 'alastor.local');
    });
  }

  async #dispatch(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const services = this.#services;
    if (services === null) throw new ServiceError('ServiceUnavailable', 'The local engine is still creating the stack.', 503);
    const url = req.url ?? '/';
    const cut = url.indexOf('?');
    const query = new URLSearchParams(cut < 0 ? '' : url.slice(cut + 1));
    const target = typeof req.headers['x-amz-target'] === 'string' ? req.headers['x-amz-target'] : null;
    const exchange: Exchange = {
      req,
      res,
      path: cut < 0 ? url : url.slice(0, cut),
      query,
      scope: credentialScope(req.headers.authorization, query),
      operation: target?.split('.')[1] ?? null,
    };
    if (await this.#gateway(services, exchange)) return;
    const latencyMs = this.#latencyMs();
    if (latencyMs > 0) await sleep(latencyMs);
    if (target !== null) return this.#byTarget(services, exchange, target);
    return this.#byScope(services, exchange);
  }

  /** `/_api/<id>/…`, `/_url/<id>/…`, or the host name of an API. */
  async #gateway(services: Services, exchange: Exchange): Promise<boolean> {
    const match = /^\/_(api|url)\/([a-z0-9]+)(\/.*)?$/.exec(exchange.path);
    const host = /^([a-z0-9]{10})\.(execute-api|lambda-url)\./.exec(exchange.req.headers.host ?? '');
    if (match === null && host === null) return false;
    const kind = (match?.[1] ?? host?.[2]) === 'api' || host?.[2] === 'execute-api' ? 'api' : 'url';
    await services.apis.handle(
      exchange,
      kind,
      match?.[2] ?? host?.[1] ?? '',
      match === null ? exchange.path : (match[3] ?? '/'),
    );
    return true;
  }

  async #byTarget(services: Services, exchange: Exchange, target: string): Promise<void> {
    const [service = '', operation = ''] = target.split('.');
    if (service === 'TrentService') return await handleKms(services.iam, exchange, operation);
    if (service === 'AmazonSQS') return services.sqs.handle(exchange);
    if (service === 'AWSEvents') return services.events.handle(exchange);
    if (service === 'DynamoDB_20120810' || service === 'DynamoDBStreams_20120810')
      return services.dynamodb.handle(exchange, target);
    exchange.req.resume();
    throw unknown(`X-Amz-Target ${target}`);
  }

  async #byScope(services: Services, exchange: Exchange): Promise<void> {
    const service = exchange.scope?.service ?? null;
    const isForm = (exchange.req.headers['content-type'] ?? '').startsWith('application/x-www-form-urlencoded');
    if (service === 's3') return services.s3.handle(exchange);
    if (service === 'lambda' || /^\/20\d\d-\d\d-\d\d\/(functions|tags)\//.test(exchange.path)) {
      if (
        services.configuration.handle(exchange) ||
        services.topology.handle(exchange) ||
        services.functions.handle(exchange.req, exchange.res)
      )
        return;
      exchange.req.resume();
      throw unknown(`${exchange.req.method} ${exchange.path} of Lambda`);
    }
    if (service === 'apigateway' && services.apis.control(exchange)) return;
    if (isForm) {
      const form = new URLSearchParams((await readBody(exchange.req)).toString('utf8'));
      const version = form.get('Version');
      if (service === 'sqs' || version === '2012-11-05') return services.sqs.handle(exchange, form);
      if (service === 'sns' || version === '2010-03-31') return services.sns.handle(exchange, form);
      if (service === 'iam' || version === '2010-05-08') return handleIam(services.iam, exchange, form);
      if (service === 'sts' || version === '2011-06-15') return handleSts(services.env, exchange, form);
      throw unknown(`${service ?? 'unsigned'} ${form.get('Action') ?? 'form'} (version ${version})`);
    }
    // What is not signed at all is a public read of S3, or somebody who took the endpoint for a web site.
    if (service === null) return services.s3.handle(exchange);
    exchange.req.resume();
    throw unknown(`service ${service}`);
  }
}

function unknown(what: string): ServiceError {
  return new ServiceError(
    'UnknownOperationException',
    `The local engine does not offer ${what}. It offers Lambda, S3, SQS, SNS, DynamoDB, EventBridge, API Gateway, policies of IAM roles and keys, and STS GetCallerIdentity.`,
    501,
  );
}
