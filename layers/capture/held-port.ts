import { type AddressInfo, createConnection, createServer, type Server, type Socket } from 'node:net';
import { splitAddress } from './forward.ts';

/** A port on 127.0.0.1 that is open before there is anybody to serve it: who connects meanwhile waits, and nothing it says is lost. */
export interface HeldPort {
  readonly port: number;
  /** From now on `take` gets the connections: those that wait at once. */
  serve(take: (socket: Socket) => void): void;
  /** Accepts nothing more, and ends who still waits, so that it can go elsewhere; settled when all connections are closed. */
  close(): Promise<void>;
}

/**
 * @param wanted if it is free; else, and by default, any
 * @throws the system's error when no port can be had
 */
export async function holdPort(wanted = 0): Promise<HeldPort> {
  const waiting: Socket[] = [];
  let taking = (socket: Socket): void => void waiting.push(socket);
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    // Between two owners an error must not end the extension.
    socket.on('error', () => {});
    taking(socket);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('listening', resolve);
    server.on('error', (error) => {
      if (wanted === 0 || server.listening) return reject(error);
      wanted = 0;
      listen(server, 0);
    });
    listen(server, wanted);
  });
  return {
    port: (server.address() as AddressInfo).port,
    serve(take) {
      taking = take;
      for (const socket of waiting.splice(0)) if (!socket.destroyed) take(socket);
    },
    close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      // Also those that the system had accepted already.
      taking = (socket) => socket.destroy();
      for (const socket of waiting.splice(0)) socket.destroy();
      return closed;
    },
  };
}

/** Hands connections on, unread, to where they would have gone without us: when there will be nobody to serve them. */
export function passOn(held: HeldPort, address: () => string): void {
  held.serve((socket) => {
    const there = createConnection({ ...splitAddress(address()), allowHalfOpen: true, noDelay: true });
    socket.pipe(there).pipe(socket);
    there.on('error', () => socket.destroy());
    there.once('close', () => socket.destroy());
    socket.once('close', () => there.destroy());
  });
}

/**
 * `listen(port, '127.0.0.1')` looks the address up, compiles a long expression for IPv6 and loads the cluster module: 8 ms of CPU
 * while the runtime waits to be started. Below all that lies a method that Node keeps for old programs; where it is gone, the long way.
 */
function listen(server: Server, port: number): void {
  const { _listen2: directly } = server as { _listen2?: unknown };
  if (typeof directly === 'function') directly.call(server, '127.0.0.1', port, 4, 511, undefined, 0);
  else server.listen(port, '127.0.0.1');
}
