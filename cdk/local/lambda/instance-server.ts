import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { sendApiError } from './http-replies.ts';

/** An API takes a request on (true) or leaves it to the next one. */
export type ApiHandler = (req: IncomingMessage, res: ServerResponse, path: string) => boolean;

/** The HTTP server behind AWS_LAMBDA_RUNTIME_API of one instance. */
export class InstanceServer {
  readonly address: string;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    this.address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  /** `onDisconnect`: a client's connection has ended, maybe since the client has. */
  static listen(handlers: readonly ApiHandler[], onDisconnect: () => void): Promise<InstanceServer> {
    const server = createServer({ requestTimeout: 0, headersTimeout: 0, keepAliveTimeout: 0, maxHeaderSize: 81_920 });
    server.on('connection', (socket) => socket.once('close', onDisconnect));
    server.on('request', (req, res) => {
      const path = (req.url ?? '/').split('?', 1)[0] ?? '/';
      if (handlers.some((handle) => handle(req, res, path))) return;
      req.resume();
      sendApiError(res, 404, 'NotFound', `${req.method} ${path} is not an operation of this API`);
    });
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', () => resolve(new InstanceServer(server)));
    });
  }

  /** Ends the connections of processes that have been killed. */
  dropConnections(): void {
    this.#server.closeAllConnections();
  }

  close(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}
