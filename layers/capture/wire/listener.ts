import type { Headers } from '../network/exchanges.ts';

export interface RequestHead {
  readonly method: string;
  /** As it was sent: origin, absolute, authority or asterisk form (RFC 9112 3.2). */
  readonly target: string;
  /** Names in lower case. HTTP/2's `:authority` is among them, its other pseudo-headers are not. */
  readonly headers: Headers;
}

export interface ResponseHead {
  readonly status: number;
  readonly headers: Headers;
}

/**
 * Is told of one exchange as it passes. It is made when the first byte of the request is seen; {@link over} is the last call.
 * Bytes belong to the caller: they are good during the call only. None of these may throw, but the two that are given a head:
 * Malformed, when it is too much.
 */
export interface ExchangeListener {
  request(head: RequestHead): void;
  /** Bytes of the body, without the framing. */
  requestData(bytes: Buffer): void;
  /** So many bytes of the body passed here unseen. */
  requestLeftOut(count: number): void;
  /** Its body has ended as it should. An exchange can be over before. */
  requestEnd(trailers: Headers): void;
  /** The head of the final response, or of one that ends HTTP on this connection (101, CONNECT). */
  response(head: ResponseHead): void;
  responseData(bytes: Buffer): void;
  responseLeftOut(count: number): void;
  responseEnd(trailers: Headers): void;
  /** Nothing more belongs to it. `error`: what cut it short, if something did. */
  over(error?: string): void;
}

/** Where a conversation stands: `tunnel`: something else than HTTP follows; `unreadable`: what follows cannot be understood. */
export type ConversationState = 'reading' | 'tunnel' | 'unreadable';

/** One connection in one version of HTTP, fed with what its client sends and receives in the order of either direction. */
export interface Conversation {
  readonly state: ConversationState;
  /** Why it is unreadable. */
  readonly problem: string | undefined;
  /** Bytes of a direction that were understood; the rest is tunnel or unreadable. */
  readonly read: { readonly sent: number; readonly received: number };
  sent(bytes: Buffer): void;
  received(bytes: Buffer): void;
  /** So many bytes of this direction passed unseen. */
  sentLeftOut(count: number): void;
  receivedLeftOut(count: number): void;
  /** The server has said that nothing more will come. */
  receivedEnd(): void;
  /** What follows cannot be understood. */
  fail(problem: string): void;
  /** The connection is gone: what is under way ends. May be called again. */
  close(error?: string): void;
}
