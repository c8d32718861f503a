import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Certificate } from './certificates.ts';

/** One request that reached a host of the attacker. */
export interface Visit {
  readonly host: string;
  readonly method: string;
  readonly path: string;
  readonly body: string;
  /** Milliseconds since 1970, when the body was complete. */
  readonly at: number;
}

export interface AttackerHost {
  readonly host: string;
  readonly address: string;
  readonly port: number;
  /** What the attacker uses it for. */
  readonly role: string;
  /** `https://<host>:<port>` */
  readonly url: string;
}

export interface HostOptions extends Certificate {
  readonly host: string;
  /** Where it listens, e.g. `127.66.1.2`. */
  readonly address: string;
  readonly role: string;
  /** Default: one that is free. */
  readonly port?: number;
}

/** HTTPS servers that the attacker runs: they hand out what was put there with `serve` and keep whatever is sent to them. */
export interface Attacker {
  readonly hosts: readonly AttackerHost[];
  readonly visits: readonly Visit[];
  /** Answers GET `path` at `host` with `content` from now on; everything else gets an empty 200. */
  serve(host: string, path: string, content: string): void;
  stop(): Promise<void>;
}

/** @throws Error of the system when an address cannot be listened on; servers started before are stopped. */
export async function startAttacker(hosts: readonly HostOptions[]): Promise<Attacker> {
  const content = new Map<string, string>();
  const visits: Visit[] = [];
  const running: { at: AttackerHost; server: Server }[] = [];
  const stop = async () => {
    await Promise.all(
      running.splice(0).map(({ server }) => {
        server.closeAllConnections();
        return new Promise<void>((done) => server.close(() => done()));
      }),
    );
  };
  try {
    for (const options of hosts) running.push(await listen(options, visits, content));
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    hosts: running.map(({ at }) => at),
    visits,
    serve: (host, path, body) => void content.set(`${host}${path}`, body),
    stop,
  };
}

async function listen(
  { host, address, role, port = 0, cert, key }: HostOptions,
  visits: Visit[],
  content: ReadonlyMap<string, string>,
): Promise<{ at: AttackerHost; server: Server }> {
  const server = createServer({ cert, key }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url: path = '' } = request;
      visits.push({ host, method, path, body: Buffer.concat(chunks).toString('utf8'), at: Date.now() });
      const body = method === 'GET' ? (content.get(`${host}${path}`) ?? '') : '';
      response.writeHead(200, { 'content-type': 'text/plain', 'content-length': Buffer.byteLength(body) });
      response.end(body);
    });
  });
  await new Promise<void>((done, fail) => {
    server.once('error', fail);
    server.listen(port, address, () => {
      server.off('error', fail);
      done();
    });
  });
  const bound = (server.address() as AddressInfo).port;
  return { at: { host, address, role, port: bound, url: `https://${host}:${bound}` }, server };
}
