/** The part of Lambda's control plane that reads and changes one function's configuration and tags. */

import { randomUUID } from 'node:crypto';
import type { Environment } from '../environment.ts';
import type { Functions } from '../functions.ts';
import { type Exchange, readBody } from '../http/exchange.ts';
import { functionNotFound, InvokeApiError, UnsupportedFunctionError } from '../lambda/errors.ts';
import { sendJson } from '../lambda/http-replies.ts';
import type { ConfiguredFunction, Topology } from './topology.ts';

const CONFIGURATION = /^\/2015-03-31\/functions\/([^/]+)\/configuration\/?$/;
const TAGS = /^\/2017-03-31\/tags\/([^/]+)\/?$/;
const MOST_LAYERS = 5;
const MOST_ENVIRONMENT = 4096;

interface Change {
  readonly Environment?: { readonly Variables?: Readonly<Record<string, string>> };
  readonly Layers?: readonly string[];
  readonly RevisionId?: string;
}

export class LambdaConfiguration {
  readonly #env: Environment;
  readonly #functions: Functions;
  readonly #topology: Topology;
  readonly #layers: ReadonlyMap<string, string>;
  readonly #revisions = new Map<string, string>();
  readonly #tags = new Map<string, Map<string, string>>();

  constructor(env: Environment, functions: Functions, topology: Topology, layers: ReadonlyMap<string, string>) {
    this.#env = env;
    this.#functions = functions;
    this.#topology = topology;
    this.#layers = layers;
  }

  /** False when the request asks for something else; it is then untouched. */
  handle(exchange: Exchange): boolean {
    const { req, res, path } = exchange;
    const [, name] = CONFIGURATION.exec(path) ?? [];
    const [, arn] = TAGS.exec(path) ?? [];
    const work =
      name !== undefined && req.method === 'GET'
        ? async () => this.#told(this.#named(decodeURIComponent(name)))
        : name !== undefined && req.method === 'PUT'
          ? () => this.#change(decodeURIComponent(name), exchange)
          : arn !== undefined
            ? () => this.#tag(decodeURIComponent(arn), exchange)
            : undefined;
    if (work === undefined) return false;
    work().then(
      (body) => {
        req.resume();
        sendJson(res, body === null ? 204 : 200, body ?? '');
      },
      (cause: unknown) => {
        const error =
          cause instanceof InvokeApiError
            ? cause
            : new InvokeApiError(500, 'ServiceException', String(cause), { Type: 'Service' });
        sendJson(res, error.status, error.body, { 'x-amzn-errortype': error.type });
      },
    );
    return true;
  }

  #named(name: string): ConfiguredFunction {
    const found = this.#topology.functions.find(
      ({ FunctionName, FunctionArn }) => name === FunctionName || name === FunctionArn,
    );
    if (found === undefined) throw functionNotFound(name);
    return found;
  }

  #told(configured: ConfiguredFunction): object {
    const spec = this.#functions.spec(configured.FunctionName);
    return {
      ...configured,
      ...{ MemorySize: spec?.memoryMb, Timeout: (spec?.timeoutMs ?? 0) / 1000, PackageType: 'Zip' },
      ...{
        Architectures: [process.arch === 'arm64' ? 'arm64' : 'x86_64'],
        EphemeralStorage: { Size: spec?.ephemeralMb ?? 512 },
      },
      ...{ State: 'Active', LastUpdateStatus: 'Successful', RevisionId: this.#revision(configured.FunctionName) },
    };
  }

  #revision(name: string): string {
    const found = this.#revisions.get(name) ?? randomUUID();
    this.#revisions.set(name, found);
    return found;
  }

  /** UpdateFunctionConfiguration: variables and layers; the next request finds new instances. */
  async #change(name: string, { req }: Exchange): Promise<object> {
    const before = this.#named(name);
    const { Environment, Layers, RevisionId, ...others } = JSON.parse((await readBody(req)).toString('utf8')) as Change;
    const unknown = Object.keys(others);
    if (unknown.length > 0) throw refused(`The local engine changes Environment and Layers only, not ${unknown.join(', ')}.`);
    if (RevisionId !== undefined && RevisionId !== this.#revision(before.FunctionName)) {
      throw new InvokeApiError(
        412,
        'PreconditionFailedException',
        'The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id',
        { Type: 'User' },
      );
    }
    const variables = Environment === undefined ? before.Environment.Variables : (Environment.Variables ?? {});
    const layers = Layers ?? before.Layers.map(({ Arn }) => Arn);
    if (layers.length > MOST_LAYERS) throw refused(`Cannot reference more than ${MOST_LAYERS} layers.`);
    if (Buffer.byteLength(JSON.stringify(variables)) > MOST_ENVIRONMENT)
      throw refused('the environment variables you have provided exceeded the 4KB limit.');
    const layerDirs = layers.map((arn) => {
      const found = this.#layers.get(arn);
      if (found === undefined) throw refused(`Layer version ${arn} does not exist.`);
      return found;
    });
    try {
      await this.#functions.change(before.FunctionName, { environment: variables, layerDirs });
    } catch (cause) {
      throw cause instanceof UnsupportedFunctionError ? refused(cause.message) : cause;
    }
    const after: ConfiguredFunction = {
      ...before,
      Environment: { Variables: variables },
      Layers: layers.map((Arn) => ({ Arn })),
      LastModified: new Date().toISOString().replace('Z', '+0000'),
    };
    this.#topology.functions[this.#topology.functions.indexOf(before)] = after;
    this.#revisions.delete(before.FunctionName);
    this.#env.log(`Lambda: the configuration of ${before.FunctionName} was changed`);
    return this.#told(after);
  }

  async #tag(arn: string, { req, query }: Exchange): Promise<object | null> {
    const { FunctionArn, FunctionName: name } = this.#named(arn);
    const own = this.#tags.get(FunctionArn) ?? new Map<string, string>();
    this.#tags.set(FunctionArn, own);
    if (req.method === 'GET') return { Tags: Object.fromEntries(own) };
    if (req.method === 'DELETE') for (const key of query.getAll('tagKeys')) own.delete(key);
    else {
      const { Tags = {} } = JSON.parse((await readBody(req)).toString('utf8')) as { Tags?: Record<string, string> };
      for (const [key, value] of Object.entries(Tags)) {
        if (!/^[\p{L}\p{Z}\p{N}_.:/=+\-@]{0,256}$/u.test(value)) throw refused(`the value of the tag ${key} is not valid`);
        own.set(key, value);
      }
    }
    // As Lambda does: tags make a new revision.
    this.#revisions.delete(name);
    return null;
  }
}

const refused = (message: string) => new InvokeApiError(400, 'InvalidParameterValueException', message, { Type: 'User' });
