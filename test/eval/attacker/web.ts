import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A plain HTTP server on an address without a name: keeps what is sent to it. */
export interface Web {
  readonly url: string;
  readonly bodies: readonly Buffer[];
  stop(): Promise<void>;
}

export async function startWeb(address: string): Promise<Web> {
  const bodies: Buffer[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      bodies.push(Buffer.concat(chunks));
      response.end('ok');
    });
  });
  await new Promise<void>((done, fail) => server.once('error', fail).listen(0, address, done));
  return {
    url: `http://${address}:${(server.address() as AddressInfo).port}`,
    bodies,
    stop: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}
