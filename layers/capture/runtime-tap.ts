import type { Observation, Peer, ProcessId } from '../record/types.ts';
import { log } from './log.ts';
import type { RuntimeListener } from './runtime-calls.ts';
import { RuntimeExchange, type Scene } from './runtime-exchange.ts';
import type { WireBytes, WireEvent } from './wire/event.ts';
import { Http1Conversation } from './wire/http1.ts';

/** Connections to the Runtime API that are followed; a runtime has one or two. Those not used for longest are forgotten first. */
const CONNECTIONS_MOST = 64;
/** How a call of the Runtime API begins: where reading can be taken up again after a part was lost. */
const CALL = /^(?:GET|POST) [!-~]{0,64}\/runtime\/(?:invocation|init|restore)\//;
const NOWHERE: Peer = { addr: '0.0.0.0', port: 0, proto: 'tcp' };

export interface RuntimeTapOptions {
  /** Told in the order of the ring what the runtime, or whoever else, says to the Runtime API. */
  readonly listener: RuntimeListener;
  /** An event was not seen whole. */
  readonly onIncomplete: (reqId: string) => void;
  /** An exchange with the Runtime API is over, whoever had it. `observation` makes the record of it. */
  readonly onExchange: (proc: ProcessId, observation: () => Observation) => void;
}

interface Connection {
  readonly peer: Peer;
  readonly http: Http1Conversation;
  /** Where each direction goes on; undefined: wherever it does. */
  readonly offsets: { sent: number; received: number | undefined };
  last: RuntimeExchange | undefined;
}

/**
 * Reads the runtime's talk with the Runtime API from what the shim tees of its connection, and says where in the order of all
 * events a request begins and ends. Nothing waits for it. What was lost makes a connection unreadable until the next call begins.
 */
export class RuntimeTap {
  readonly #options: RuntimeTapOptions;
  readonly #connections = new Map<number, Connection>();
  #event: { t: number; proc: ProcessId } = { t: 0, proc: '' };
  #calls = 0;
  /** Its connection is gone before the platform has said anything to this answer. */
  #left: RuntimeExchange | undefined;

  constructor(options: RuntimeTapOptions) {
    this.#options = options;
  }

  /** How often something could not be understood, because a part of it was missing. */
  lost = 0;

  /** Takes what the shim has teed, in the order of the ring. Never throws. */
  take(event: WireEvent): void {
    this.#event = event;
    if (event.kind === 'open') this.#open(event.conn, event.peer, { sent: 0, received: 0 });
    else if (event.kind === 'close') this.#close(event.conn, event.sent);
    else if (!event.tls && !event.hello) this.#bytes(event);
  }

  /** The runtime is gone, or its time is over: an answer that has left whole counts as accepted, for nothing more will be said. */
  settle(t: number): void {
    this.#event = { t, proc: this.#event.proc };
    for (const exchange of [this.#left, ...[...this.#connections.values()].map(({ last }) => last)])
      if (exchange?.unconfirmed === true) exchange.confirm();
    this.#left = undefined;
  }

  /** The record ends: what is under way will not be seen to its end. */
  end(t: number): void {
    this.#event = { t, proc: this.#event.proc };
    for (const conn of [...this.#connections.keys()]) this.#close(conn);
  }

  #open(conn: number, peer: Peer, offsets: Connection['offsets']): Connection {
    this.#close(conn);
    const http = new Http1Conversation(() => {
      const { proc, t } = this.#event;
      // Whoever lives sends his answer again. A successor does not.
      if (this.#left !== undefined && this.#left.proc !== proc) this.#left.confirm();
      this.#left = undefined;
      connection.last = new RuntimeExchange(`${proc}-${t}-r${this.#calls++}`, peer, () => this.#scene());
      return connection.last;
    });
    const connection: Connection = { peer, http, offsets, last: undefined };
    this.#connections.set(conn, connection);
    const [oldest] = this.#connections.keys();
    if (this.#connections.size > CONNECTIONS_MOST && oldest !== undefined) this.#close(oldest);
    return connection;
  }

  /** `sent`: how much of what was told to be sent really was, if that is known. */
  #close(conn: number, sent = Number.POSITIVE_INFINITY): void {
    const connection = this.#connections.get(conn);
    if (connection === undefined) return;
    this.#connections.delete(conn);
    if (connection.last?.unconfirmed === true && sent >= connection.offsets.sent) this.#left = connection.last;
    connection.http.close();
  }

  #bytes(event: WireBytes): void {
    const known = this.#connections.get(event.conn);
    const direction = event.sent ? 'sent' : 'received';
    if (known !== undefined && known.http.state === 'reading' && event.offset >= (known.offsets[direction] ?? 0)) {
      this.#leftOut(known, event, event.offset - (known.offsets[direction] ?? event.offset));
      if (known.http.state === 'reading') return void this.#feed(known, event);
    }
    // It cannot be understood until the next call begins, whose answer comes next, however much of those before was lost.
    if (known?.http.state !== 'tunnel' && event.sent && CALL.test(event.bytes.toString('latin1', 0, 128)))
      this.#feed(this.#open(event.conn, known?.peer ?? NOWHERE, { sent: event.offset, received: undefined }), event);
    else this.lost++;
  }

  #feed(connection: Connection, event: WireBytes): void {
    const direction = event.sent ? 'sent' : 'received';
    connection.offsets[direction] = event.offset + event.total;
    connection.http[direction](event.bytes);
    // Nothing more will come from there.
    if (!event.sent && event.total === 0) connection.http.receivedEnd();
    this.#leftOut(connection, event, event.total - event.bytes.length);
    this.#connections.delete(event.conn);
    this.#connections.set(event.conn, connection);
  }

  #leftOut({ http }: Connection, { sent }: WireBytes, count: number): void {
    if (count <= 0) return;
    if (sent) http.sentLeftOut(count);
    else http.receivedLeftOut(count);
    if (http.state === 'unreadable') this.lost++;
  }

  #scene(): Scene {
    const { proc, t } = this.#event;
    const { listener, onIncomplete, onExchange } = this.#options;
    // Recording must not fail what is recorded after it.
    const guarded = (what: string, act: () => void): void => {
      try {
        act();
      } catch (error) {
        log(`${what} failed`, error);
      }
    };
    return {
      t,
      proc,
      say: (told) => guarded('recording a Runtime API call', () => told(listener)),
      incomplete: (reqId) => guarded('counting an incomplete event', () => onIncomplete(reqId)),
      over: (who, observation) => guarded('recording an exchange', () => onExchange(who, observation)),
    };
  }
}
