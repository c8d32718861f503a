import type { Observation } from '../record/types.ts';
import { nowMicros } from './clock.ts';
import { type TcpRow, tcpSockets } from './proc-net.ts';
import { ownersOf } from './process-tree.ts';

/** Reports and judged sockets that are remembered; the oldest are forgotten first. */
const REMEMBERED = 8192;
/** While a program runs into which the shim cannot look: how often its sockets are looked for, in ms. */
const WATCH_MS = 25;
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
 * A socket whose report is known costs nothing but the reading of /proc/net/tcp; only for one that is not are the function's
 * processes searched for its owner (the network may be shared with others), and each socket is judged once.
 */
export class UnobservedSockets {
  readonly #options: UnobservedSocketsOptions;
  readonly #reported = new Set<string>();
  readonly #judged = new Set<string>();
  readonly #processes = new Set<number>();
  #watching = false;
  #looked = 0;

  constructor(options: UnobservedSocketsOptions) {
    this.#options = options;
  }

  /** To be shown every observation of the ring. */
  learn(o: Observation): void {
    if (o.kind === 'socket-connect' || o.kind === 'socket-accept') {
      if (o.peer.proto === 'tcp') remember(this.#reported, `${o.localPort} ${o.peer.addr}:${o.peer.port}`);
    } else if (o.kind === 'socket-bind') remember(this.#reported, `listens ${o.peer.port}`);
    else if (o.kind === 'process-start') remember(this.#processes, Number.parseInt(o.proc ?? '0', 10));
    else if (o.kind === 'process-exec' && o.child !== undefined) remember(this.#processes, o.child);
    else if (o.kind === 'process-exit') this.#processes.delete(o.child ?? Number.parseInt(o.proc ?? '0', 10));
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
    const { drain, observe } = this.#options;
    const rows = tcpSockets((inode) => !this.#judged.has(inode)).filter((row) => !UNDER_WAY.has(row.state));
    if (rows.length === 0) return;
    drain();
    const open = rows.filter((row) => !this.#known(row));
    const owners = open.length === 0 ? new Map() : ownersOf(new Set(open.map((row) => row.inode)), this.#roots());
    // Once more: between the call and its report another process may have held the processor.
    if (owners.size > 0) drain();
    for (const row of rows) {
      remember(this.#judged, row.inode);
      const owner = owners.get(row.inode);
      if (owner === undefined || this.#known(row)) continue;
      const what =
        row.state === 'listening'
          ? `listens on port ${row.localPort}`
          : `${row.localPort} to ${row.peer.addr}:${row.peer.port}`;
      observe({
        kind: 'unobserved',
        t: nowMicros(),
        proc: owner.proc,
        what: 'socket',
        detail: `tcp ${what}, ${row.state}, of ${owner.exe}`,
      });
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
