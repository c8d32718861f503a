import type { Observation } from '../record/types.ts';
import { nowMicros } from './clock.ts';
import { type TcpRow, tcpSockets } from './proc-net.ts';
import { describe, type SocketOwner, socketsOf } from './process-tree.ts';

/** Reports and judged sockets that are remembered; the oldest are forgotten first. */
const REMEMBERED = 8192;
/** While a program runs into which the shim cannot look: how often its sockets are looked for, in ms. */
const WATCH_MS = 25;
/** How often a socket that is in no TCP table is asked for again. */
const LOOKS = 3;
/** A connection under way: its report follows when the call returns. (SYN_SENT, SYN_RECV) */
const UNDER_WAY = new Set(['02', '03']);

export interface UnobservedSocketsOptions {
  /** Brings in what the shims have reported so far. */
  readonly drain: () => void;
  readonly observe: (observation: Observation) => void;
  /** The first process of the function, where the shim may not be. */
  readonly runtimePid: () => number | undefined;
  /** Ports of the recorder itself: who talks to them is known otherwise. */
  readonly ownPorts: () => ReadonlySet<number>;
}

/**
 * Finds TCP sockets of the function's processes that no shim has reported: those of static programs and of raw system calls.
 * Each socket is judged once. A new one whose descriptor was reported since is known; only for others is /proc/net/tcp read,
 * which may be long where the network is shared.
 */
export class UnobservedSockets {
  readonly #options: UnobservedSocketsOptions;
  readonly #reported = new Set<string>();
  /** `<pid> <fd>` of reports whose socket has not been met yet. */
  readonly #descriptors = new Set<string>();
  readonly #judged = new Set<string>();
  readonly #processes = new Set<number>();
  readonly #unlisted = new Map<string, number>();
  #watching = false;
  #looked = 0;

  constructor(options: UnobservedSocketsOptions) {
    this.#options = options;
  }

  /** To be shown every observation of the ring. */
  learn(o: Observation): void {
    // Nearly all are about files.
    if (o.kind === 'file-open' || o.kind === 'file-close') return;
    const pid = Number.parseInt(o.proc ?? '0', 10);
    if (o.kind === 'socket-connect' || o.kind === 'socket-accept') {
      remember(this.#descriptors, `${pid} ${o.fd}`);
      if (o.peer.proto === 'tcp') remember(this.#reported, `${o.localPort} ${o.peer.addr}:${o.peer.port}`);
    } else if (o.kind === 'socket-bind') {
      remember(this.#descriptors, `${pid} ${o.fd}`);
      remember(this.#reported, `listens ${o.peer.port}`);
    }
    if (o.kind === 'process-start') remember(this.#processes, pid);
    else if (o.kind === 'process-exec' && o.child !== undefined) remember(this.#processes, o.child);
    else if (o.kind === 'process-exit') this.#processes.delete(o.child ?? pid);
    else if (o.kind === 'unobserved' && o.what === 'program') this.#watching = true;
  }

  /** A request is about to end. */
  look(): void {
    this.#search();
    this.#watching = false;
  }

  /** Often called while a request runs; does nothing unless there is a program to be watched. */
  tick(): void {
    if (this.#watching && performance.now() - this.#looked >= WATCH_MS) this.#search();
  }

  #search(): void {
    this.#looked = performance.now();
    const { drain } = this.#options;
    drain();
    const found = socketsOf(this.#roots(), this.#watching, (inode) => !this.#judged.has(inode));
    for (const [inode, { pid, fd }] of found) {
      if (!this.#descriptors.delete(`${pid} ${fd}`)) continue;
      found.delete(inode);
      remember(this.#judged, inode);
    }
    if (found.size === 0) return;
    const rows = tcpSockets((inode) => found.has(inode));
    // Once more: between a call and its report another process may have held the processor.
    drain();
    this.#judge(found, rows);
  }

  #judge(found: ReadonlyMap<string, SocketOwner>, rows: readonly TcpRow[]): void {
    const later = new Set(rows.filter((row) => UNDER_WAY.has(row.state)).map((row) => row.inode));
    const listed = new Set(rows.map((row) => row.inode));
    for (const inode of found.keys()) {
      if (later.has(inode)) continue;
      // Not in the table: no TCP socket, or one that is not connected yet and may be soon.
      const looks = (this.#unlisted.get(inode) ?? 0) + 1;
      if (listed.has(inode) || looks >= LOOKS) {
        this.#unlisted.delete(inode);
        remember(this.#judged, inode);
      } else if (this.#unlisted.size < REMEMBERED) this.#unlisted.set(inode, looks);
    }
    for (const row of rows) {
      const owner = found.get(row.inode);
      if (owner === undefined || later.has(row.inode) || this.#known(row)) continue;
      const { proc, exe } = describe(owner.pid);
      const what =
        row.state === 'listening'
          ? `listens on port ${row.localPort}`
          : `${row.localPort} to ${row.peer.addr}:${row.peer.port}`;
      const detail = `tcp ${what}, ${row.state}, of ${exe}`;
      this.#options.observe({ kind: 'unobserved', t: nowMicros(), proc, what: 'socket', detail });
    }
  }

  #known({ localPort, peer, state }: TcpRow): boolean {
    const own = this.#options.ownPorts();
    if (own.has(localPort) || own.has(peer.port)) return true;
    if (state === 'listening') return this.#reported.has(`listens ${localPort}`);
    return this.#reported.has(`${localPort} ${peer.addr}:${peer.port}`);
  }

  #roots(): ReadonlySet<number> {
    const runtime = this.#options.runtimePid();
    return runtime === undefined ? this.#processes : new Set([...this.#processes, runtime]);
  }
}

function remember<T>(set: Set<T>, value: T): void {
  set.delete(value);
  set.add(value);
  const [oldest] = set;
  if (set.size > REMEMBERED && oldest !== undefined) set.delete(oldest);
}
