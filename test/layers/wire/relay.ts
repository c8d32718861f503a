import { once } from 'node:events';
import net from 'node:net';

/** What a client sent (`>`) and received (`<`), in the order of a relay between it and the server. */
export type Passed = readonly ['>' | '<', Buffer];

export interface Relay {
  readonly port: number;
  /** One list per connection. */
  readonly connections: Passed[][];
  close(): Promise<void>;
}

/** Stands before a server and keeps what passes. */
export async function relayTo(port: number): Promise<Relay> {
  const connections: Passed[][] = [];
  const open = new Set<net.Socket>();
  const server = net.createServer((client) => {
    const passed: Passed[] = [];
    connections.push(passed);
    const upstream = net.connect(port, '127.0.0.1');
    for (const socket of [client, upstream]) {
      open.add(socket);
      socket.on('error', () => {}).once('close', () => open.delete(socket));
    }
    client.on('data', (bytes) => passed.push(['>', Buffer.from(bytes)]));
    upstream.on('data', (bytes) => passed.push(['<', Buffer.from(bytes)]));
    client.pipe(upstream);
    upstream.pipe(client);
    client.on('close', () => upstream.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as net.AddressInfo).port,
    connections,
    close: () => {
      for (const socket of open) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
