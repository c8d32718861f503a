import type { TunnelObservation } from '../../record/types.ts';
import { sniff } from '../network/sniff.ts';
import type { WireBytes } from './event.ts';
import { type Budgets, type Place, type Scene, WireExchange } from './exchange.ts';
import { Http1Conversation } from './http1.ts';
import { Http2Conversation } from './http2.ts';
import type { Conversation } from './listener.ts';

/** What a server may say before its client does, if HTTP is to follow: HTTP/2's settings. */
const EARLY_MOST = 16 * 1024;
/** More than the first bytes of HTTP take, which tell what it is. */
const OPENING_MOST = 64;
const NOTHING = Buffer.alloc(0);
const NONE = { sent: 0, received: 0 };

export interface LayerOptions {
  /** Names its exchanges, with a number behind it. */
  readonly id: string;
  readonly place: Place;
  readonly scene: Scene;
  readonly budgets: Budgets;
}

interface Closed {
  readonly why: TunnelObservation['why'];
  /** µs since 1970. */
  readonly from: number;
  /** Bytes that were understood before. */
  readonly sent: number;
  readonly received: number;
}

/** One connection's bytes as they are before TLS, or inside of it: finds out what they are, and has them read. */
export class Layer {
  readonly #options: LayerOptions;
  /** Bytes of each direction that have passed. */
  readonly #passed = { sent: 0, received: 0 };
  /** First bytes of the client, as long as they do not tell what they are; what the server has said meanwhile. */
  #opening = NOTHING;
  #early = NOTHING;
  #conversation: Conversation | undefined;
  #exchanges = 0;
  /** From where on it cannot be read. */
  #closed: Closed | undefined;

  constructor(options: LayerOptions) {
    this.#options = options;
  }

  take({ sent, offset, total, bytes }: WireBytes): void {
    const way = sent ? 'sent' : 'received';
    const hole = offset - this.#passed[way];
    if (hole < 0) this.#lose('two processes count its bytes');
    else if (hole > 0) this.#leftOut(sent, hole);
    this.#passed[way] = offset + total;
    if (this.#closed !== undefined) return;
    if (total === 0 && !sent) this.#conversation?.receivedEnd();
    if (bytes.length > 0) this.#feed(sent, bytes);
    if (total > bytes.length) this.#leftOut(sent, total - bytes.length);
    this.#look();
  }

  /** The connection is gone; so many bytes have passed in all. Tells what was under way, and what was not read. */
  end(totals: { readonly sent: number; readonly received: number }, error?: string): void {
    for (const way of ['sent', 'received'] as const) {
      const missing = totals[way] - this.#passed[way];
      if (missing > 0) this.#leftOut(way === 'sent', missing);
      this.#passed[way] += Math.max(0, missing);
    }
    this.#look();
    this.#conversation?.close(error);
    if (this.#conversation === undefined) this.#close('not-http', NONE);
    this.#conversation = undefined;
    if (this.#closed !== undefined) this.#tell(this.#closed);
    // Should somebody go on using it, he is not understood.
    this.#closed = { why: 'unreadable', from: this.#options.scene.t, ...this.#passed };
  }

  #tell({ why, from, ...read }: Closed): void {
    const { scene, place } = this.#options;
    const sent = Math.max(0, this.#passed.sent - read.sent);
    const received = Math.max(0, this.#passed.received - read.received);
    if (sent + received > 0) tellTunnel({ why, from, peer: place.peer, sent, received }, scene, place.sni);
  }

  #feed(sent: boolean, bytes: Buffer): void {
    if (this.#conversation === undefined) this.#begin(sent, bytes);
    else if (sent) this.#conversation.sent(bytes);
    else this.#conversation.received(bytes);
  }

  #leftOut(sent: boolean, count: number): void {
    if (this.#closed !== undefined) return;
    if (this.#conversation === undefined) this.#lose('its beginning was not seen');
    else if (sent) this.#conversation.sentLeftOut(count);
    else this.#conversation.receivedLeftOut(count);
  }

  #begin(sent: boolean, bytes: Buffer): void {
    if (!sent) {
      // Servers of other protocols may speak first, and for long.
      if (this.#early.length + bytes.length > EARLY_MOST) this.#close('not-http', NONE);
      else this.#early = Buffer.concat([this.#early, bytes]);
      return;
    }
    const first = this.#opening.length === 0 ? bytes : Buffer.concat([this.#opening, bytes]);
    const kind = sniff(first);
    if (kind === 'more' && first.length < OPENING_MOST) {
      this.#opening = Buffer.from(first);
      return;
    }
    const { scene, place, budgets, id } = this.#options;
    const begin = () => new WireExchange(`${id}-${this.#exchanges++}`, place, scene, budgets);
    if (kind === 'h2c') this.#conversation = new Http2Conversation(begin, budgets.heads);
    else if (kind === 'http' || kind === 'http-proxy') this.#conversation = new Http1Conversation(begin, budgets.heads);
    if (this.#conversation === undefined) {
      this.#close('not-http', NONE);
      return;
    }
    this.#conversation.sent(first);
    this.#conversation.received(this.#early);
    this.#early = NOTHING;
  }

  #look(): void {
    if (this.#conversation === undefined || this.#conversation.state === 'reading') return;
    const { state, read } = this.#conversation;
    this.#close(state === 'tunnel' ? 'not-http' : 'unreadable', read);
  }

  #lose(problem: string): void {
    this.#conversation?.fail(problem);
    this.#close('unreadable', this.#conversation?.read ?? NONE);
  }

  #close(why: TunnelObservation['why'], read: { sent: number; received: number }): void {
    this.#closed ??= { why, from: this.#options.scene.t, sent: read.sent, received: read.received };
    this.#early = NOTHING;
    this.#opening = NOTHING;
  }
}

/** Tells of what passed unread, to its end. */
export function tellTunnel(
  tunnel: Omit<TunnelObservation, 'kind' | 'to' | 'sni'>,
  { t, proc, out }: Scene,
  sni: string | undefined,
): void {
  const named = sni === undefined ? {} : { sni };
  out.push({ kind: 'tunnel', t, ...(proc === undefined ? {} : { proc }), ...tunnel, to: t, ...named });
}
