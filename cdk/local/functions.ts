import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';

import {
  type FunctionSpec,
  InvokeApiError,
  type InvokeOptions,
  type InvokeResult,
  type LambdaService,
} from './lambda/index.ts';

export type { FunctionSpec, InvokeResult } from './lambda/index.ts';

/** What runs functions: the part of Lambda the other services see. A throttled invocation is a result with status 429. */
export interface Functions {
  add(spec: FunctionSpec): Promise<void>;
  /** By name or ARN. */
  invoke(name: string, payload: Buffer, options: InvokeOptions): Promise<InvokeResult>;
  /** Lambda's REST API; false when the path is none of Lambda's. */
  handle(req: IncomingMessage, res: ServerResponse): boolean;
  /** As added or changed last. */
  spec(name: string): FunctionSpec | undefined;
  /** New instances for what comes from now on; those that are there finish what they do. */
  change(name: string, change: Pick<FunctionSpec, 'environment' | 'layerDirs'>): Promise<void>;
  idle(): boolean;
  stop(): Promise<void>;
}

const THROTTLED = 429;

/** The Lambda service as the other services want it. */
export function functionsOf(lambda: LambdaService): Functions {
  return {
    add: (spec) => lambda.add(spec),
    async invoke(name, payload, options) {
      try {
        return await lambda.invoke(name, payload, options);
      } catch (cause) {
        if (!(cause instanceof InvokeApiError) || cause.status !== THROTTLED) throw cause;
        return { requestId: options.requestId ?? randomUUID(), statusCode: THROTTLED, payload: Buffer.from(cause.message) };
      }
    },
    spec: (name) => lambda.spec(name),
    change: (name, change) => lambda.change(name, change),
    handle: (req, res) => lambda.handle(req, res),
    idle: () => lambda.idle(),
    stop: () => lambda.stop(),
  };
}
