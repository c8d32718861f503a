import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import type net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { getCA } from 'mockttp/dist/util/certificates';
import { buildLayer } from '../../../layers/build.ts';
import { createAuthority } from '../../../layers/capture/network/authority.ts';
import { type Front, startFront } from '../../../layers/capture/network/front.ts';
import { Ring } from '../../../layers/capture/ring.ts';
import { SteeredConnections } from '../../../layers/capture/steered.ts';
import { Conversations } from '../../../layers/capture/wire/conversations.ts';
import type { Observation } from '../../../layers/record/types.ts';

export type Of<K extends Observation['kind']> = Extract<Observation, { kind: K }>;
/**
 * `tap`: Node's tap and, for what it leaves, the network proxy. `tee`: the tee of the shim besides. `direct`: nothing at all;
 * `shim`: the shim alone.
 */
export type Source = 'direct' | 'shim' | 'tap' | 'tee' | 'proxy';

export interface Run {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly seen: readonly Observation[];
  of<K extends Observation['kind']>(kind: K): readonly Of<K>[];
}

/** Servers, and an instance's ring and network proxy, for programs that are run under either source. */
export class Instance {
  readonly dir = mkdtempSync(join(tmpdir(), 'alastor-tap-'));
  readonly #internet = createAuthority();
  readonly #closing: (() => Promise<unknown>)[] = [];
  readonly #children: ChildProcess[] = [];
  readonly #seen: Observation[] = [];
  readonly #steered = new SteeredConnections();
  readonly #steer: string[] = [];
  readonly #plain: string[] = [];
  readonly #conversations = new Conversations();
  #layer = '';
  #ring!: Ring;
  #timer: NodeJS.Timeout | undefined;
  front!: Front;

