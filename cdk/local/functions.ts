import type { IncomingMessage, ServerResponse } from 'node:http';

/** A function as the engine hands it to what runs it. */
export interface FunctionSpec {
  readonly name: string;
  readonly arn: string;
  readonly runtime: string;
  readonly handler: string;
  readonly codeDir: string;
  readonly layerDirs: string[];
  readonly environment: Record<string, string>;
  readonly memoryMb: number;
  readonly timeoutMs: number;
  readonly region: string;
  readonly accountId: string;
  readonly reservedConcurrency?: number;
  readonly ephemeralMb?: number;
}

export interface InvokeOptions {
  readonly type: 'RequestResponse' | 'Event' | 'DryRun';
  readonly requestId?: string;
  readonly traceHeader?: string;
}

export interface InvokeResult {
  readonly requestId: string;
  readonly statusCode: number;
  /** `Unhandled` or `Handled` when the function failed. */
  readonly functionError?: string;
  readonly payload: Buffer;
}

/** What runs functions: the part of Lambda the other services see. */
export interface Functions {
  add(spec: FunctionSpec): Promise<void>;
  invoke(name: string, payload: Buffer, options: InvokeOptions): Promise<InvokeResult>;
  /** Lambda's REST API; false when the path is none of Lambda's. */
  handle(req: IncomingMessage, res: ServerResponse): boolean;
  idle(): boolean;
  stop(): Promise<void>;
}
