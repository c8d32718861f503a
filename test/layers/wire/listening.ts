import type { Conversation, ExchangeListener, RequestHead, ResponseHead } from '../../../layers/capture/wire/listener.ts';

/** What a conversation told of one exchange. */
export class Heard implements ExchangeListener {
  asked: RequestHead | undefined;
  answer: ResponseHead | undefined;
  sent = '';
  received = '';
  leftOut = { sent: 0, received: 0 };
  trailers: { sent?: object; received?: object } = {};
  /** `null`: well; undefined: not over. */
  end: string | null | undefined;

  request(head: RequestHead): void {
    this.#open();
    this.asked = head;
  }
  requestData(bytes: Buffer): void {
    this.#open();
    this.sent += bytes.toString('latin1');
  }
  requestLeftOut(count: number): void {
    this.#open();
    this.leftOut.sent += count;
  }
  requestEnd(trailers: object): void {
    this.#open();
    if (this.trailers.sent !== undefined) throw new Error('a request that ends twice');
    this.trailers.sent = { ...trailers };
  }
  response(head: ResponseHead): void {
    this.#open();
    if (this.answer !== undefined) throw new Error('two final responses');
    this.answer = head;
  }
  responseData(bytes: Buffer): void {
    this.#open();
    if (this.answer === undefined) throw new Error('a body without a head');
    this.received += bytes.toString('latin1');
  }
  responseLeftOut(count: number): void {
    this.#open();
    this.leftOut.received += count;
  }
  responseEnd(trailers: object): void {
    this.#open();
    this.trailers.received = { ...trailers };
  }
  over(error?: string): void {
    this.#open();
    this.end = error ?? null;
  }
  #open(): void {
    if (this.end !== undefined) throw new Error('told after its end');
  }

  get short(): string {
    return `${this.asked?.method} ${this.asked?.target} ${this.sent} > ${this.answer?.status} ${this.received} ${this.end}`;
  }
}

/** A conversation, and what it tells. */
export function listening<C extends Conversation>(make: (begin: () => ExchangeListener) => C): { to: C; heard: Heard[] } {
  const heard: Heard[] = [];
  const to = make(() => {
    const one = new Heard();
    heard.push(one);
    return one;
  });
  return { to, heard };
}
