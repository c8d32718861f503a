import { isIP } from 'node:net';
import tls from 'node:tls';
import type { Peer } from '../../record/types.ts';

/** What one handshake of our own with the server showed. */
export interface Verdict {
  /** The server's chain and name verify, and it does not insist on a client certificate. */
  readonly trusted: boolean;
  /** What it chose of the protocols that the client offers. */
  readonly alpn?: string;
}

const TRIAL_TIMEOUT_MS = 5000;
const MAX_REMEMBERED = 1000;

const exactKey = (peer: Peer, sni: string | undefined): string => `${sni ?? ''} ${peer.port} ${peer.addr}`;
const nameKey = (peer: Peer, sni: string | undefined): string | undefined => sni && `${sni} ${peer.port}`;

/**
 * Decides which TLS servers may be intercepted. Only a server that *we* can verify is: behind our certificate the
 * application could not tell a bad server from a good one any more, so for the others it must see the real one.
 */
export class TlsTrials {
  private readonly verdicts = new Map<string, Promise<Verdict | undefined>>();
  private readonly context: tls.SecureContext | undefined;

  /** @param context trust store for the handshake, the process's default one when absent. */
  constructor(context?: tls.SecureContext) {
    this.context = context;
  }

  /**
   * One handshake per (server name, port, address) in the life of the instance; names served from many addresses
   * (every AWS endpoint) are tried once: mockttp verifies each upstream connection again anyway, see {@link distrust}.
   * @returns undefined when the server cannot be reached; this is not remembered.
   */
  async verdict(peer: Peer, sni: string | undefined, alpn: readonly string[]): Promise<Verdict | undefined> {
    const exact = exactKey(peer, sni);
    const known = this.verdicts.get(exact);
    if (known !== undefined) return known;
    const name = nameKey(peer, sni);
    const ofName = name === undefined ? undefined : await this.verdicts.get(name);
    if (ofName?.trusted) return ofName;

    const trial = this.handshake(peer, sni, alpn);
    this.remember(exact, trial);
    const verdict = await trial;
    if (verdict === undefined) this.verdicts.delete(exact);
    else if (verdict.trusted && name !== undefined) this.remember(name, trial);
    return verdict;
  }

  /** The server turned out not to accept us after all (an optional client certificate, another chain at this address). */
  distrust(peer: Peer, sni: string | undefined): void {
    this.remember(exactKey(peer, sni), Promise.resolve({ trusted: false }));
  }

  private remember(key: string, verdict: Promise<Verdict | undefined>): void {
    this.verdicts.delete(key);
    this.verdicts.set(key, verdict);
    const oldest = this.verdicts.keys().next();
    if (this.verdicts.size > MAX_REMEMBERED && !oldest.done) this.verdicts.delete(oldest.value);
  }

  private handshake(peer: Peer, sni: string | undefined, alpn: readonly string[]): Promise<Verdict | undefined> {
    return new Promise((resolve) => this.shakeHands(peer, sni, alpn, resolve));
  }

  private shakeHands(
    peer: Peer,
    sni: string | undefined,
    alpn: readonly string[],
    resolve: (verdict: Verdict | undefined) => void,
  ): void {
    const started = performance.now();
    const socket = tls.connect({
      host: peer.addr,
      port: peer.port,
      ...(sni === undefined || isIP(sni) ? {} : { servername: sni }),
      ...(alpn.length === 0 ? {} : { ALPNProtocols: [...alpn] }),
      ...(this.context === undefined ? {} : { secureContext: this.context }),
      rejectUnauthorized: false,
    });
    let connected = false;
    let ticket = false;
    const finish = (verdict: Verdict | undefined): void => {
      clearTimeout(limit);
      resolve(verdict);
      socket.destroy();
    };
    const limit = setTimeout(finish, TRIAL_TIMEOUT_MS, undefined);
    socket.once('connect', () => {
      connected = true;
    });
    // Unreachable is no verdict; a handshake that fails is one.
    socket.on('error', () => finish(connected ? { trusted: false } : undefined));
    socket.once('close', () => finish(connected ? { trusted: false } : undefined));
    socket.once('session', () => {
      ticket = true;
    });
    socket.once('secureConnect', () => {
      const alpnProtocol = socket.alpnProtocol || undefined;
      const verdict: Verdict = { trusted: socket.authorized, ...(alpnProtocol ? { alpn: alpnProtocol } : {}) };
      if (!verdict.trusted || socket.getProtocol() !== 'TLSv1.3') return finish(verdict);
      // In TLS 1.3 a server that misses a client certificate says so only after our side of the handshake is done;
      // a session ticket or one more round trip of silence means that it does not.
      if (ticket) return finish(verdict);
      socket.once('session', () => finish(verdict));
      setTimeout(finish, Math.max(20, performance.now() - started), verdict).unref();
    });
    socket.resume();
  }
}
