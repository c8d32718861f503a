import type net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Observation, Peer, ProcessId, TunnelObservation } from '../../record/types.ts';
import { nowMicros } from '../clock.ts';
import { type HeldPort, holdPort } from '../held-port.ts';
import { type Authority, createAuthority } from './authority.ts';
import { type ClientHello, readClientHello } from './client-hello.ts';
import { awaitReadable, firstToSpeak, readOpening } from './first-bytes.ts';
import type { Interceptor, InterceptorModule } from './interception.ts';
import { addedRoots, trustedRoots } from './roots.ts';
import type { Opening } from './sniff.ts';
import { type Connection, dial, reset, tunnel } from './tunnel.ts';

export interface FrontOptions {
  /** `addr:port` of local addresses that are steered all the same: AWS endpoint overrides. */
  readonly steerExtra: readonly string[];
  /** Who connected from this local port, and where to; undefined when no shim announced it within `waitMs`. */
  lookup(localPort: number, waitMs: number): Promise<{ proc?: ProcessId; peer: Peer; t: number } | undefined>;
  observe(observation: Observation): void;
  log(line: string): void;
  /** Made already; default: made now. */
  readonly door?: FrontDoor;
  /** Where SSL_CERT_FILE and NODE_EXTRA_CA_CERTS are looked up; default process.env. */
  readonly env?: NodeJS.ProcessEnv;
  /**
   * When to load the interceptor, which blocks the event loop for some hundred milliseconds: when what the platform waits
   * for is done. Default: as soon as the front listens.
   */
  readonly loadAfter?: Promise<unknown>;
  /** Load the interceptor only when a connection needs it, which then waits for it: where taps see most of the traffic. */
  readonly loadWhenNeeded?: boolean;
}

/** What the application's processes must find when they start: a port, and whom to trust. The rest of the front may follow. */
export interface FrontDoor {
  readonly held: HeldPort;
  readonly authority: Authority;
  /** PEM, one certificate each: who may be an upstream server. */
  readonly roots: readonly string[];
  /** PEM bundle: every root the application trusts already, and ours. */
  readonly caPem: string;
  /** PEM bundle for programs that add it to the roots they have. */
  readonly addedPem: string;
}

/** @throws the system's error when no port can be had */
export async function openFrontDoor(env: NodeJS.ProcessEnv, log: (line: string) => void): Promise<FrontDoor> {
  const opening = holdPort();
  const authority = createAuthority();
  const roots = trustedRoots(env, log);
  const bundle = (certificates: readonly string[]): string => `${[...certificates, authority.cert.trim()].join('\n')}\n`;
  return { held: await opening, authority, roots, caPem: bundle(roots), addedPem: bundle(addedRoots(env, log)) };
}

export interface Front {
  readonly port: number;
  /** PEM bundle: every root the application trusts already, and ours. */
  caPem(): Promise<string>;
  /** Settled when HTTP is intercepted, which may be never when it is loaded only as needed; rejects when it never will be (everything is then tunnelled). */
  readonly ready: Promise<void>;
  /** Closes every connection. What is under way is recorded as aborted. */
  stop(): Promise<void>;
}

/** How long the front may take to close, in ms: what ends an instance waits for it. */
const STOP_MS = 500;
const LOOKUP_WAIT_MS = 500;
/** A client of HTTP or TLS speaks at once; if nobody has after this time, the server is the one to begin. */
const SILENCE_MS = 40;
/** How long a connection waits for the interceptor: so many turns of a timer, since time in which loading itself blocks is progress. */
const READY_WAIT = { turns: 30, everyMs: 100 } as const;
const MAX_REMEMBERED = 1000;

/** Ports whose TLS carries something else than HTTP, for clients that do not say (no ALPN). */
// biome-ignore format: a table, read by its columns
const NOT_HTTP_PORTS = new Set([
  465, 563, 636, 853, 989, 990, 992, 993, 994, 995, 1433, 1521, 1522, 2484, 3269, 3306, 3389, 5061, 5222, 5223, 5432, 5439,
  5671, 6379, 6380, 6514, 6697, 8883, 9092, 9093, 9094, 9096, 9098, 9142, 11211, 27017,
]);
/** A first request that leaves HTTP for something else than WebSocket; servers are free to ignore the offer of h2c. */
const OTHER_UPGRADE = /^[^\r]{1,16384}\r\n(?:[^\r]{1,16384}\r\n){0,200}?upgrade:[ \t]*(?!websocket|h2c)\S/i;
const HTTP_ALPN = new Set(['http/1.1', 'http/1.0', 'h2']);

