import type { Peer, ProcessId } from '../../record/types.ts';
import { addressPeer } from '../ring-decode.ts';
import type { RingEvent } from '../ring-event.ts';

/**
 * What the shim tees of a connection (`EV_WIRE*` of layers/shim/ring.h): the plaintext that a process moves over TCP, plain
 * or through a shared libssl. Everything in it comes from the audited process and may be made up.
 */
interface OfConnection {
  /** Names the connection within the instance; a child that goes on using it keeps the name. */
  readonly conn: number;
  /** Who moved, opened or closed. */
  readonly proc: ProcessId;
  /** µs since 1970. */
  readonly t: number;
  /** It goes to where `AWS_LAMBDA_RUNTIME_API` points. */
  readonly runtimeApi: boolean;
}

export interface WireOpen extends OfConnection {
  readonly kind: 'open';
  readonly localPort: number;
  readonly peer: Peer;
}

export interface WireBytes extends OfConnection {
  readonly kind: 'bytes';
  /** By this side of the connection; else received. */
  readonly sent: boolean;
  /** Plaintext that libssl sealed or opened. Counted apart from what went over the same connection in the clear before. */
  readonly tls: boolean;
  /** The first record of a TLS handshake, as it went over the wire: it is no part of either count. */
  readonly hello: boolean;
  /** `bytes` holds less than `total`: the rest was not seen or found no room. */
  readonly leftOut: boolean;
  /** Bytes of this direction (and layer) that came before. */
  readonly offset: number;
  /** How many bytes the event stands for. */
  readonly total: number;
  /** Valid until the reader of the event returns: the ring's buffer is used again. */
  readonly bytes: Buffer;
}

/** The last descriptor was closed, or the process ends. */
export interface WireClose extends OfConnection {
  readonly kind: 'close';
  /** libssl's plaintext was teed: the totals are of that. */
  readonly tls: boolean;
  /** TLS began on it, by something that is not the libssl we see: nothing could be read, and the totals are of the sealed bytes. */
  readonly unread: boolean;
  readonly sent: number;
  readonly received: number;
}

export type WireEvent = WireOpen | WireBytes | WireClose;

/** Types of `enum event_type` and flags of `enum wire_flag` in layers/shim. */
export const WIRE_BYTES = 14;
const WIRE_OPEN = 15;
export const WIRE_CLOSE = 16;
const RECEIVED = 1;
const TLS = 2;
const LEFT_OUT = 4;
const RUNTIME_API = 8;
const UNREAD = 16;
const HELLO = 64;

/** `undefined`: it says nothing that could be. */
export function decodeWire({ type, numbers, strings, proc, t }: RingEvent): WireEvent | undefined {
  const [conn, flags, third, fourth] = numbers;
  const of = { conn, proc, t, runtimeApi: (flags & RUNTIME_API) !== 0 };
  if (type === WIRE_OPEN) {
    const peer = addressPeer(fourth, third & 0xffff, strings[0]);
    return peer && { ...of, kind: 'open', localPort: Math.floor(third / 0x10000) & 0xffff, peer };
  }
  const tls = (flags & TLS) !== 0;
  if (type === WIRE_CLOSE) return { ...of, kind: 'close', tls, unread: (flags & UNREAD) !== 0, sent: third, received: fourth };
  const bytes = strings[0] ?? EMPTY;
  const leftOut = (flags & LEFT_OUT) !== 0;
  if (leftOut ? bytes.length > fourth : bytes.length !== fourth) return undefined;
  if (!Number.isSafeInteger(third + fourth)) return undefined;
  const hello = (flags & HELLO) !== 0;
  return { ...of, kind: 'bytes', sent: (flags & RECEIVED) === 0, tls, hello, leftOut, offset: third, total: fourth, bytes };
}

const EMPTY = Buffer.alloc(0);
