import type { Observation, Peer, ProcessId } from '../../record/types.ts';
import { LOOKED_AT, SMALL_BODY } from '../../tap/message.ts';
import { describeExchange, type Headers } from '../network/exchanges.ts';
import { WatchedBody } from './body.ts';
import type { Budget } from './budget.ts';
import { Malformed } from './incremental.ts';
import type { ExchangeListener, RequestHead, ResponseHead } from './listener.ts';

/** What an exchange and a header field cost besides their text, about. */
const OVERHEAD = 1024;
const FIELD = 64;
const ABSOLUTE = /^(https?):\/\/(?:[^/?#@]*@)?([^/?#]*)([^#]*)/i;

/** The event that is being read, and where observations go. */
export interface Scene {
  t: number;
  proc: ProcessId | undefined;
  out: { push(observation: Observation): unknown };
}

/** On which connection an exchange takes place. */
export interface Place {
  readonly peer: Peer;
  readonly scheme: 'http' | 'https';
  readonly sni: string | undefined;
}

/**
 * What all connections may hold: what is needed to read them; bodies of AWS calls, without which only identifiers are missed; and
 * bodies of others, without which only the digests of their parts are. These must not take the place of those.
 */
export interface Budgets {
  readonly heads: Budget;
  readonly bodies: Budget;
  readonly others: Budget;
}

/** One request and its answer, from its first byte until it is told. */
export class WireExchange implements ExchangeListener {
  readonly #id: string;
  readonly #place: Place;
  readonly #scene: Scene;
  readonly #budget: Budget;
  readonly #proc: ProcessId | undefined;
  readonly #from: number;
  readonly #budgets: Budgets;
  readonly #request = new WatchedBody();
  readonly #response = new WatchedBody();
  #taken = 0;
  #head: RequestHead | undefined;
  #answer: ResponseHead | undefined;
  #answered: number | undefined;
  #to: number | undefined;

  /** @throws Malformed when there is no room for another */
  constructor(id: string, place: Place, scene: Scene, budgets: Budgets) {
    this.#id = id;
    this.#place = place;
    this.#scene = scene;
    this.#budget = budgets.heads;
    this.#budgets = budgets;
    this.#take(OVERHEAD);
    this.#proc = scene.proc;
    this.#from = scene.t;
  }

  #take(bytes: number): void {
    if (!this.#budget.take(bytes)) throw new Malformed('too much is under way on all connections');
    this.#taken += bytes;
  }

  request(head: RequestHead): void {
    this.#take(head.target.length + sizeOf(head.headers));
    this.#head = head;
    const aws = isAwsCall(head);
    const { bodies, others } = this.#budgets;
    for (const body of [this.#request, this.#response]) body.keep(aws ? bodies : others, aws ? LOOKED_AT : SMALL_BODY);
  }
  requestData(bytes: Buffer): void {
    this.#request.add(bytes);
  }
  requestLeftOut(count: number): void {
    this.#request.leftOut(count);
  }
  requestEnd(): void {
    this.#request.end();
  }
  response(head: ResponseHead): void {
    this.#take(sizeOf(head.headers));
    this.#answer = head;
    this.#answered = this.#scene.t;
  }
  responseData(bytes: Buffer): void {
    this.#response.add(bytes);
  }
  responseLeftOut(count: number): void {
    this.#response.leftOut(count);
  }
  responseEnd(): void {
    this.#response.end();
    this.#to = this.#scene.t;
  }

  over(error?: string): void {
    if (this.#head !== undefined) this.#scene.out.push(this.#observation(this.#head, error));
    this.#request.drop();
    this.#response.drop();
    this.#budget.give(this.#taken);
  }

  #observation({ method, target, headers }: RequestHead, error: string | undefined): Observation {
    const { peer, scheme, sni } = this.#place;
    // To a forward proxy: the target names the host, and Host does not matter (RFC 9112 3.2.2).
    const [, absolute, authority, path] = ABSOLUTE.exec(target) ?? [];
    const head = {
      method,
      scheme: absolute === undefined ? scheme : absolute.toLowerCase() === 'https' ? ('https' as const) : ('http' as const),
      target: absolute === undefined ? target : path || '/',
      headers: authority === undefined ? headers : { ...headers, host: authority },
      from: this.#from,
    };
    return describeExchange({
      id: this.#id,
      seenBy: 'tap',
      connection: { peer, ...(this.#proc === undefined ? {} : { proc: this.#proc }), ...(sni === undefined ? {} : { sni }) },
      head,
      to: this.#to ?? this.#scene.t,
      answered: this.#answered,
      status: this.#answer?.status,
      responseHeaders: this.#answer?.headers ?? {},
      requestBody: this.#request.body,
      responseBody: this.#response.body,
      request: this.#request.digest(),
      response: this.#response.digest(),
      error,
    });
  }
}

function sizeOf(headers: Headers): number {
  let size = 0;
  for (const [name, value = ''] of Object.entries(headers)) {
    const text = Array.isArray(value) ? value.join() : value;
    size += FIELD + name.length + text.length;
  }
  return size;
}

/** As `identify` in layers/capture/handover/aws-call.ts finds out: only of these the bodies are looked at. */
function isAwsCall({ target, headers }: RequestHead): boolean {
  const signed = String(headers.authorization ?? '').includes('/aws4_request') || target.includes('X-Amz-Credential=');
  const host = String(headers[':authority'] ?? headers.host ?? '');
  // Smithy's RPC v2 names its operation in the path, and has this header in place of x-amz-target.
  const called = headers['x-amz-target'] !== undefined || headers['smithy-protocol'] !== undefined;
  return signed || called || /\.amazonaws\.com(\.cn)?(:\d+)?$/.test(host);
}
