import type { Observation, ProcessId, RequestId } from '../record/types.ts';

/** Requests remembered per process, for what is reported after they have ended. */
const HISTORY = 16;
/** Processes and connections remembered; the oldest are forgotten first. */
const MOST = 4096;

/** Port numbers come back: an older connection is not the one meant, µs. */
const FRESH_MICROS = 5_000_000;

/** A request in the hands of a process, µs since 1970. */
interface Span {
  readonly req: RequestId;
  readonly from: number;
  to: number;
}

/**
 * Says which of several concurrent requests a process is working for, where that can be known: a process that has taken one
 * request at a time, over a connection of its own, works for that one; what it starts meanwhile works for the same. A process
 * with two requests at once (Node, threads) works for neither in particular: nothing is named rather than the wrong one.
 */
export class Attribution {
  readonly #onAmbiguous: (proc: ProcessId) => void;
  /** Processes by the local port of their connection to the place requests come from. */
  readonly #byPort = new Map<number, ProcessId>();
  readonly #spans = new Map<ProcessId, Span[]>();
  /** Requests whose process has not been seen yet, by the port over which they went. */
  readonly #unclaimed = new Map<number, RequestId>();
  /** Connections that were accepted and not yet asked for, by the port they came from. */
  readonly #accepted = new Map<number, { readonly proc: ProcessId; readonly t: number }>();
  /** Requests in nobody knows whose hands: while there is one, it may be anybody's. */
  readonly #unknown = new Set<RequestId>();
  readonly #ambiguous = new Set<ProcessId>();
  readonly #ports = new Set<number>();

  /** @param onAmbiguous told once per process that has several requests at once */
  constructor(onAmbiguous: (proc: ProcessId) => void) {
    this.#onAmbiguous = onAmbiguous;
  }

  /** Requests are fetched from this local port (the Runtime API proxy's) by the process that will work on them. */
  listensOn(port: number): void {
    this.#ports.add(port);
  }

  /** To be shown every observation of the ring, in its order. */
  learn(o: Observation): void {
    if (o.proc === undefined) return;
    if (o.kind === 'socket-connect' && this.#ports.has(o.peer.port) && o.localPort !== 0) {
      remember(this.#byPort, o.localPort, o.proc);
    } else if (o.kind === 'socket-accept') {
      const req = this.#unclaimed.get(o.peer.port);
      // Seen before the word of who went there has come.
      if (req === undefined) return void remember(this.#accepted, o.peer.port, { proc: o.proc, t: o.t });
      this.#unclaimed.delete(o.peer.port);
      this.#give(o.proc, req, o.t);
    } else if (o.kind === 'process-start' && o.how !== 'exec' && o.parent !== null) {
      const req = this.requestOf(o.parent);
      if (req !== undefined) this.#give(o.proc, req, o.t);
    } else if (o.kind === 'process-exit' && o.child === undefined) {
      this.#ambiguous.delete(o.proc);
    }
  }

  /** A request was fetched by this process, or over the connection from this local port. */
  fetched(req: RequestId, { proc: known, port }: { proc?: ProcessId; port?: number | undefined }, t: number): void {
    const proc = known ?? (port === undefined ? undefined : this.#byPort.get(port));
    if (proc !== undefined) this.#give(proc, req, t);
    else this.#unknown.add(req);
  }

  /** A request was handed to whichever process accepts the connection from this port. */
  handed(req: RequestId, localPort: number, t: number): void {
    const accepted = this.#accepted.get(localPort);
    this.#accepted.delete(localPort);
    if (accepted !== undefined && t - accepted.t < FRESH_MICROS) return void this.#give(accepted.proc, req, accepted.t);
    remember(this.#unclaimed, localPort, req);
  }

  done(req: RequestId, t: number): void {
    this.#unknown.delete(req);
    for (const [port, unclaimed] of this.#unclaimed) if (unclaimed === req) this.#unclaimed.delete(port);
    for (const spans of this.#spans.values()) {
      for (const span of spans) if (span.req === req) span.to = Math.min(span.to, t);
    }
  }

  /** The request the process works for at `t` (default: now); undefined when it has none, or more than one. */
  requestOf(proc: ProcessId, t?: number): RequestId | undefined {
    if (this.#ambiguous.has(proc) || this.#unknown.size > 0) return undefined;
    const at = this.#spans
      .get(proc)
      ?.filter(({ from, to }) => (t === undefined ? to === Number.POSITIVE_INFINITY : from <= t && t < to));
    return at?.length === 1 ? at[0]?.req : undefined;
  }

  #give(proc: ProcessId, req: RequestId, from: number): void {
    const spans = this.#spans.get(proc) ?? [];
    if (spans.some((span) => span.to === Number.POSITIVE_INFINITY && span.req === req)) return;
    spans.push({ req, from, to: Number.POSITIVE_INFINITY });
    if (spans.length > HISTORY) spans.shift();
    remember(this.#spans, proc, spans);
    if (spans.filter(({ to }) => to === Number.POSITIVE_INFINITY).length < 2 || this.#ambiguous.has(proc)) return;
    this.#ambiguous.add(proc);
    this.#onAmbiguous(proc);
  }
}

function remember<K, V>(map: Map<K, V>, key: K, value: V): void {
  map.delete(key);
  map.set(key, value);
  const [oldest] = map.keys();
  if (map.size > MOST && oldest !== undefined) map.delete(oldest);
}
