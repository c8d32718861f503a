import type { Observation, Peer, ProcessId } from '../record/types.ts';
import { BodyMeter } from './body.ts';
import { describeExchange } from './network/exchanges.ts';
import {
  ERROR_LIMIT,
  EVENT_LIMIT,
  invocationOf,
  outcomeOf,
  type RuntimeCall,
  type RuntimeListener,
  runtimeCall,
} from './runtime-calls.ts';
import type { ExchangeListener, RequestHead, ResponseHead } from './wire/listener.ts';

/** Where and when something of an exchange was seen. `t`: µs since 1970. */
export interface Scene {
  readonly t: number;
  readonly proc: ProcessId;
  say(told: (to: RuntimeListener) => void): void;
  /** Told when an event was not seen whole. */
  incomplete(reqId: string): void;
  /** The exchange is over, for the record of it should its process not be the runtime. */
  over(proc: ProcessId, observation: () => Observation): void;
}

/** One call of the Runtime API as the shim tees it, from the first byte to the last. */
export class RuntimeExchange implements ExchangeListener {
  readonly #scene: () => Scene;
  readonly proc: ProcessId;
  readonly #from: number;
  readonly #peer: Peer;
  readonly #id: string;
  readonly #request = new BodyMeter();
  readonly #response = new BodyMeter();
  #asked: RequestHead = { method: '', target: '', headers: {} };
  #call: RuntimeCall = { call: 'other' };
  #kept: Buffer[] = [];
  #trailers: RequestHead['headers'] = {};
  #sentWhole = false;
  #answer: ResponseHead | undefined;
  #answeredAt: number | undefined;

  constructor(id: string, peer: Peer, scene: () => Scene) {
    this.#id = id;
    this.#peer = peer;
    this.#scene = scene;
    const { proc, t } = scene();
    this.proc = proc;
    this.#from = t;
  }

  /** The answer has left, but what the platform says to it has not been seen. */
  get unconfirmed(): boolean {
    return this.#sentWhole && this.#answer === undefined && (this.#call.call === 'response' || this.#call.call === 'error');
  }

  request(head: RequestHead): void {
    this.#asked = head;
    this.#call = runtimeCall(head.target);
  }

  requestData(bytes: Buffer): void {
    this.#request.add(bytes);
    const error = this.#call.call === 'error' || this.#call.call === 'init-error';
    if (error && this.#request.bytes <= ERROR_LIMIT) this.#kept.push(Buffer.from(bytes));
  }

  requestLeftOut(count: number): void {
    this.#request.leftOut(count);
  }

  requestEnd(trailers: RequestHead['headers']): void {
    this.#request.end();
    this.#sentWhole = true;
    this.#trailers = trailers;
    if (this.#call.call === 'next') this.#say((to, t) => to.asked(this.#who, t));
    if (this.#call.call === 'restore') this.#say((to, t) => to.snapshot(this.#who, t));
    // Nothing comes of it whether the platform takes it or not, and it may end everything right then.
    if (this.#call.call === 'init-error') this.#conclude();
  }

  response(head: ResponseHead): void {
    this.#answer = head;
    this.#answeredAt = this.#scene().t;
    if (head.status >= 300) return;
    this.confirm();
    if (this.#call.call === 'restore') this.#say((to, t) => to.restored(this.#who, t));
  }

  /** Takes the runtime's answer for accepted. */
  confirm(): void {
    if (this.#call.call === 'response' || this.#call.call === 'error') this.#conclude();
  }

  #conclude(): void {
    const called = this.#call;
    if (called.call !== 'response' && called.call !== 'error' && called.call !== 'init-error') return;
    const said = called.call !== 'response' && this.#request.bytes <= ERROR_LIMIT ? Buffer.concat(this.#kept) : undefined;
    const outcome = outcomeOf(called.call, this.#asked.headers, this.#trailers, said, this.#request.digest());
    this.#say((to, t) =>
      'reqId' in called ? to.ended(this.#who, called.reqId, outcome, t) : to.initFailed(this.#who, outcome, t),
    );
  }

  responseData(bytes: Buffer): void {
    this.#response.add(bytes);
    if (this.#call.call === 'next' && this.#response.bytes <= EVENT_LIMIT) this.#kept.push(Buffer.from(bytes));
  }

  responseLeftOut(count: number): void {
    this.#response.leftOut(count);
  }

  responseEnd(): void {
    this.#response.end();
    if (this.#call.call !== 'next' || this.#answer === undefined || this.#answer.status >= 300) return;
    const whole = this.#response.whole && this.#response.bytes <= EVENT_LIMIT;
    const invocation = invocationOf(
      this.#answer.headers,
      this.#response.digest(),
      whole ? Buffer.concat(this.#kept) : undefined,
    );
    this.#kept = [];
    if (invocation === undefined) return;
    if (!this.#response.whole) this.#scene().incomplete(invocation.reqId);
    this.#say((to, t) => to.begun(this.#who, invocation, t));
  }

  over(error?: string): void {
    const { t } = this.#scene();
    this.#scene().over(this.proc, () => this.#observation(t, error));
  }

  get #who(): { readonly proc: ProcessId } {
    return { proc: this.proc };
  }

  #say(told: (to: RuntimeListener, t: number) => void): void {
    const scene = this.#scene();
    const { t } = scene;
    scene.say((to) => told(to, t));
  }

  #observation(to: number, error: string | undefined): Observation {
    return describeExchange({
      id: this.#id,
      seenBy: 'tap',
      connection: { proc: this.proc, peer: this.#peer },
      head: { ...this.#asked, scheme: 'http', from: this.#from },
      to,
      answered: this.#answeredAt,
      status: this.#answer?.status,
      responseHeaders: this.#answer?.headers ?? {},
      requestBody: undefined,
      responseBody: undefined,
      request: this.#request.digest(),
      response: this.#response.digest(),
      error,
    });
  }
}
