import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { getCA } from 'mockttp/dist/util/certificates';
import { createAuthority } from '../../../layers/capture/network/authority.ts';
import { type Front, startFront } from '../../../layers/capture/network/front.ts';
import type { ExchangeObservation, Observation, Peer, TunnelObservation } from '../../../layers/record/types.ts';

/** The internet of these tests: its CA, its hosts on 127.x addresses, and the front with a shim's announcements. */
export class World {
  readonly observations: Observation[] = [];
  readonly log: string[] = [];
  readonly internetCa = createAuthority();
  readonly folder = mkdtempSync(join(tmpdir(), 'alastor-network-'));
  private readonly announced = new Map<number, { proc?: string; peer: Peer; t: number }>();
  /** Who is meant by ports that were not announced one by one (curl chooses its own). */
  anyone: { proc?: string; peer: Peer; t: number } | undefined;
  private readonly closing: (() => unknown)[] = [];
  /** What {@link listen} started, in order. */
  readonly servers: net.Server[] = [];
  front!: Front;

  async start(steerExtra: string[] = []): Promise<this> {
    const trusted = join(this.folder, 'internet-ca.pem');
    writeFileSync(trusted, this.internetCa.cert);
    this.front = await startFront({
      steerExtra,
      env: { NODE_EXTRA_CA_CERTS: trusted },
      lookup: async (port, waitMs) => {
        for (const end = Date.now() + waitMs; Date.now() < end; await new Promise((r) => setTimeout(r, 2))) {
          const entry = this.announced.get(port) ?? this.anyone;
          if (entry) return entry;
        }
        return undefined;
      },
      observe: (observation) => this.observations.push(observation),
      log: (line) => this.log.push(line),
    });
    await this.front.ready;
    return this;
  }

  async stop(): Promise<void> {
    await this.front?.stop();
    for (const close of this.closing) await close();
    rmSync(this.folder, { recursive: true });
  }

  /** What the shim does: leads a connection meant for `peer` to the front and announces it. */
  steer(addr: string, port: number, proc = '7@100'): net.Socket {
    const socket = net.connect(this.front.port, '127.0.0.1');
    socket.once('connect', () =>
      this.announced.set(socket.localPort!, { proc, peer: { addr, port, proto: 'tcp' }, t: Date.now() * 1000 }),
    );
    return socket;
  }

  async leaf(host: string, ca = this.internetCa): Promise<{ key: string; cert: string }> {
    const { key, cert } = await (await getCA({ key: ca.key, cert: ca.cert })).generateCertificate(host);
    return { key, cert };
  }

  /** A certificate for an address, which mockttp does not make. */
  leafOfAddress(addr: string): { key: string; cert: string } {
    const at = (name: string) => join(this.folder, `${addr}.${name}`);
    for (const [name, text] of Object.entries({ 'ca.key': this.internetCa.key, 'ca.pem': this.internetCa.cert }))
      writeFileSync(at(name), text);
    const san = ['-subj', `/CN=${addr}`, '-addext', `subjectAltName=IP:${addr}`];
    const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', ...san];
    execFileSync('openssl', [...request, '-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-keyout', at('key'), '-out', at('pem')]);
    return { key: readFileSync(at('key'), 'utf8'), cert: readFileSync(at('pem'), 'utf8') };
  }

  async listen<S extends net.Server>(server: S, addr: string): Promise<number> {
    await new Promise<void>((resolve) => server.listen(0, addr, () => resolve()));
    this.servers.push(server);
    const open = new Set<net.Socket>();
    server.on('connection', (socket: net.Socket) => open.add(socket.on('error', () => {})));
    this.closing.push(() => {
      for (const socket of open) socket.destroy();
      return new Promise<void>((resolve) => server.close(() => resolve()));
    });
    return (server.address() as net.AddressInfo).port;
  }

  http(addr: string, handler: http.RequestListener): Promise<number> {
    return this.listen(http.createServer(handler), addr);
  }
  async https(addr: string, host: string, handler: http.RequestListener, options: https.ServerOptions = {}): Promise<number> {
    return this.listen(https.createServer({ ...(host === '' ? {} : await this.leaf(host)), ...options }, handler), addr);
  }
  async http2(addr: string, host: string, handler: (q: http2.Http2ServerRequest, r: http2.Http2ServerResponse) => void) {
    return this.listen(http2.createSecureServer({ ...(await this.leaf(host)), allowHTTP1: true }, handler), addr);
  }

  /** An https.Agent of the audited application: its own verification, against the bundle that the front made. */
  async agent(addr: string, port: number, proc?: string, options: tls.ConnectionOptions = {}): Promise<https.Agent> {
    const ca = await this.front.caPem();
    const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
    this.closing.push(() => agent.destroy());
    agent.createConnection = ((wanted: tls.ConnectionOptions) =>
      tls.connect({ ...wanted, ca, ...options, socket: this.steer(addr, port, proc) })) as never;
    return agent;
  }
  plainAgent(addr: string, port: number, proc?: string): http.Agent {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    this.closing.push(() => agent.destroy());
    agent.createConnection = (() => this.steer(addr, port, proc)) as never;
    return agent;
  }

  async until<T>(find: () => T | undefined | false, what: string): Promise<T> {
    for (let i = 0; i < 600; i++) {
      const found = find();
      if (found) return found;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    throw new Error(`never seen: ${what}; log: ${this.log.join('\n')}; observed: ${JSON.stringify(this.observations)}`);
  }
  exchange(match: (exchange: ExchangeObservation) => boolean): Promise<Extract<Observation, { kind: 'exchange' }>> {
    return this.until(
      () => this.observations.find((o): o is Extract<Observation, { kind: 'exchange' }> => o.kind === 'exchange' && match(o)),
      `exchange ${match}`,
    );
  }
  tunnel(match: (tunnel: TunnelObservation) => boolean): Promise<Extract<Observation, { kind: 'tunnel' }>> {
    return this.until(
      () => this.observations.find((o): o is Extract<Observation, { kind: 'tunnel' }> => o.kind === 'tunnel' && match(o)),
      `tunnel ${match}`,
    );
  }
}

export const sha256 = (data: Buffer | string): string => createHash('sha256').update(data).digest('hex');

export interface Answer {
  status: number;
  rawHeaders: string[];
  trailers: NodeJS.Dict<string>;
  body: Buffer;
}
export function request(options: https.RequestOptions, body?: Buffer | string): Promise<Answer> {
  const module = options.protocol === 'http:' ? http : https;
  return new Promise((resolve, reject) => {
    const sent = module.request(options, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () =>
        resolve({
          status: response.statusCode!,
          rawHeaders: response.rawHeaders,
          trailers: response.trailers,
          body: Buffer.concat(chunks),
        }),
      );
    });
    sent.on('error', reject);
    sent.end(body);
  });
}
/** Everything a raw connection says until it closes; rejects when it is reset. */
export function readAll(socket: net.Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(text));
  });
}
