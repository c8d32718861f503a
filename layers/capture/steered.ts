import type { Observation, Peer, ProcessId } from '../record/types.ts';

/** A connection that a shim has led to the network proxy. */
export interface Steered {
  readonly proc?: ProcessId;
  readonly peer: Peer;
  readonly t: number;
}

const CAPACITY = 4096;
const POLL_MS = 2;

/** Who is behind the local port from which a connection reaches the network proxy. */
export class SteeredConnections {
  readonly #byPort = new Map<number, Steered>();

  /** To be shown every observation of the ring. */
  learn(o: Observation): void {
    if (o.kind !== 'socket-connect' || !o.steered || o.localPort === 0) return;
    // Deleted first, so that the newest is last: the oldest is what is forgotten.
    this.#byPort.delete(o.localPort);
    this.#byPort.set(o.localPort, { peer: o.peer, t: o.t, ...(o.proc === undefined ? {} : { proc: o.proc }) });
    const [oldest] = this.#byPort.keys();
    if (this.#byPort.size > CAPACITY && oldest !== undefined) this.#byPort.delete(oldest);
  }

  /**
   * The shim announces a connection before it opens it, so one look normally suffices; a writer that was interrupted between
   * the two halves of its event may need a moment. Each announcement is used once: port numbers come back.
   */
  async find(localPort: number, waitMs: number, drain: () => void): Promise<Steered | undefined> {
    const until = Date.now() + waitMs;
    for (;;) {
      drain();
      const found = this.#byPort.get(localPort);
      if (found !== undefined) {
        this.#byPort.delete(localPort);
        return found;
      }
      if (Date.now() >= until) return undefined;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }
}
