import { type AddressInfo, createServer, type Socket } from 'node:net';

/** A TCP server of the attacker's: speaks its own protocol with whoever connects, and keeps what it hears. */
export interface TcpServer {
  readonly port: number;
  /** What all connections said, as text. */
  heard(): string;
  stop(): Promise<void>;
}

export async function startTcp(address: string, serve: (socket: Socket) => void): Promise<TcpServer> {
  const heard: Buffer[] = [];
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on('data', (chunk) => heard.push(chunk));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => open.delete(socket));
    serve(socket);
  });
  await new Promise<void>((done, fail) => server.once('error', fail).listen(0, address, done));
  return {
    port: (server.address() as AddressInfo).port,
    heard: () => Buffer.concat(heard).toString('utf8'),
    stop: () =>
      new Promise((done) => {
        server.close(() => done());
        for (const socket of open) socket.destroy();
      }),
  };
}
