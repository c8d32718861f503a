import type { Headers } from '../network/exchanges.ts';
import { Budget } from './budget.ts';
import { noFields } from './fields.ts';
import { type Framing, type MessageHead, requestFraming, requestLine, responseFraming, statusLine } from './http1-head.ts';
import { type MessageListener, MessageParser } from './http1-message.ts';
import { Malformed } from './incremental.ts';
import type { Conversation, ConversationState, ExchangeListener } from './listener.ts';

/** Requests that may be under way at once (pipelining). */
const PENDING_MOST = 256;

/** An exchange under way. */
interface Pending {
  readonly listener: ExchangeListener;
  method: string | undefined;
  /** It asks for another protocol on this connection. */
  leaves: boolean;
  /** The response has ended, before the request has. */
  answered: boolean;
}

/**
 * Reads a connection that speaks HTTP/1 (RFC 9112) from what its client sends and receives. It understands only what every
 * receiver would understand in the same way; anything else makes it unreadable from there on. Never throws.
 */
export class Http1Conversation implements Conversation {
  state: ConversationState = 'reading';
  problem: string | undefined;
  readonly #begin: () => ExchangeListener;
  /** Those whose response has not ended, in the order of their requests. */
  readonly #pending: Pending[] = [];
  /** Whose request is being sent. */
  #asking: Pending | undefined;
  readonly #requests: MessageParser;
  readonly #responses: MessageParser;

  /**
   * @param begin called with the first byte of every request
   * @param budget for what has to wait: at most 256 KiB
   */
  constructor(begin: () => ExchangeListener, budget: Budget = new Budget(1 << 20)) {
    this.#begin = begin;
    this.#requests = new MessageParser(this.#requestListener(), budget, false);
    // A response cannot be understood before what it answers is known.
    this.#responses = new MessageParser(this.#responseListener(), budget, true);
  }

  get read(): { sent: number; received: number } {
    return { sent: this.#requests.read, received: this.#responses.read };
  }

  sent(bytes: Buffer): void {
    this.#requests.feed(bytes);
  }
  received(bytes: Buffer): void {
    this.#responses.feed(bytes);
  }
  sentLeftOut(count: number): void {
    this.#requests.leftOut(count);
  }
  receivedLeftOut(count: number): void {
    this.#responses.leftOut(count);
  }
  receivedEnd(): void {
    this.#responses.end();
  }
  fail(problem: string): void {
    if (this.state !== 'reading') return;
    this.state = 'unreadable';
    this.problem = problem;
    this.close(`unreadable: ${problem}`);
  }
  close(error = 'aborted'): void {
    if (this.#asking?.answered) this.#asking.listener.over();
    this.#asking = undefined;
    for (const { listener } of this.#pending.splice(0)) listener.over(error);
    this.#requests.stop();
    this.#responses.stop();
  }

  #requestListener(): MessageListener {
    return {
      started: () => {
        if (this.#pending.length >= PENDING_MOST) throw new Malformed('too many requests at once');
        this.#asking = { listener: this.#begin(), method: undefined, leaves: false, answered: false };
        this.#pending.push(this.#asking);
      },
      head: (head) => this.#asked(head),
      data: (bytes) => this.#asking?.listener.requestData(bytes),
      leftOut: (count) => this.#asking?.listener.requestLeftOut(count),
      ended: (trailers) => {
        const asking = this.#asking;
        this.#asking = undefined;
        asking?.listener.requestEnd(trailers);
        if (asking?.answered) asking.listener.over();
        // What follows depends on the answer.
        else if (asking?.leaves) this.#requests.pause();
      },
      failed: (problem) => this.fail(`request: ${problem}`),
    };
  }

  #asked(head: MessageHead): Framing {
    const { method, target, old } = requestLine(head);
    const framing = requestFraming(head.headers, old);
    if (this.#asking === undefined) throw new Malformed('a head without a request');
    this.#asking.method = method;
    this.#asking.leaves = method === 'CONNECT' || head.headers.upgrade !== undefined;
    this.#asking.listener.request({ method, target, headers: head.headers });
    this.#responses.resume();
    // What a CONNECT has behind its head belongs to the tunnel (RFC 9110 9.3.6).
    return method === 'CONNECT' ? 0 : framing;
  }

  #responseListener(): MessageListener {
    /** Status of the response that is being received; below 200 another follows. */
    let status = 0;
    return {
      started: () => {},
      head: (head) => {
        const line = statusLine(head);
        status = line.status;
        return this.#answered(status, head, line.old);
      },
      data: (bytes) => this.#pending[0]?.listener.responseData(bytes),
      leftOut: (count) => this.#pending[0]?.listener.responseLeftOut(count),
      ended: (trailers) => {
        if (status >= 200) this.#done(trailers);
      },
      failed: (problem) => this.fail(`response: ${problem}`),
    };
  }

  #answered(status: number, { headers }: MessageHead, old: boolean): Framing {
    const [first] = this.#pending;
    if (first?.method === undefined) throw new Malformed('an answer to nothing');
    const switches = status === 101 || (first.method === 'CONNECT' && status >= 200 && status < 300);
    if (switches && !first.leaves) throw new Malformed('another protocol, which nobody asked for');
    if (switches) {
      first.listener.response({ status, headers });
      this.#leave();
      return 0;
    }
    const framing = responseFraming(headers, old, status, first.method);
    if (status >= 200) first.listener.response({ status, headers });
    return framing;
  }

  #done(trailers: Headers): void {
    const first = this.#pending.shift();
    first?.listener.responseEnd(trailers);
    if (first !== undefined && first === this.#asking) first.answered = true;
    else first?.listener.over();
    if (this.#pending[0]?.method === undefined) this.#responses.pause();
    if (first?.leaves) this.#requests.resume();
  }

  #leave(): void {
    this.state = 'tunnel';
    const listener = this.#pending.shift()?.listener;
    this.#asking = undefined;
    listener?.responseEnd(noFields());
    listener?.over();
    this.close();
  }
}