  /** After the servers. */
  async start(): Promise<this> {
    this.#layer = join(await buildLayer(), 'alastor');
    this.#ring = Ring.create(join(this.dir, 'ring'));
    this.#ring.wire = (event, out) => this.#conversations.take(event, out);
    writeFileSync(join(this.dir, 'internet.pem'), this.#internet.cert);
    this.front = await startFront({
      steerExtra: this.#steer,
      env: { NODE_EXTRA_CA_CERTS: join(this.dir, 'internet.pem') },
      lookup: (port, waitMs) => this.#steered.find(port, waitMs, () => this.drain()),
      observe: (observation) => this.#seen.push(observation),
      log: () => {},
    });
    await this.front.ready;
    writeFileSync(join(this.dir, 'ca.pem'), await this.front.caPem());
    this.#timer = setInterval(() => this.drain(), 5);
    return this;
  }

  drain(): void {
    for (const observation of this.#ring.drain()) {
      this.#steered.learn(observation);
      this.#seen.push(observation);
      if (observation.kind === 'process-exit' && observation.proc !== undefined)
        this.#conversations.gone(observation.child ?? observation.proc, observation.t, this.#seen);
    }
  }

  async stop(): Promise<void> {
    for (const child of this.#children) if (child.exitCode === null) child.kill('SIGKILL');
    await this.front.stop();
    for (const close of this.#closing) await close();
    clearInterval(this.#timer);
    this.#ring.close();
    rmSync(this.dir, { recursive: true, force: true });
  }

  async #listen(server: net.Server, addr: string): Promise<number> {
    await new Promise<void>((resolve) => server.listen(0, addr, () => resolve()));
    const open = new Set<net.Socket>();
    server.on('connection', (socket: net.Socket) => open.add(socket.on('error', () => {})));
    this.#closing.push(() => {
      for (const socket of open) socket.destroy();
      return new Promise((resolve) => server.close(resolve));
    });
    return (server.address() as net.AddressInfo).port;
  }
  /** Answers with the URL's base. */
  async http(addr: string, handler: http.RequestListener, prepare?: (server: http.Server) => void): Promise<string> {
    const server = http.createServer(handler);
    prepare?.(server);
    const port = await this.#listen(server, addr);
    this.#plain.push(`${addr}:${port}/http`);
    return `http://${addr}:${port}`;
  }
  /** Under the only name that every machine can resolve; as local as an endpoint override, and steered as such. */
  async https(handler: http.RequestListener): Promise<string> {
    return this.#secure(https.createServer(await this.#certificate(), handler));
  }
  /** HTTP/1 or HTTP/2, as the client likes. */
  async http2(handler: (request: http2.Http2ServerRequest, response: http2.Http2ServerResponse) => void): Promise<string> {
    return this.#secure(http2.createSecureServer({ ...(await this.#certificate()), allowHTTP1: true }, handler));
  }
  async tls(handler: (socket: tls.TLSSocket) => void): Promise<string> {
    return this.#secure(tls.createServer(await this.#certificate(), handler));
  }
  async #certificate(): Promise<{ key: string; cert: string }> {
    const ca = await getCA({ key: this.#internet.key, cert: this.#internet.cert });
    return ca.generateCertificate('localhost');
  }
  async #secure(server: net.Server): Promise<string> {
    const port = await this.#listen(server, '127.0.0.1');
    this.#steer.push(`127.0.0.1:${port}`);
    return `https://localhost:${port}`;
  }

  env(source: Source, more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
    const ca = join(this.dir, 'ca.pem');
    const plain = {
      PATH: process.env.PATH,
      NODE_EXTRA_CA_CERTS: ca,
      SSL_CERT_FILE: ca,
      CURL_CA_BUNDLE: ca,
      AWS_CA_BUNDLE: ca,
      ...more,
    };
    if (source === 'direct') return plain;
    const taps = source === 'tap' || source === 'tee';
    const steer = source === 'tee' ? [...this.#steer, ...this.#plain] : this.#steer;
    const options = taps ? `--require ${join(this.#layer, 'tap.cjs')} ${more.NODE_OPTIONS ?? ''}` : more.NODE_OPTIONS;
    return {
      ...plain,
      LD_PRELOAD: join(this.#layer, 'libalastor.so'),
      ALASTOR_RING: this.#ring.path,
      ...(source === 'shim' ? {} : { ALASTOR_PROXY_PORT: String(this.front.port) }),
      ALASTOR_STEER: steer.join(','),
      ...(taps ? { ALASTOR_TAP: '1' } : {}),
      ...(source === 'tee' ? { ALASTOR_TEE: 'http' } : {}),
      ...(options === undefined ? {} : { NODE_OPTIONS: options }),
    };
  }

  spawn(source: Source, command: string, args: readonly string[], more: NodeJS.ProcessEnv = {}): ChildProcess {
    const child = spawn(command, args, { env: this.env(source, more), stdio: ['pipe', 'pipe', 'pipe'] });
    this.#children.push(child);
    return child;
  }

  async run(source: Source, command: string, args: readonly string[], more: NodeJS.ProcessEnv = {}): Promise<Run> {
    this.drain();
    this.#seen.length = 0;
    const child = this.spawn(source, command, args, more);
    const said = { stdout: '', stderr: '' };
    child.stdout?.on('data', (text) => {
      said.stdout += text;
    });
    child.stderr?.on('data', (text) => {
      said.stderr += text;
    });
    await once(child, 'close');
    // The proxy tells of an exchange that was cut short some time after it.
    await new Promise((resolve) => setTimeout(resolve, source === 'direct' ? 0 : 120));
    this.drain();
    this.#conversations.end(Date.now() * 1000, this.#seen);
    const seen = [...this.#seen];
    return {
      status: child.exitCode,
      ...said,
      seen,
      of: <K extends Observation['kind']>(kind: K) => seen.filter((o): o is Of<K> => o.kind === kind),
    };
  }
  node(source: Source, script: string, args: readonly string[], more: NodeJS.ProcessEnv = {}): Promise<Run> {
    return this.run(source, process.execPath, [join(import.meta.dirname, 'fixtures', script), ...args], more);
  }
}

/** An exchange without what differs from run to run. */
export function comparable({ t, proc, id, from, to, answered, seenBy, ...rest }: Of<'exchange'>): unknown {
  return { ...rest, answered: answered !== undefined, inTime: from <= (answered ?? to) && (answered ?? to) <= to };
}
