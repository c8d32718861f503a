import type net from 'node:net';
import { isObserved } from './places.ts';
import { quietly } from './quietly.ts';
import { replace } from './replace.ts';
import { announceConnection } from './wire.ts';

/** A connection whose exchanges this tap reports: the shim has not led it to the network proxy. */
export interface Tapped {
  readonly scheme: 'http' | 'https';
  readonly addr: string;
  readonly port: number;
}

/** libuv's TCP, as Node wraps it. */
interface TcpHandle {
  _parent?: TcpHandle;
  connect?(request: unknown, addr: string, port: number): number;
}
type Socket = net.Socket & { _handle?: TcpHandle | null; encrypted?: boolean };

const candidates = new WeakMap<TcpHandle, Socket>();
const tapped = new WeakMap<object, Tapped>();
/** Set while an HTTP client makes a connection: sockets that start to connect meanwhile are its own. */
let expecting = false;
let installed = false;
let patched = false;

export const tappedAt = (socket: object | null | undefined): Tapped | undefined => (socket ? tapped.get(socket) : undefined);

/** Sockets that begin to connect during `work` (and not later) carry HTTP that is observed here. */
export function whileConnecting<T>(work: () => T): T {
  const before = expecting;
  expecting = true;
  try {
    return work();
  } finally {
    expecting = before;
  }
}

/** For clients that say when they begin, but not when they have: until the running code returns. */
export function expectOne(): void {
  expecting = true;
  queueMicrotask(() => {
    expecting = false;
  });
}

/** A socket that is about to connect, but has not yet asked the kernel to. */
export function expectSocket(socket: Socket): void {
  if (!socket.connecting) return;
  const handle = bottom(socket._handle);
  if (handle === undefined) return;
  patchHandles(handle);
  candidates.set(handle, socket);
}

/** Watches for connections from now on. */
export function watchConnections(): void {
  if (installed) return;
  installed = true;
  const { Socket } = process.getBuiltinModule('node:net');
  const proto: object = Socket.prototype;
  replace(
    proto,
    'connect',
    (connect) =>
      function (this: Socket, ...args) {
        const mine = expecting;
        const result = connect.apply(this as never, args);
        if (mine) quietly(() => expectSocket(this));
        return result;
      },
  );
  // A name with several addresses: the second try is made with a new handle.
  const renew = Object.getOwnPropertySymbols(proto).find((symbol) => symbol.description === 'kReinitializeHandle');
  if (renew === undefined) return;
  replace(
    proto,
    renew,
    (renewed) =>
      function (this: Socket, ...args) {
        const old = bottom(this._handle);
        const result = renewed.apply(this as never, args);
        quietly(() => {
          const handle = bottom(this._handle);
          if (old !== undefined && handle !== undefined && candidates.has(old)) candidates.set(handle, this);
        });
        return result;
      },
  );
}

function bottom(handle: TcpHandle | null | undefined): TcpHandle | undefined {
  let at = handle ?? undefined;
  while (at?._parent) at = at._parent;
  return at;
}

/** All TCP handles have one prototype; the first that is seen leads to it. */
function patchHandles(handle: TcpHandle): void {
  if (patched || handle.constructor?.name !== 'TCP') return;
  patched = true;
  const proto = Object.getPrototypeOf(handle) as object;
  for (const name of ['connect', 'connect6']) {
    replace(
      proto,
      name,
      (connect) =>
        function (this: TcpHandle, ...args) {
          const socket = candidates.get(this);
          if (socket === undefined) return connect.apply(this as never, args);
          return connectTapped(socket, args, () => connect.apply(this as never, args));
        },
    );
  }
}

function connectTapped(socket: Socket, [, addr, port]: readonly unknown[], connect: () => unknown): unknown {
  tapped.delete(socket);
  if (typeof addr !== 'string' || typeof port !== 'number') return connect();
  const claimed = isObserved(addr, port) && announceConnection(true);
  const result = connect();
  if (claimed && result === 0) {
    tapped.set(socket, { scheme: socket.encrypted === true ? 'https' : 'http', addr: plain(addr), port });
  } else if (claimed) announceConnection(false);
  return result;
}

/** As the shim writes it: IPv4 also where a socket for IPv6 is used. */
const plain = (addr: string): string => addr.replace(/^::ffff:(?=\d+\.)/i, '');