/** Addresses that the shim never steers: a connection that claims to go there does not come from it. */
const LOCAL = /^(127\.0\.0\.1|::1|::ffff:127\.0\.0\.1|169\.254\.\d+\.\d+|(::ffff:)?0\.0\.0\.0|::)$/i;

/** In the source tree the interceptor is a neighbour; in the layer it is a bundle of its own beside the recorder's. */
const interceptorUrl = (): string =>
  new URL(import.meta.url.endsWith('.ts') ? './main.ts' : './network.mjs', import.meta.url).href;

/** A set that forgets its oldest member instead of growing without bound. */
class Memory {
  private readonly entries = new Set<string>();
  add(entry: string): void {
    this.entries.add(entry);
    const oldest = this.entries.values().next();
    if (this.entries.size > MAX_REMEMBERED && !oldest.done) this.entries.delete(oldest.value);
  }
  has(entry: string): boolean {
    return this.entries.has(entry);
  }
}

const place = ({ peer, sni }: Pick<Connection, 'peer' | 'sni'>): string => `${sni ?? peer.addr}:${peer.port}`;

/**
 * Starts the front of the network proxy: it listens at once, and decides for every connection that a shim led here
 * whether it is read (HTTP, through mockttp) or passed on unread. It carries nothing that no shim has announced.
 */
