/**
 * The Extensions API. Source: "Extensions API" in the Lambda developer guide and its OpenAPI description (version 2020-01-01).
 */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Fault } from './errors.ts';
import { header, readBody, sendApiError, sendJson } from './http-replies.ts';
import type { Invocation } from './invocation.ts';
import type { FunctionSpec } from './types.ts';

export type LifecycleEvent = 'INVOKE' | 'SHUTDOWN';
export type ShutdownReason = 'spindown' | 'timeout' | 'failure';

export interface Extension {
  readonly name: string;
  readonly id: string;
  /** A file in /opt/extensions; otherwise a part of the runtime process. */
  readonly external: boolean;
  readonly events: ReadonlySet<LifecycleEvent>;
  /** Set while the extension is blocked in /event/next. */
  waiting: ServerResponse | undefined;
  /** The event it has not fetched yet. */
  pending: Record<string, unknown> | undefined;
}

export interface ExtensionsApiEvents {
  /** One registered, or asked for its next event. */
  readonly onChange: () => void;
  /** One gave up (/init/error, /exit/error). */
  readonly onError: (fault: Fault) => void;
}

const PREFIX = '/2020-01-01/extension/';
const MAX_BODY = 1_048_576;

export class ExtensionsApi {
  /** Registration is open during init only. */
  open = true;
  readonly #spec: FunctionSpec;
  readonly #external: ReadonlySet<string>;
  readonly #events: ExtensionsApiEvents;
  readonly #byId = new Map<string, Extension>();

  constructor(spec: FunctionSpec, external: readonly string[], events: ExtensionsApiEvents) {
    this.#spec = spec;
    this.#external = new Set(external);
    this.#events = events;
  }

  get registered(): readonly Extension[] {
    return [...this.#byId.values()];
  }

  find(id: string | undefined): Extension | undefined {
    return id === undefined ? undefined : this.#byId.get(id);
  }

  get allExternalRegistered(): boolean {
    const names = new Set(this.registered.map((extension) => extension.name));
    return [...this.#external].every((name) => names.has(name));
  }

  /** Has every extension that gets `event` (or any, without it) asked for its next one? */
  allWaiting(event?: LifecycleEvent): boolean {
    for (const extension of this.#byId.values()) {
      if ((event === undefined || extension.events.has(event)) && extension.waiting === undefined) return false;
    }
    return true;
  }

  announceInvoke(invocation: Invocation): void {
    for (const extension of this.#byId.values()) {
      if (!extension.events.has('INVOKE')) continue;
      this.#deliver(extension, {
        eventType: 'INVOKE',
        deadlineMs: invocation.deadlineMs,
        requestId: invocation.requestId,
        invokedFunctionArn: this.#spec.arn,
        tracing: { type: 'X-Amzn-Trace-Id', value: invocation.traceHeader },
      });
    }
  }

  announceShutdown(shutdownReason: ShutdownReason, deadlineMs: number): void {
    for (const extension of this.#byId.values()) {
      if (extension.events.has('SHUTDOWN')) this.#deliver(extension, { eventType: 'SHUTDOWN', shutdownReason, deadlineMs });
    }
  }

  reset(): void {
    this.#byId.clear();
    this.open = true;
  }

  /** False when the path is not of this API. */
  handle(req: IncomingMessage, res: ServerResponse, path: string): boolean {
    if (!path.startsWith(PREFIX)) return false;
    const route = `${req.method} ${path.slice(PREFIX.length)}`;
    if (route === 'POST register') void this.#register(req, res);
    else if (route === 'GET event/next') this.#next(req, res);
    else if (route === 'POST init/error') this.#error(req, res, 'Extension.InitError');
    else if (route === 'POST exit/error') this.#error(req, res, 'Extension.ExitError');
    else return false;
    return true;
  }

  async #register(req: IncomingMessage, res: ServerResponse): Promise<void> {
    let body: Buffer;
    try {
      body = await readBody(req, MAX_BODY);
    } catch (error) {
      sendApiError(res, 400, 'InvalidRequestFormat', String(error));
      return;
    }
    const name = header(req, 'lambda-extension-name');
    if (name === undefined || name === '') {
      sendApiError(res, 400, 'Extension.InvalidExtensionName', 'Header Lambda-Extension-Name is missing');
      return;
    }
    const events = parseEvents(body);
    if (events === undefined) {
      sendApiError(res, 400, 'InvalidRequestFormat', 'The body must be {"events": ["INVOKE", "SHUTDOWN"]}, or fewer of them');
      return;
    }
    const external = this.#external.has(name);
    if (!this.open || this.registered.some((other) => other.name === name)) {
      sendApiError(res, 403, 'Extension.AlreadyRegistered', `${name}: registered already, or init is over`);
      return;
    }
    if (!external && events.has('SHUTDOWN')) {
      sendApiError(res, 403, 'ShutdownEventNotSupportedForInternalExtension', `${name} is no file in /opt/extensions`);
      return;
    }
    const extension: Extension = { name, id: randomUUID(), external, events, waiting: undefined, pending: undefined };
    this.#byId.set(extension.id, extension);
    const wantsAccount = (header(req, 'lambda-extension-accept-feature') ?? '')
      .split(',')
      .some((f) => f.trim() === 'accountId');
    sendJson(
      res,
      200,
      {
        functionName: this.#spec.name,
        functionVersion: '$LATEST',
        handler: this.#spec.handler,
        ...(wantsAccount ? { accountId: this.#spec.accountId } : {}),
      },
      { 'Lambda-Extension-Identifier': extension.id },
    );
    this.#events.onChange();
  }

  #next(req: IncomingMessage, res: ServerResponse): void {
    const extension = this.#caller(req, res);
    if (extension === undefined) return;
    extension.waiting = res;
    res.once('close', () => {
      if (extension.waiting === res) extension.waiting = undefined;
    });
    const { pending } = extension;
    if (pending !== undefined) this.#deliver(extension, pending);
    this.#events.onChange();
  }

  #error(req: IncomingMessage, res: ServerResponse, type: string): void {
    req.resume();
    const extension = this.#caller(req, res);
    if (extension === undefined) return;
    const own = header(req, 'lambda-extension-function-error-type');
    sendJson(res, 202, { status: 'OK' });
    this.#events.onError({ type, message: `Error: extension ${extension.name}: ${own ?? 'no error type given'}` });
  }

  #caller(req: IncomingMessage, res: ServerResponse): Extension | undefined {
    const extension = this.find(header(req, 'lambda-extension-identifier'));
    if (extension === undefined) {
      sendApiError(
        res,
        403,
        'Extension.UnknownExtensionIdentifier',
        'Header Lambda-Extension-Identifier is missing or unknown',
      );
    }
    return extension;
  }

  #deliver(extension: Extension, event: Record<string, unknown>): void {
    const res = extension.waiting;
    extension.waiting = undefined;
    extension.pending = res === undefined ? event : undefined;
    if (res !== undefined) sendJson(res, 200, event, { 'Lambda-Extension-Event-Identifier': randomUUID() });
  }
}

function parseEvents(body: Buffer): Set<LifecycleEvent> | undefined {
  try {
    const value: unknown = JSON.parse(body.toString() || '{}');
    if (typeof value !== 'object' || value === null) return undefined;
    const list: unknown = 'events' in value ? value.events : [];
    if (!Array.isArray(list)) return undefined;
    const known = list.filter((event): event is LifecycleEvent => event === 'INVOKE' || event === 'SHUTDOWN');
    return known.length === list.length ? new Set(known) : undefined;
  } catch {
    return undefined;
  }
}
