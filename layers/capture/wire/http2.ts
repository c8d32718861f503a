import type { Headers } from '../network/exchanges.ts';
import { Budget } from './budget.ts';
import { addField, noFields } from './fields.ts';
import { type FrameListener, FrameReader } from './http2-frames.ts';
import { Malformed } from './incremental.ts';
import type { Conversation, ConversationState, ExchangeListener } from './listener.ts';

/** Streams under way at once. Servers allow a hundred or so. */
const STREAMS_MOST = 512;

interface Stream {
  readonly listener: ExchangeListener;
  /** The head of the final response has come: more headers are trailers. */
  answered: boolean;
  readonly trailers: { sent: Headers; received: Headers };
  requestOver: boolean;
  responseOver: boolean;
}

type Fields = readonly (readonly [string, string])[];

/**
 * Reads a connection that speaks HTTP/2 (RFC 9113) with prior knowledge or by ALPN. What the server pushes is passed over.
 * Never throws.
 */
export class Http2Conversation implements Conversation {
  state: ConversationState = 'reading';
  problem: string | undefined;
  readonly #begin: () => ExchangeListener;
  readonly #streams = new Map<number, Stream>();
  /** The client's newest stream. */
  #newest = 0;
  readonly #client: FrameReader;
  readonly #server: FrameReader;

  /**
   * @param begin called when the headers of a request are there
   * @param budget for what has to wait: at most 512 KiB
   */
  constructor(begin: () => ExchangeListener, budget: Budget = new Budget(1 << 20)) {
    this.#begin = begin;
    this.#client = new FrameReader(this.#clientListener(), budget, true);
    this.#server = new FrameReader(this.#serverListener(), budget, false);
  }

  get read(): { sent: number; received: number } {
    return { sent: this.#client.read, received: this.#server.read };
  }

  sent(bytes: Buffer): void {
    this.#client.feed(bytes);
  }
  received(bytes: Buffer): void {
    this.#server.feed(bytes);
  }
  sentLeftOut(count: number): void {
    this.#client.leftOut(count);
  }
  receivedLeftOut(count: number): void {
    this.#server.leftOut(count);
  }
  /** Streams say themselves where they end. */
  receivedEnd(): void {}

  fail(problem: string): void {
    if (this.state !== 'reading') return;
    this.state = 'unreadable';
    this.problem = problem;
    this.close(`unreadable: ${problem}`);
  }

  close(error = 'aborted'): void {
    for (const [id, stream] of this.#streams) this.#over(id, stream, stream.responseOver ? undefined : error);
    this.#client.stop();
    this.#server.stop();
  }

  #clientListener(): FrameListener {
    return {
      wait: () => false,
      headers: (id, fields) => {
        const known = this.#streams.get(id);
        if (known !== undefined) known.trailers.sent = headersOf(fields);
        else if (id > this.#newest && id % 2 === 1) this.#ask(id, fields);
      },
      data: (id, bytes) => this.#asking(id)?.listener.requestData(bytes),
      leftOut: (id, count) => this.#asking(id)?.listener.requestLeftOut(count),
      ended: (id) => {
        const stream = this.#asking(id);
        if (stream === undefined) return;
        stream.requestOver = true;
        stream.listener.requestEnd(stream.trailers.sent);
        this.#look(id, stream);
      },
      reset: (id, code) => this.#reset(id, code),
      // Of pushed streams, which are not followed.
      goAway: () => {},
      failed: (problem) => this.fail(`request: ${problem}`),
    };
  }

  #asking(id: number): Stream | undefined {
    const stream = this.#streams.get(id);
    return stream?.requestOver ? undefined : stream;
  }

  #ask(id: number, fields: Fields): void {
    if (this.#streams.size >= STREAMS_MOST) throw new Malformed('too many requests at once');
    this.#newest = id;
    const pseudo = pseudoOf(fields);
    const headers = headersOf(fields);
    const method = pseudo.get(':method');
    const authority = pseudo.get(':authority');
    // A CONNECT has only this (RFC 9113 8.5).
    const target = pseudo.get(':path') ?? authority;
    if (method === undefined || target === undefined) throw new Malformed('a request without method or path');
    if (authority !== undefined) headers[':authority'] = authority;
    const listener = this.#begin();
    const stream: Stream = {
      listener,
      answered: false,
      trailers: { sent: noFields(), received: noFields() },
      requestOver: false,
      responseOver: false,
    };
    this.#streams.set(id, stream);
    listener.request({ method, target, headers });
    this.#server.resume();
  }

  #serverListener(): FrameListener {
    return {
      // Threads: the answer is reported before the question.
      wait: (id) => id % 2 === 1 && id > this.#newest,
      headers: (id, fields) => this.#answer(id, fields),
      data: (id, bytes) => this.#answering(id)?.listener.responseData(bytes),
      leftOut: (id, count) => this.#answering(id)?.listener.responseLeftOut(count),
      ended: (id) => {
        const stream = this.#answering(id);
        if (stream === undefined) return;
        stream.responseOver = true;
        stream.listener.responseEnd(stream.trailers.received);
        this.#look(id, stream);
      },
      reset: (id, code) => this.#reset(id, code),
      goAway: (last) => {
        for (const [id, stream] of this.#streams) if (id > last) this.#over(id, stream, 'refused');
      },
      failed: (problem) => this.fail(`response: ${problem}`),
    };
  }

  #answering(id: number): Stream | undefined {
    const stream = this.#streams.get(id);
    return stream?.answered && !stream.responseOver ? stream : undefined;
  }

  #answer(id: number, fields: Fields): void {
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    if (stream.answered) {
      stream.trailers.received = headersOf(fields);
      return;
    }
    const status = pseudoOf(fields).get(':status') ?? '';
    if (!/^[1-9]\d\d$/.test(status)) throw new Malformed('a response without a status');
    if (status < '200') return;
    stream.answered = true;
    stream.listener.response({ status: Number(status), headers: headersOf(fields) });
  }

  #look(id: number, stream: Stream): void {
    if (stream.requestOver && stream.responseOver) this.#over(id, stream);
  }

  /** A server that has answered may refuse the rest of the request (RFC 9113 8.1). */
  #reset(id: number, code: number): void {
    const stream = this.#streams.get(id);
    if (stream !== undefined) this.#over(id, stream, stream.responseOver ? undefined : `reset, code ${code}`);
  }

  #over(id: number, stream: Stream, error?: string): void {
    this.#streams.delete(id);
    stream.listener.over(error);
  }
}

const pseudoOf = (fields: Fields): ReadonlyMap<string, string> => new Map(fields.filter(([name]) => name.startsWith(':')));

function headersOf(fields: Fields): Headers {
  const headers = noFields();
  for (const [name, value] of fields) if (!name.startsWith(':')) addField(headers, name, value);
  return headers;
}
