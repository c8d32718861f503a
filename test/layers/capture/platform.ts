import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

/** How the runtime answered a request. */
export interface Answer {
  readonly kind: 'response' | 'error';
  readonly body: string;
  readonly headers: IncomingMessage['headers'];
  readonly trailers: IncomingMessage['trailers'];
  /** Pieces in which the body arrived. */
  readonly pieces: readonly string[];
}

type Waiting = { readonly answer: ServerResponse };

/** Runtime and Extensions API of one instance, as small as the tests allow. */
export class Platform {
  readonly #server = createServer((request, answer) => this.#serve(request, answer));
  #port = 0;
  #runtime: Waiting | undefined;
  #extension: Waiting | undefined;
  #changed = Promise.withResolvers<void>();
  readonly #pending = new Map<string, PromiseWithResolvers<Answer>>();
  /** Calls in the order in which they came. */
  readonly calls: string[] = [];
  registration: { readonly headers: IncomingMessage['headers']; readonly body: unknown } | undefined;
  onExtensionNext: () => void = () => {};
  /** Milliseconds by which INVOKE reaches the extension after the runtime has the request; negative: before. */
  extensionLagMs = 0;
  refuseResponses = false;

  async start(): Promise<void> {
    this.#server.requestTimeout = 0;
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  /** Both have asked for work: on Lambda the environment would freeze now. */
  async idle(): Promise<void> {
    while (this.#runtime === undefined || this.#extension === undefined) await this.#changed.promise;
  }

  async extensionWaits(): Promise<void> {
    while (this.#extension === undefined) await this.#changed.promise;
  }

  /** Sends a request once the environment is idle; resolves with the answer of the runtime. */
  async invoke(event: object, { deadlineMs = 20_000, reqId = randomUUID() as string } = {}): Promise<Answer> {
    await this.idle();
    const pending = Promise.withResolvers<Answer>();
    this.#pending.set(reqId, pending);
    const arn = 'arn:aws:lambda:eu-central-1:123456789012:function:purchase';
    const deadline = Date.now() + deadlineMs;
    const toRuntime = (): void => {
      this.#take('runtime')
        .writeHead(200, {
          'Content-Type': 'application/json',
          'Lambda-Runtime-Aws-Request-Id': reqId,
          'Lambda-Runtime-Deadline-Ms': String(deadline),
          'Lambda-Runtime-Invoked-Function-Arn': arn,
          'Lambda-Runtime-Trace-Id': 'Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1',
        })
        .end(JSON.stringify(event));
    };
    const toExtension = (): void => {
      const invoke = { eventType: 'INVOKE', requestId: reqId, deadlineMs: deadline, invokedFunctionArn: arn };
      this.#take('extension').writeHead(200).end(JSON.stringify(invoke));
    };
    const [first, second] = this.extensionLagMs < 0 ? [toExtension, toRuntime] : [toRuntime, toExtension];
    first();
    if (this.extensionLagMs !== 0) await new Promise((resolve) => setTimeout(resolve, Math.abs(this.extensionLagMs)));
    second();
    return pending.promise;
  }

  async shutdown(reason = 'spindown'): Promise<void> {
    await this.extensionWaits();
    this.#take('extension')
      .writeHead(200)
      .end(JSON.stringify({ eventType: 'SHUTDOWN', shutdownReason: reason, deadlineMs: Date.now() + 2000 }));
  }

  #take(who: 'runtime' | 'extension'): ServerResponse {
    const waiting = who === 'runtime' ? this.#runtime : this.#extension;
    if (who === 'runtime') this.#runtime = undefined;
    else this.#extension = undefined;
    if (waiting === undefined) throw new Error(`the ${who} does not wait`);
    return waiting.answer;
  }

  #note(call: string): void {
    this.calls.push(call);
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  #serve(request: IncomingMessage, answer: ServerResponse): void {
    const path = request.url ?? '';
    const pieces: string[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece.toString()));
    request.on('end', () => {
      const [, reqId, kind] = /\/runtime\/invocation\/([^/]+)\/(response|error)$/.exec(path) ?? [];
      if (path === '/2018-06-01/runtime/invocation/next') {
        this.#runtime = { answer };
        answer.on('close', () => {
          if (this.#runtime?.answer === answer) this.#runtime = undefined;
        });
        this.#note('runtime next');
      } else if (path === '/2020-01-01/extension/event/next') {
        this.#extension = { answer };
        this.onExtensionNext();
        this.#note('extension next');
      } else if (path === '/2020-01-01/extension/register') {
        this.registration = { headers: request.headers, body: JSON.parse(pieces.join('')) };
        answer.writeHead(200, { 'Lambda-Extension-Identifier': randomUUID() }).end('{}');
        this.#note('register');
      } else if (reqId !== undefined && kind !== undefined) {
        if (kind === 'response' && this.refuseResponses)
          return void answer.writeHead(413).end('{"errorType":"RequestEntityTooLarge"}');
        const pending = this.#pending.get(reqId);
        // Whoever answers first has answered.
        if (!this.#pending.delete(reqId)) return void answer.writeHead(400).end('{"errorType":"InvalidRequestID"}');
        answer.writeHead(202).end('{"status":"OK"}');
        const { headers, trailers } = request;
        pending?.resolve({ kind: kind as Answer['kind'], body: pieces.join(''), headers, trailers, pieces });
        this.#note(`${kind} ${reqId}`);
      } else if (path.endsWith('/restore/next')) {
        answer.writeHead(200).end();
        this.#note('restore');
      } else if (path.endsWith('/init/error')) {
        answer.writeHead(202).end();
        this.#note('init error');
      } else {
        answer.writeHead(404).end();
      }
    });
  }
}

/** Processes of one instance: the extension as the layer starts it, and the runtime through the wrapper. */
export class Instance {
  readonly #env: Record<string, string>;
  readonly #layer: string;
  readonly #node: string;
  readonly children: ChildProcess[] = [];
  stderr = '';

  /** @param node runs the runtime; default: the Node of the tests */
  constructor(layer: string, env: Record<string, string>, node = process.execPath) {
    this.#layer = layer;
    this.#env = env;
    this.#node = node;
  }

  startExtension(env: Record<string, string> = {}): ChildProcess {
    return this.#start(join(this.#layer, 'extensions/alastor'), [], env);
  }

  /** @param command another runtime than the test's own */
  startRuntime(
    env: Record<string, string> = {},
    command: readonly string[] = [this.#node, join(import.meta.dirname, 'fixtures/runtime.mjs')],
  ): ChildProcess {
    return this.#start(join(this.#layer, 'alastor/wrapper'), command, env);
  }

  /** Ends what is left, by pid. */
  async stop(): Promise<void> {
    for (const child of this.children) if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await Promise.all(this.children.map((child) => exited(child)));
  }

  #start(command: string, args: readonly string[], env: Record<string, string>): ChildProcess {
    const child = spawn(command, args, { env: { ...this.#env, ...env }, stdio: ['ignore', 'ignore', 'pipe'] });
    child.stderr?.on('data', (text: Buffer) => {
      this.stderr += text.toString();
    });
    this.children.push(child);
    return child;
  }
}

export function exited(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => child.once('exit', () => resolve()));
}
