import { type Loader, Mappings } from './mappings.ts';

/** A process as the trace shows it. */
export interface Process {
  readonly pid: number;
  cwd: string;
  readonly maps: Mappings;
}

/** Threads and processes, from clone to exit. */
export class Processes {
  readonly #byTid = new Map<number, Process>();
  readonly #loader: Loader;
  readonly #shim: string;
  readonly #cwd: string;

  constructor(loader: Loader, shim: string, cwd: string) {
    this.#loader = loader;
    this.#shim = shim;
    this.#cwd = cwd;
  }

  /** The process of a thread; one that nobody announced is the first. */
  of(tid: number): Process {
    const known = this.#byTid.get(tid);
    if (known) return known;
    const first = { pid: tid, cwd: this.#cwd, maps: new Mappings(this.#loader, this.#shim) };
    this.#byTid.set(tid, first);
    return first;
  }

  cloned(parent: Process, tid: number, thread: boolean): void {
    if (thread) this.#byTid.set(tid, parent);
    else this.#byTid.set(tid, { pid: tid, cwd: parent.cwd, maps: new Mappings(this.#loader, this.#shim, parent.maps) });
  }
}