export async function startFront(options: FrontOptions): Promise<Front> {
  const door = options.door ?? (await openFrontDoor(options.env ?? process.env, options.log));
  const { held, authority, roots } = door;
  const rejectsCa = new Memory();
  const notHttp = new Memory();
  const serverFirst = new Memory();
  const sockets = new Set<net.Socket>();
  const steerExtra = new Set(options.steerExtra.map((place) => place.replace(/\/http$/, '')));

  let stopped = false;
  let started = false;
  const load = async (): Promise<Interceptor> => {
    await options.loadAfter;
    // Let those who waited for the port go first.
    await new Promise((resolve) => setImmediate(resolve));
    if (stopped) throw new Error('the network proxy was stopped before it was loaded');
    started = true;
    const { startInterceptor } = (await import(interceptorUrl())) as InterceptorModule;
    return startInterceptor({
      authority,
      roots,
      observe: options.observe,
      log: options.log,
      clientRejected(connection) {
        rejectsCa.add(place(connection));
        options.observe({
          kind: 'unobserved',
          t: nowMicros(),
          ...(connection.proc === undefined ? {} : { proc: connection.proc }),
          what: 'tls',
          detail: `client refuses the audit certificate for ${place(connection)}, from now on it is passed through unread`,
        });
      },
      notHttp(connection) {
        notHttp.add(place(connection));
      },
    });
  };
  let loading: Promise<Interceptor> | undefined;
  const ready = Promise.withResolvers<void>();
  // Whether or not somebody waits for it, the application goes on.
  ready.promise.catch((error) => {
    if (!stopped) options.log(`network: HTTP cannot be intercepted, everything is passed through: ${error}`);
  });
  const begin = (): Promise<Interceptor> => {
    if (loading === undefined) {
      loading = load();
      loading.then(() => ready.resolve(), ready.reject);
    }
    return loading;
  };
  /** The interceptor, if it is there in time. */
  const interceptor = async (): Promise<Interceptor | undefined> => {
    const loading = begin();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<undefined>((resolve) => {
      let turns = 0;
      timer = setInterval(() => {
        if (++turns === READY_WAIT.turns) resolve(undefined);
      }, READY_WAIT.everyMs);
    });
    return Promise.race([loading.catch(() => undefined), late]).finally(() => clearInterval(timer));
  };

  const carry = (connection: Connection, why: TunnelObservation['why'], upstream?: net.Socket): void => {
    if (upstream) sockets.add(upstream);
    tunnel(connection, why, options.observe, upstream ?? track(dial(connection.peer)));
  };
  const track = (socket: net.Socket): net.Socket => {
    sockets.add(socket);
    return socket.once('close', () => sockets.delete(socket));
  };

  /** Decides about a connection whose client has spoken: `first` is what it said, and is still in its socket. */
  async function decide(connection: Connection, first: Buffer, opening: Opening): Promise<void> {
    const pass = (why: TunnelObservation['why'], told: Connection = connection): void => carry(told, why);
    if (opening === 'other' || opening === 'more') return pass('not-http');
    // A forward proxy must see the request itself. mockttp speaks to h2c servers in HTTP/1 only, which few understand.
    if (opening === 'http-proxy' || opening === 'h2c') return pass('excluded');
    if (opening === 'http') {
      // mockttp takes every upgrade for a WebSocket, and would break what it is not.
      if (OTHER_UPGRADE.test(first.toString('latin1', 0, 16_384))) return pass('not-http');
      const proxy = await interceptor();
      if (proxy === undefined) return pass('proxy-not-ready');
      return proxy.accept(connection);
    }

    const read = readClientHello(first);
    const hello: ClientHello = read === 'more' || read === undefined ? { alpn: [] } : read;
    const named: Connection = hello.sni === undefined ? connection : { ...connection, sni: hello.sni };
    const offersHttp = hello.alpn.some((protocol) => HTTP_ALPN.has(protocol));
    if (read === 'more' || read === undefined || notHttp.has(place(named))) return pass('not-http', named);
    if (hello.alpn.length === 0 ? NOT_HTTP_PORTS.has(named.peer.port) : !offersHttp) return pass('not-http', named);
    if (rejectsCa.has(place(named))) return pass('client-rejects-ca', named);
    // Who goes to an address names no server (RFC 6066, 3), and expects a certificate for that address: mockttp makes none.
    if (hello.sni === undefined) return pass('excluded', named);
    const proxy = await interceptor();
    if (proxy === undefined) return pass('proxy-not-ready', named);
    const verdict = await proxy.verdict(named.peer, named.sni, hello.alpn);
    if (!verdict?.trusted) return pass('server-untrusted', named);
    proxy.accept(named);
  }

  async function handle(socket: net.Socket): Promise<void> {
    const from = nowMicros();
    const port = socket.remotePort;
    const entry = port === undefined ? undefined : await options.lookup(port, LOOKUP_WAIT_MS);
    if (entry === undefined || entry.peer.proto !== 'tcp' || !allowed(entry.peer)) {
      options.log(`network: closed a connection from port ${port} that no shim has led here`);
      return reset(socket);
    }
    const { peer, proc } = entry;
    const connection: Connection = { socket, peer, from, ...(proc === undefined ? {} : { proc }) };
    if (serverFirst.has(place(connection))) return carry(connection, 'not-http');

    const silent = await awaitReadable(socket, 0, SILENCE_MS);
    if (!silent) {
      const { first, opening } = await readOpening(socket);
      return decide(connection, first, opening);
    }
    // Nobody spoke. Open the way to the server, and see who is first: it need not be the server, the client may only be
    // slow (a small function starts on a fraction of a CPU), and then what it says must not pass unread.
    const upstream = track(dial(peer));
    const speaker = await firstToSpeak(socket, upstream);
    if (speaker === 'server' && upstream.readableLength > 0) serverFirst.add(place(connection));
    if (speaker !== 'client') return carry(connection, 'not-http', upstream);
    const { first, opening } = await readOpening(socket);
    if (opening === 'http' || opening === 'tls') {
      upstream.on('error', () => {});
      upstream.destroy();
      return decide(connection, first, opening);
    }
    return carry(connection, 'not-http', upstream);
  }

  const allowed = (peer: Peer): boolean => {
    if (peer.port === 0) return false;
    return !LOCAL.test(peer.addr) || steerExtra.has(`${peer.addr}:${peer.port}`);
  };

  held.serve((socket) => {
    track(socket);
    handle(socket).catch((error) => {
      options.log(`network: connection given up: ${error instanceof Error ? error.message : error}`);
      reset(socket);
    });
  });
  if (options.loadWhenNeeded !== true) begin();

  return {
    port: held.port,
    caPem: async () => door.caPem,
    ready: ready.promise,
    async stop() {
      const closed = held.close();
      for (const socket of sockets) socket.destroy();
      stopped = true;
      const proxy = started ? await loading?.catch(() => undefined) : undefined;
      await proxy?.stop();
      await closed;
    },
  };
}

/** Stops a front, if there is one, and does not wait for it longer than the end of an instance can. Never rejects. */
export async function stopFront(front: Front | undefined): Promise<void> {
  const over = new AbortController();
  await Promise.race([front?.stop(), sleep(STOP_MS, undefined, { signal: over.signal })]).catch(() => {});
  over.abort();
}
