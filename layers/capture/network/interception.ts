import type { Observation, Peer } from '../../record/types.ts';
import type { Authority } from './authority.ts';
import type { Verdict } from './trial.ts';
import type { Connection } from './tunnel.ts';

/**
 * What the light front and the heavy interceptor (mockttp) say to each other. The interceptor is a module of its own,
 * loaded after the front listens, because loading it takes longer than the rest of the extension's start.
 */
export interface InterceptorOptions {
  readonly authority: Authority;
  /** PEM, one certificate each: who may be an upstream server. */
  readonly roots: readonly string[];
  observe(observation: Observation): void;
  log(line: string): void;
  /** The client did not accept our certificate. */
  clientRejected(connection: Connection): void;
  /** What came out of the TLS of this connection was not HTTP. */
  notHttp(connection: Connection): void;
}

export interface Interceptor {
  /** See {@link TlsTrials}. */
  verdict(peer: Peer, sni: string | undefined, alpn: readonly string[]): Promise<Verdict | undefined>;
  /** Takes over a connection whose first bytes have been put back into its socket. */
  accept(connection: Connection): void;
  stop(): Promise<void>;
}

/** What the module must export. */
export interface InterceptorModule {
  startInterceptor(options: InterceptorOptions): Promise<Interceptor>;
}
