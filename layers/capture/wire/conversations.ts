import type { Observation, Peer, ProcessId } from '../../record/types.ts';
import { log } from '../log.ts';
import { readClientHello } from '../network/client-hello.ts';
import { Budget } from './budget.ts';
import type { WireBytes, WireClose, WireEvent, WireOpen } from './event.ts';
import type { Scene } from './exchange.ts';
import { Layer, tellTunnel } from './layer.ts';

/** Connections that are followed at once; the one not used for longest is given up first. */
const CONNECTIONS_MOST = 256;
/** What all of them together may hold: heads and what waits for its other half, and bodies of AWS calls. */
const HEADS_MOST = 16 << 20;
const BODIES_MOST = 16 << 20;
const OTHERS_MOST = 4 << 20;

interface Connection {
  readonly peer: Peer;
  /** Names it beyond the end of its number. */
  readonly id: string;
  /** Since when, µs since 1970; and who used it last. */
  readonly from: number;
  proc: ProcessId;
  /** A TLS handshake was seen. */
  hello: boolean;
  sni: string | undefined;
  plain: Layer | undefined;
  tls: Layer | undefined;
  /** It was closed; a child that goes on using it is not understood. */
  closed: boolean;
}

/** Where observations go. */
export interface Out {
  push(observation: Observation): unknown;
}

const NOBODY: Out = { push: () => 0 };
const NONE = { sent: 0, received: 0 };

/**
 * Follows the connections that the shim tees, and tells of the exchanges on them. What cannot be read becomes a `tunnel`. All
 * of it is bounded: connections, what they hold, and the work for each byte. Never throws.
 */
export class Conversations {
  readonly #connections = new Map<number, Connection>();
  readonly #budgets = { heads: new Budget(HEADS_MOST), bodies: new Budget(BODIES_MOST), others: new Budget(OTHERS_MOST) };
  readonly #scene: Scene = { t: 0, proc: undefined, out: NOBODY };

  /** Takes an event of the ring. What is over with it is put into `out`. */
  take(event: WireEvent, out: Out): void {
    this.#at(event.t, event.proc, out, () => {
      if (event.kind === 'open') this.#open(event);
      else if (event.kind === 'close') this.#close(event);
      else this.#bytes(event);
    });
  }

  /** A process is gone, perhaps without a word: what it had under way will not go on. */
  gone(proc: ProcessId | number, t: number, out: Out): void {
    for (const connection of this.#connections.values()) {
      const { proc: user } = connection;
      if (connection.closed || (typeof proc === 'number' ? !user.startsWith(`${proc}@`) : user !== proc)) continue;
      this.#at(t, user, out, () => this.#end(connection));
    }
  }

  /** Tells all that is under way: the instance ends. `t`: µs since 1970. */
  end(t: number, out: Out): void {
    for (const connection of this.#connections.values())
      this.#at(t, connection.proc, out, () => this.#end(connection, undefined, 'under way when the instance ended'));
    this.#connections.clear();
  }

  #at(t: number, proc: ProcessId, out: Out, work: () => void): void {
    const before = { ...this.#scene };
    Object.assign(this.#scene, { t, proc, out });
    try {
      work();
    } catch (error) {
      // Whatever it was, the events behind it are to be read.
      log('reading a connection failed', error);
      out.push({ kind: 'gap', t, proc, why: 'ring-damaged', lost: 1, detail: `a connection could not be read: ${error}` });
    } finally {
      // Whoever is told may look into the ring again.
      Object.assign(this.#scene, before);
    }
  }

  #open({ conn, peer, t, proc }: WireOpen): void {
    const before = this.#connections.get(conn);
    if (before !== undefined) this.#end(before);
    this.#connections.delete(conn);
    this.#connections.set(conn, {
      peer,
      id: `${conn}-${t}`,
      from: t,
      proc,
      hello: false,
      sni: undefined,
      plain: undefined,
      tls: undefined,
      closed: false,
    });
    if (this.#connections.size > CONNECTIONS_MOST) this.#giveUpOne();
  }

  #bytes(event: WireBytes): void {
    const connection = this.#connections.get(event.conn);
    // Its beginning was lost, which the ring has counted, or it was given up.
    if (connection === undefined) return;
    this.#connections.delete(event.conn);
    this.#connections.set(event.conn, connection);
    connection.proc = event.proc;
    connection.closed = false;
    if (event.hello) {
      connection.hello = true;
      const hello = readClientHello(event.bytes);
      if (hello !== 'more') connection.sni = hello?.sni;
    } else this.#layer(connection, event.tls).take(event);
  }

  #layer(connection: Connection, tls: boolean): Layer {
    const { peer, sni } = connection;
    const options = { id: connection.id, scene: this.#scene, budgets: this.#budgets };
    if (tls) {
      connection.tls ??= new Layer({ ...options, id: `${options.id}s`, place: { peer, scheme: 'https', sni } });
      return connection.tls;
    }
    connection.plain ??= new Layer({ ...options, place: { peer, scheme: 'http', sni: undefined } });
    return connection.plain;
  }

  #close(event: WireClose): void {
    const connection = this.#connections.get(event.conn);
    if (connection !== undefined) this.#end(connection, event);
  }

  #end(connection: Connection, close?: WireClose, error?: string): void {
    const { peer, from, sni, plain, tls, hello } = connection;
    const { sent, received } = close ?? NONE;
    plain?.end(close !== undefined && !close.tls && !close.unread ? close : NONE, error);
    tls?.end(close?.tls ? close : NONE, error);
    // Without a close nobody has counted its bytes.
    const unread = close === undefined ? hello && !connection.closed : close.unread;
    if (unread && tls === undefined) tellTunnel({ why: 'unreadable', from, peer, sent, received }, this.#scene, sni);
    connection.closed = true;
  }

  /** The first that is closed, else the one not used for longest. */
  #giveUpOne(): void {
    let [victim] = this.#connections;
    for (const entry of this.#connections) {
      if (!entry[1].closed) continue;
      victim = entry;
      break;
    }
    if (victim === undefined) return;
    const [conn, connection] = victim;
    this.#connections.delete(conn);
    if (connection.closed) return;
    const { t, out } = this.#scene;
    this.#end(connection, undefined, 'given up for newer connections');
    const detail = `more than ${CONNECTIONS_MOST} connections at once: one to ${connection.peer.addr}:${connection.peer.port} is not followed any more`;
    out.push({ kind: 'gap', t, proc: connection.proc, why: 'buffer-full', lost: 1, detail });
  }
}
