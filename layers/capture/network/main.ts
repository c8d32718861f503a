import type http from 'node:http';
import type net from 'node:net';
import tls from 'node:tls';
import { WildcardMatcher } from 'mockttp/dist/rules/matchers';
import { PassThroughStep } from 'mockttp/dist/rules/requests/request-step-definitions';
import { PassThroughWebSocketStep } from 'mockttp/dist/rules/websockets/websocket-step-definitions';
import { MockttpServer } from 'mockttp/dist/server/mockttp-server';
import { LastTunnelAddress } from 'mockttp/dist/util/socket-extensions';
import { watchExchanges } from './events.ts';
import type { Interceptor, InterceptorOptions } from './interception.ts';
import { EveryRequest } from './target.ts';
import { TlsTrials } from './trial.ts';
import type { Connection } from './tunnel.ts';

/** mockttp keeps this much of each body for its own purposes; it streams the rest. We look at bodies as they pass. */
const MAX_BUFFERED = 64 * 1024;
/** mockttp reports what happened on a connection a few turns of the event loop after it has closed. */
const FORGET_AFTER_MS = 2000;

/**
 * Makes `roots` what upstream servers are verified against.
 * A context of its own for every connection would parse 140 certificates each time (13 ms); where Node can
 * (22.19, 24.5), the default store of this process is replaced instead, which the recorder's own clients share gladly.
 */
function trust(roots: readonly string[]): { context?: tls.SecureContext; additional: { cert: string }[] } {
  if (typeof tls.setDefaultCACertificates === 'function') {
    tls.setDefaultCACertificates(roots);
    return { additional: [] };
  }
  const builtIn = new Set(tls.rootCertificates);
  const missing = roots.filter((root) => !builtIn.has(root));
  return {
    context: tls.createSecureContext({ ca: [...tls.rootCertificates, ...missing] }),
    additional: missing.length === 0 ? [] : [{ cert: missing.join('\n') }],
  };
}

/**
 * Connections are given to mockttp as objects, not over its port: one hop less for every byte, the audited process
 * keeps its own port number, and there is no open proxy. mockttp has no public way for that, hence the two places below
 * that reach into it; the version is pinned, and a start that finds them changed fails and leaves everything tunnelled.
 */
function innerServer(mockttp: MockttpServer): net.Server {
  const server = (mockttp as unknown as { server?: net.Server }).server;
  if (typeof server?.emit !== 'function' || typeof LastTunnelAddress !== 'symbol') {
    throw new Error('mockttp is not the version the network proxy was written for (4.6.5): install exactly that one');
  }
  return server;
}

/**
 * A server of Node closes connections that are idle for 5 s. The origin would have decided otherwise; and after a frozen
 * environment is thawed, the timer would fire at the moment at which the application sends its next request on them.
 */
function keepIdleConnections(server: net.Server): void {
  const { _httpServer: inner } = server as { _httpServer?: http.Server };
  if (inner !== undefined) inner.keepAliveTimeout = 0;
}

export async function startInterceptor(options: InterceptorOptions): Promise<Interceptor> {
  const { context, additional } = trust(options.roots);
  const trials = new TlsTrials(context);
  const byPort = new Map<number, Connection>();
  const timers = new Set<NodeJS.Timeout>();
  /** Server name (or address) → what the server speaks, so that the client is offered nothing else. */
  const spoken = new Map<string, string>();

  const tlsServerOptions: tls.TlsOptions = {
    ALPNCallback: ({ servername, protocols }) => {
      const wanted = spoken.get(servername) ?? 'http/1.1';
      return protocols.includes(wanted) ? wanted : protocols[0];
    },
  };
  const mockttp = new MockttpServer({
    recordTraffic: false,
    maxBodySize: MAX_BUFFERED,
    http2: 'fallback',
    https: {
      key: options.authority.key,
      cert: options.authority.cert,
      // The declared type has only minVersion; mockttp hands all of it to tls.createServer.
      tlsServerOptions: tlsServerOptions as { minVersion?: 'TLSv1.2' },
    },
  });
  const watch = watchExchanges(mockttp, {
    ...options,
    connectionOf: (port) => byPort.get(port),
    distrust: trials.distrust.bind(trials),
  });
  await mockttp.start(0);
  const server = innerServer(mockttp);
  // Accept nothing: 0 open connections are already too many.
  server.maxConnections = 0;
  keepIdleConnections(server);

  const passThrough = { simulateConnectionErrors: true, trustAdditionalCAs: additional };
  await mockttp.addRequestRules({ matchers: [new EveryRequest()], steps: [new PassThroughStep(passThrough)] });
  await mockttp.addWebSocketRules({ matchers: [new WildcardMatcher()], steps: [new PassThroughWebSocketStep(passThrough)] });

  const forget = (port: number, connection: Connection): void => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      if (byPort.get(port) === connection) byPort.delete(port);
    }, FORGET_AFTER_MS).unref();
    timers.add(timer);
  };

  return {
    async verdict(peer, sni, alpn) {
      const verdict = await trials.verdict(peer, sni, alpn);
      if (verdict?.trusted && sni !== undefined) {
        if (verdict.alpn === undefined) spoken.delete(sni);
        else spoken.set(sni, verdict.alpn);
      }
      return verdict;
    },
    accept(connection) {
      const { socket, peer } = connection;
      const port = socket.remotePort;
      if (port === undefined) return void socket.destroy();
      byPort.set(port, connection);
      socket.once('close', () => forget(port, connection));
      socket[LastTunnelAddress] = peer.addr.includes(':') ? `[${peer.addr}]:${peer.port}` : `${peer.addr}:${peer.port}`;
      server.emit('connection', socket);
    },
    async stop() {
      for (const timer of timers) clearTimeout(timer);
      // Not mockttp.stop(): it trips over connections that close while it closes them, and ours are closed already.
      await new Promise<void>((resolve) => server.close(() => resolve()));
      // What mockttp still has to say about them, it says within two turns.
      for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => setImmediate(resolve));
      watch.stop();
      mockttp.reset();
    },
  };
}
