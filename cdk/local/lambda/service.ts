import { statSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { AsyncQueue } from './async-queue.ts';
import { checkEnvironment } from './environment.ts';
import { functionNotFound, invalidPayload, UnsupportedFunctionError } from './errors.ts';
import { Invocation } from './invocation.ts';
import { functionName, handleInvokeApi } from './invoke-api.ts';
import { extensionsIn, mergeLayers } from './layers.ts';
import { type Capacity, FunctionPool } from './pool.ts';
import { runtimeOf } from './runtimes.ts';
import { prepareSharedFiles, type SharedFiles } from './shared-files.ts';
import type { FunctionSpec, InstanceInfo, InvokeOptions, InvokeResult, LambdaOptions } from './types.ts';

const MAX_INSTANCES = 40;

/** Runs Lambda functions as real, sandboxed processes on this machine. See types.ts for the shapes. */
export class LambdaService {
  readonly #options: LambdaOptions;
  readonly #shared: SharedFiles;
  readonly #pools = new Map<string, FunctionPool>();
  readonly #async: AsyncQueue;
  #instances = 0;
  /** Functions whose layers were put together so far. */
  #merged = 0;
  readonly #capacity: Capacity = {
    take: () => this.#takeRoom(),
    give: () => {
      this.#instances--;
      this.#pump();
    },
    parked: () => this.#pump(),
  };

  /** Throws when bubblewrap is not installed. */
  constructor(options: LambdaOptions) {
    this.#options = options;
    this.#shared = prepareSharedFiles(options);
    this.#async = new AsyncQueue(options);
  }

  /** Makes a function invocable. Throws UnsupportedFunctionError, naming the function, for what cannot run here. */
  async add(spec: FunctionSpec): Promise<void> {
    if (this.#pools.has(spec.name)) throw new UnsupportedFunctionError(spec.name, 'there is a function of this name already.');
    if (!statSync(spec.codeDir, { throwIfNoEntry: false })?.isDirectory()) {
      throw new UnsupportedFunctionError(spec.name, `code directory ${spec.codeDir} does not exist. Synthesize the app again.`);
    }
    this.#pools.set(spec.name, this.#prepared(spec));
  }

  /**
   * UpdateFunctionConfiguration. Who comes from now on finds new instances; those that are there answer what they have begun.
   * Throws UnsupportedFunctionError, with everything as it was, for what cannot run here.
   */
  async change(name: string, change: Pick<FunctionSpec, 'environment' | 'layerDirs'>): Promise<void> {
    const old = this.#pools.get(name);
    if (old === undefined) throw functionNotFound(name);
    this.#pools.set(name, this.#prepared({ ...old.fn.spec, ...change }));
    await old.stop();
  }

  #prepared(spec: FunctionSpec): FunctionPool {
    checkEnvironment(spec);
    const optDir = mergeLayers(spec.name, spec.layerDirs, join(this.#shared.dir, `opt-${this.#merged++}`));
    const fn = {
      spec,
      optDir,
      runtime: runtimeOf(spec, optDir),
      extensions: extensionsIn(optDir),
      shared: this.#shared,
      options: this.#options,
    };
    return new FunctionPool(fn, this.#capacity);
  }

  /** The function as added; `name` may also be an ARN. */
  spec(name: string): FunctionSpec | undefined {
    return this.#pools.get(functionName(name))?.fn.spec;
  }

  /**
   * Invokes by name or ARN. `RequestResponse` resolves when the response is complete (with `logType: 'Tail'`: when the extensions
   * are done too), `Event` when the event is queued. What the function does wrong is in the result; rejects with InvokeApiError
   * for unknown functions, payloads that are not JSON, and throttling.
   */
  async invoke(name: string, payload: Buffer, options: InvokeOptions): Promise<InvokeResult> {
    const pool = this.#pools.get(functionName(name));
    if (pool === undefined) throw functionNotFound(name);
    const event = payload.length === 0 ? Buffer.from('{}') : payload;
    checkJson(event);
    if (options.type === 'Event') return this.#async.accept(pool, event, options);
    const invocation = new Invocation(event, options);
    if (options.type === 'DryRun') return { requestId: invocation.requestId, statusCode: 204, payload: Buffer.alloc(0) };
    pool.submit(invocation);
    const result = await invocation.answered;
    if (options.logType !== 'Tail') return result;
    await invocation.finished;
    return { ...result, logTail: invocation.logTail };
  }

  /** Answers a request of Lambda's REST API. False when it is none; the request is then untouched. */
  handle(req: IncomingMessage, res: ServerResponse): boolean {
    return handleInvokeApi(this, req, res);
  }

  /** True when nothing is queued, running or waiting for a retry. */
  idle(): boolean {
    return this.#async.idle && [...this.#pools.values()].every((pool) => !pool.busy);
  }

  instances(): InstanceInfo[] {
    return [...this.#pools.values()].flatMap((pool) =>
      [...pool.instances].map(({ id, state, pid }) => ({ fn: pool.fn.spec.name, id, state, pid })),
    );
  }

  /** Shuts all instances down, extensions first being told so, and removes the files. */
  async stop(): Promise<void> {
    this.#async.stop();
    await Promise.all([...this.#pools.values()].map((pool) => pool.stop()));
    this.#shared.remove();
  }

  #takeRoom(): boolean {
    if (this.#instances < (this.#options.maxInstances ?? MAX_INSTANCES)) {
      this.#instances++;
      return true;
    }
    const oldest = [...this.#pools.values()]
      .filter((pool) => pool.oldestIdle !== undefined)
      .sort((a, b) => (a.oldestIdle ?? 0) - (b.oldestIdle ?? 0))[0];
    oldest?.evict();
    return false;
  }

  #pump(): void {
    for (const pool of this.#pools.values()) pool.pump();
  }
}

function checkJson(payload: Buffer): void {
  try {
    JSON.parse(payload.toString());
  } catch (error) {
    throw invalidPayload((error as Error).message);
  }
}
