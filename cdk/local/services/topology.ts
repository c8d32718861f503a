/** The part of Lambda's control plane that tells what is configured: functions, event source mappings, policies, URLs. */

import type { Environment } from '../environment.ts';
import type { Exchange } from '../http/exchange.ts';
import { sendJson } from '../lambda/http-replies.ts';

export interface ConfiguredFunction {
  readonly FunctionName: string;
  readonly FunctionArn: string;
  readonly PackageType: string;
  /** Images have neither. */
  readonly Runtime?: string;
  readonly Handler?: string;
  readonly Role: string;
  readonly CodeSha256: string;
  readonly LastModified: string;
  readonly Version: string;
  readonly Environment: { readonly Variables: Readonly<Record<string, string>> };
  readonly Layers: readonly { readonly Arn: string }[];
}

export interface ConfiguredMapping {
  readonly UUID: string;
  readonly EventSourceArn: string;
  readonly functionName: string;
  readonly State: 'Enabled' | 'Disabled';
}

export interface ConfiguredPermission {
  readonly functionName: string;
  readonly sid: string;
  readonly principal: string;
  readonly action: string;
  readonly sourceArn?: string;
}

export interface ConfiguredLayer {
  /** Without a version: there is only 1. */
  readonly arn: string;
  readonly Description: string;
}

/** What templates configured, answered in the shapes of docs.aws.amazon.com/lambda/latest/api. */
export class Topology {
  readonly functions: ConfiguredFunction[] = [];
  readonly mappings: ConfiguredMapping[] = [];
  readonly permissions: ConfiguredPermission[] = [];
  readonly layers: ConfiguredLayer[] = [];
  readonly urls: { readonly functionName: string; readonly FunctionUrl: string; readonly AuthType: string }[] = [];
  readonly #env: Environment;

  constructor(env: Environment) {
    this.#env = env;
  }

  /** False when the request asks for something else. */
  handle({ req, res, path, query }: Exchange): boolean {
    if (req.method !== 'GET') return false;
    const answer = (body: object) => {
      req.resume();
      sendJson(res, 200, body);
      return true;
    };
    if (/^\/2015-03-31\/functions\/?$/.test(path)) return answer({ Functions: this.functions });
    if (/^\/2015-03-31\/event-source-mappings\/?$/.test(path)) {
      const of = query.get('FunctionName');
      const mappings = this.mappings.filter(({ functionName }) => of === null || functionName === of);
      const told = ({ functionName, ...one }: ConfiguredMapping) => ({ ...one, FunctionArn: this.#arn(functionName) });
      return answer({ EventSourceMappings: mappings.map(told) });
    }
    const [, layer] = /^\/2018-10-31\/layers\/([^/]+)\/versions\/?$/.exec(path) ?? [];
    if (layer !== undefined) {
      const found = this.layers.filter(({ arn }) => arn === decodeURIComponent(layer) || arn.endsWith(`:${layer}`));
      const told = ({ arn, Description }: ConfiguredLayer) => ({ LayerVersionArn: `${arn}:1`, Version: 1, Description });
      return answer({ LayerVersions: found.map(told) });
    }
    const [, name, what] = /^\/20\d\d-\d\d-\d\d\/functions\/([^/]+)\/(policy|urls)$/.exec(path) ?? [];
    if (name === undefined) return false;
    if (what === 'urls') {
      const urls = this.urls.filter(({ functionName }) => functionName === name);
      return answer({
        FunctionUrlConfigs: urls.map(({ functionName, ...one }) => ({ ...one, FunctionArn: this.#arn(functionName) })),
      });
    }
    const own = this.permissions.filter(({ functionName }) => functionName === name);
    if (own.length > 0) return answer({ Policy: JSON.stringify(this.#policy(own)), RevisionId: '1' });
    req.resume();
    const Message = `No policy is associated with the given resource.`;
    sendJson(res, 404, { Type: 'User', Message }, { 'x-amzn-errortype': 'ResourceNotFoundException' });
    return true;
  }

  #arn(name: string): string {
    return `arn:aws:lambda:${this.#env.region}:${this.#env.accountId}:function:${name}`;
  }

  #policy(own: readonly ConfiguredPermission[]): object {
    const statement = ({ sid, principal, action, functionName, sourceArn }: ConfiguredPermission) => ({
      ...{ Sid: sid, Effect: 'Allow', Action: action, Resource: this.#arn(functionName) },
      Principal: principal === '*' ? '*' : /\.amazonaws\.com$/.test(principal) ? { Service: principal } : { AWS: principal },
      ...(sourceArn === undefined ? {} : { Condition: { ArnLike: { 'AWS:SourceArn': sourceArn } } }),
    });
    return { Version: '2012-10-17', Id: 'default', Statement: own.map(statement) };
  }
}
