/**
 * The Telemetry API: what the platform, the function and the extensions do, pushed to extensions that subscribed.
 * Source: "Telemetry API reference" and "Event schema reference" in the Lambda developer guide (schema 2022-12-13).
 */

import type { IncomingMessage, ServerResponse } from 'node:http';
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import type { ExtensionsApi } from './extensions-api.ts';
import { header, readBody, sendApiError, sendJson } from './http-replies.ts';
import { parseSubscription, type Subscription, type TelemetryCategory } from './telemetry-subscription.ts';

interface TelemetryEvent {
  readonly time: string;
  readonly type: string;
  readonly record: unknown;
}

const PATH = /^\/2022-07-01\/telemetry\/?$/;

export class Telemetry {
  readonly #extensions: ExtensionsApi;
  readonly #deliveries = new Map<string, Delivery>();
  /** What happened during init, for those who subscribe later in it. */
  #history: TelemetryEvent[] = [];
  #recording = true;
  readonly #onSubscribed: (extension: string) => void;

  constructor(extensions: ExtensionsApi, onSubscribed: (extension: string) => void) {
    this.#extensions = extensions;
    this.#onSubscribed = onSubscribed;
  }

  emit(type: string, record: unknown): void {
    if (this.#deliveries.size === 0 && !this.#recording) return;
    const event = { time: new Date().toISOString(), type, record };
    if (this.#recording) this.#history.push(event);
    for (const delivery of this.#deliveries.values()) delivery.push(event);
  }

  /** Init is over: nobody can subscribe any more. */
  closeSubscriptions(): void {
    this.#recording = false;
    this.#history = [];
  }

  /** While the environment is frozen nobody would answer. */
  pause(): void {
    for (const delivery of this.#deliveries.values()) delivery.pause();
  }

  resume(): void {
    for (const delivery of this.#deliveries.values()) delivery.resume();
  }

  flush(): void {
    for (const delivery of this.#deliveries.values()) delivery.flush();
  }

  reset(): void {
    for (const delivery of this.#deliveries.values()) delivery.close();
    this.#deliveries.clear();
    this.#history = [];
    this.#recording = true;
  }

  /** False when the path is not of this API. */
  handle(req: IncomingMessage, res: ServerResponse, path: string): boolean {
    if (!PATH.test(path) || req.method !== 'PUT') return false;
    void this.#subscribe(req, res);
    return true;
  }

  async #subscribe(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const extension = this.#extensions.find(header(req, 'lambda-extension-identifier'));
    const body = await readBody(req, 65_536).catch(() => undefined);
    if (extension === undefined) {
      sendApiError(
        res,
        403,
        'Extension.UnknownExtensionIdentifier',
        'Header Lambda-Extension-Identifier is missing or unknown',
      );
      return;
    }
    if (!this.#recording) {
      sendApiError(res, 403, 'Telemetry.SubscriptionClosed', 'Subscribe before the first call of /event/next');
      return;
    }
    const subscription = body === undefined ? 'the body is too large' : parseSubscription(body);
    if (typeof subscription === 'string') {
      sendApiError(res, 400, 'ValidationError', subscription);
      return;
    }
    this.#deliveries.get(extension.id)?.close();
    const delivery = new Delivery(subscription);
    this.#deliveries.set(extension.id, delivery);
    for (const event of this.#history) delivery.push(event);
    sendJson(res, 200, 'OK');
    this.#onSubscribed(extension.name);
    this.emit('platform.telemetrySubscription', { name: extension.name, state: 'Subscribed', types: [...subscription.types] });
  }
}

/** The buffer of one subscriber. Sends one batch at a time, so that order is kept. */
class Delivery {
  readonly #subscription: Subscription;
  #buffer: string[] = [];
  #bytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #sending = false;
  #paused = false;
  #closed = false;
  #socket: Socket | undefined;

  constructor(subscription: Subscription) {
    this.#subscription = subscription;
  }

  push(event: TelemetryEvent): void {
    const category = event.type.split('.')[0] as TelemetryCategory;
    if (this.#closed || !this.#subscription.types.has(category)) return;
    const text = JSON.stringify(event);
    this.#buffer.push(text);
    this.#bytes += text.length;
    if (this.#buffer.length >= this.#subscription.maxItems || this.#bytes >= this.#subscription.maxBytes) this.flush();
    else this.#arm();
  }

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#paused || this.#sending || this.#closed || this.#buffer.length === 0) return;
    const batch = this.#buffer;
    this.#buffer = [];
    this.#bytes = 0;
    this.#sending = true;
    const done = () => {
      this.#sending = false;
      if (this.#buffer.length > 0) this.#arm();
    };
    if (this.#subscription.protocol === 'TCP') this.#sendLines(batch, done);
    else this.#post(`[${batch.join(',')}]`, done);
  }

  pause(): void {
    this.#paused = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  resume(): void {
    this.#paused = false;
    if (this.#buffer.length > 0) this.#arm();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket?.destroy();
  }

  #arm(): void {
    if (this.#paused) return;
    this.#timer ??= setTimeout(() => this.flush(), this.#subscription.timeoutMs);
  }

  /** A subscriber that does not listen loses the batch, as on Lambda. */
  #post(body: string, done: () => void): void {
    const { port, path } = this.#subscription;
    const req = request({ host: '127.0.0.1', port, path, method: 'POST', agent: false }, (res) => res.resume());
    req.on('error', () => {});
    req.on('close', done);
    req.on('socket', (socket) => {
      this.#socket = socket;
    });
    req.setHeader('Content-Type', 'application/json');
    req.end(body);
  }

  #sendLines(batch: readonly string[], done: () => void): void {
    if (this.#socket === undefined || this.#socket.destroyed) {
      this.#socket = connect(this.#subscription.port, '127.0.0.1');
      this.#socket.on('error', () => {});
    }
    this.#socket.write(batch.map((line) => `${line}\n`).join(''), done);
  }
}
