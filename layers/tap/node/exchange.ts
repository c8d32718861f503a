import type { TapHeaders } from '../message.ts';
import { BodyTee } from './body.ts';
import { tappedAt } from './connections.ts';
import { tellSoon } from './soon.ts';
import { micros, tell } from './wire.ts';

/** One exchange while it is under way. */
export class TappedExchange {
  readonly request: BodyTee;
  readonly response: BodyTee;
  #socket: object | undefined;
  #from = 0;
  #answered: number | undefined;
  #status: number | undefined;
  #answer: (() => TapHeaders) | undefined;
  #to: number | undefined;
  #error: string | undefined;
  readonly #describe: () => { method: string; target: string; headers: TapHeaders };

  /** @param describe what is asked for; called when everything about it is decided. */
  constructor(isAws: () => boolean, describe: () => { method: string; target: string; headers: TapHeaders }) {
    this.request = new BodyTee(isAws);
    this.response = new BodyTee(isAws);
    this.#describe = describe;
  }

  /** It got a socket, which need not be connected yet: only at the end is it known who has observed it. */
  on(socket: object): void {
    this.#socket = socket;
    this.#from = micros();
  }

  /** @param headers asked for when the exchange is told: Node makes them when they are first looked at */
  answered(status: number, headers: () => TapHeaders): void {
    this.#answered = micros();
    this.#status = status;
    this.#answer = headers;
  }

  /** Nothing more belongs to it. Later calls say nothing new. */
  end(error?: string): void {
    if (this.#to !== undefined) return;
    this.#to = micros();
    this.#error = error;
    tellSoon(() => this.#tell());
  }

  #tell(): void {
    const request = this.request.take();
    const response = this.response.take();
    const connection = tappedAt(this.#socket);
    // None: the network proxy has seen it.
    if (connection === undefined || this.#to === undefined) return;
    const head = {
      from: this.#from,
      ...(this.#answered === undefined ? {} : { answered: this.#answered }),
      to: this.#to,
      scheme: connection.scheme,
      addr: connection.addr,
      port: connection.port,
      ...this.#describe(),
      ...(this.#status === undefined ? {} : { status: this.#status }),
      ...(this.#answer === undefined ? {} : { answer: this.#answer() }),
      request: request.told,
      response: response.told,
      ...(this.#error === undefined ? {} : { error: this.#error }),
    };
    tell(head, request.kept, response.kept);
  }
}

/** The lines of a request's head as Node wrote it, with names in lower case. */
export function parseHead(text: string): TapHeaders {
  const headers: TapHeaders = {};
  const [, ...lines] = text.split('\r\n');
  for (const line of lines) {
    const colon = line.indexOf(':');
    if (colon <= 0) continue;
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    const before = headers[name];
    headers[name] = before === undefined ? value : `${before}, ${value}`;
  }
  return headers;
}

export const errorName = (error: unknown): string => {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  return typeof code === 'string' ? code : typeof message === 'string' ? message : 'aborted';
};
