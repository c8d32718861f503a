import net from 'node:net';
import type { Observation, Peer, ProcessId, TunnelObservation } from '../../record/types.ts';
import { nowMicros } from '../clock.ts';

/** A connection of the audited function, as the front knows it. */
export interface Connection {
  readonly socket: net.Socket;
  /** Where the application wanted to go. */
  readonly peer: Peer;
  readonly proc?: ProcessId;
  /** When it was accepted, µs since 1970. */
  readonly from: number;
  readonly sni?: string;
}

/** Opens the connection the application asked for. Both directions can be closed separately, as the application may do. */
export const dial = (peer: Peer): net.Socket =>
  net.connect({ host: peer.addr, port: peer.port, allowHalfOpen: true, noDelay: true });

/** Ends a connection the way a failed one ends: with RST, so that the application sees an error and not an empty answer. */
export function reset(socket: net.Socket): void {
  if (!socket.destroyed) socket.resetAndDestroy();
}

/**
 * Joins the application with its peer without reading what they say, and reports once when both are closed.
 * @param upstream a connection to the peer that is open or opening (see {@link dial}); what it has received is still in it.
 */
export function tunnel(
  connection: Connection,
  why: TunnelObservation['why'],
  observe: (observation: Observation) => void,
  upstream: net.Socket = dial(connection.peer),
): void {
  const { socket, peer, proc, from, sni } = connection;
  let sent = 0;
  let received = 0;
  socket.on('data', (chunk: Buffer) => {
    sent += chunk.length;
  });
  upstream.on('data', (chunk: Buffer) => {
    received += chunk.length;
  });
  socket.on('error', () => reset(upstream));
  upstream.on('error', () => reset(socket));
  // pipe() carries end as half-close, and stops reading one side while the other is full.
  socket.pipe(upstream);
  upstream.pipe(socket);

  let open = 2;
  const closed = (): void => {
    if (--open > 0) return;
    const to = nowMicros();
    const observation: Observation = {
      kind: 'tunnel',
      t: to,
      ...(proc === undefined ? {} : { proc }),
      from,
      to,
      peer,
      ...(sni === undefined ? {} : { sni }),
      why,
      sent,
      received,
    };
    observe(observation);
  };
  for (const [one, other] of [
    [socket, upstream],
    [upstream, socket],
  ] as const) {
    const gone = (): void => {
      // A side that vanished without saying goodbye takes the other with it.
      if (!one.readableEnded) reset(other);
      closed();
    };
    if (one.closed) gone();
    else one.once('close', gone);
  }
}
