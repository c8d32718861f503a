import type { Observation, ProcessId, RequestId } from '../record/types.ts';
import type { Invocations } from './invocations.ts';
import type { Invocation, Outcome, RuntimeListener, Speaker } from './runtime-calls.ts';
import { isAlive, type RuntimeProcess } from './runtime-process.ts';

/** Processes whose parents are remembered, and requests that others than the runtime have taken; the oldest are forgotten. */
const PROCESSES_MOST = 4096;
const TAKEN_MOST = 4;
/** Processes between a script that is the runtime and the programs that it starts. */
const GENERATIONS = 8;
/** Requests that the platform has announced and nobody has taken yet: one in practice. */
const ANNOUNCED_MOST = 16;

/** What another process than the runtime did with a request. */
interface Taken {
  readonly who: Speaker;
  /** When it got the request, µs. */
  readonly t?: number;
  readonly invocation?: Invocation;
  readonly outcome?: Outcome;
  /** The platform says the same: it is recorded. */
  readonly confirmed?: boolean;
}

export interface SpeakersOptions {
  readonly invocations: Invocations;
  readonly runtime: RuntimeProcess;
  /** Requests run concurrently, in processes of the runtime's choice. */
  readonly managed: boolean;
  /** A process that the shim cannot see, and that is not the runtime, has taken or answered a request. */
  readonly onStranger: (detail: string, t: number) => void;
}

/**
 * Decides whose talk with the Runtime API moves the boundaries of requests. Any process of the instance can talk to it; one that
 * takes a request or forges an answer is an attack and must not cut the record as it likes. The first that asks for work is the
 * runtime, before any request could have started another. What others do counts only as far as the platform confirms it: by an
 * INVOKE event for a request that the runtime did not get, or by accepting an answer in the runtime's place.
 */
export class Speakers implements RuntimeListener {
  readonly #options: SpeakersOptions;
  readonly #parents = new Map<ProcessId, ProcessId | null>();
  #runtime: Speaker | undefined;
  #asked = false;
  readonly #taken = new Map<RequestId, Taken>();
  readonly #announced = new Set<RequestId>();

  constructor(options: SpeakersOptions) {
    this.#options = options;
  }

  /** Whether the runtime has asked for work where it is heard. It does so before any request is announced. */
  get heard(): boolean {
    return this.#asked;
  }

  /** The runtime is heard through the tap, not through the proxy. */
  get tapped(): boolean {
    return this.#runtime?.proc !== undefined;
  }

  /** To be shown every observation of the ring, in its order. */
  learn(o: Observation): void {
    // The first word counts: later an orphan has another parent.
    if (o.kind !== 'process-start' || o.proc === undefined || this.#parents.has(o.proc)) return;
    this.#parents.set(o.proc, o.parent);
    const [oldest] = this.#parents.keys();
    if (this.#parents.size > PROCESSES_MOST && oldest !== undefined) this.#parents.delete(oldest);
  }

  /** The platform has announced a request to the extension: it is real, whoever has taken it. */
  announced(reqId: RequestId, t: number): void {
    const taken = this.#taken.get(reqId);
    if (taken?.invocation !== undefined) return void this.#confirm(taken.who, taken.invocation, taken.t ?? t);
    this.#announced.add(reqId);
    const [oldest] = this.#announced;
    if (this.#announced.size > ANNOUNCED_MOST && oldest !== undefined) this.#announced.delete(oldest);
  }

  asked(who: Speaker, t: number): void {
    if (!this.isRuntime(who)) return;
    const { invocations } = this.#options;
    this.#asked = true;
    for (const [req, { invocation, outcome }] of this.#taken) {
      if (invocation !== undefined || outcome === undefined) continue;
      this.#taken.delete(req);
      invocations.answered(req, outcome, t);
    }
    invocations.asked(t);
  }

  begun(who: Speaker, invocation: Invocation, t: number): void {
    const { reqId } = invocation;
    if (this.isRuntime(who)) {
      this.#announced.delete(reqId);
      return void this.#options.invocations.begun(who, invocation, t);
    }
    this.#stranger(who, `has taken request ${reqId}`, t);
    if (this.#announced.delete(reqId)) return void this.#confirm(who, invocation, t);
    this.#remember(reqId, { who, invocation, t });
  }

  ended(who: Speaker, reqId: string, outcome: Outcome, t: number): void {
    if (this.isRuntime(who)) return void this.#options.invocations.ended(reqId, outcome, t);
    this.#stranger(who, `has answered request ${reqId}`, t);
    if (this.#taken.get(reqId)?.confirmed === true) this.#end(reqId, outcome, t);
    else this.#remember(reqId, { who, outcome });
  }

  initFailed(who: Speaker, outcome: Outcome, t: number): void {
    if (this.isRuntime(who)) this.#options.invocations.initFailed(outcome, t);
  }
  snapshot(who: Speaker): void {
    if (this.isRuntime(who)) this.#options.invocations.snapshot();
  }
  restored(who: Speaker): void {
    if (this.isRuntime(who)) this.#options.invocations.restored();
  }

  /** Whether this is the runtime that is talking. The first that talks is taken for it. */
  isRuntime(who: Speaker): boolean {
    const { managed, runtime } = this.#options;
    this.#runtime ??= who;
    if (managed || isSame(this.#runtime, who)) return true;
    // Something that the runtime started before it asked for work itself.
    if (isPid(who, runtime.pid) && !isPid(this.#runtime, runtime.pid)) this.#runtime = who;
    if (isSame(this.#runtime, who)) return true;
    if (this.#runtime.proc === undefined || who.proc === undefined || isAlive(this.#runtime.proc)) return false;
    // It has ended: this may be its successor, or the next of the programs that a script starts for every call.
    runtime.look();
    if (!isPid(who, runtime.pid) && !this.#isOfScript(who.proc, this.#runtime.proc)) return false;
    this.#runtime = who;
    return true;
  }

  /** Whether both are below the runtime's first process, which does not talk itself, or are known to have the same parent. */
  #isOfScript(proc: ProcessId, before: ProcessId): boolean {
    const { pid } = this.#options.runtime;
    if (isPid({ proc: before }, pid)) return false;
    const parent = this.#parents.get(proc);
    if (parent !== undefined && parent !== null && parent === this.#parents.get(before)) return true;
    const below = (one: ProcessId): boolean => {
      let above = this.#parents.get(one);
      for (let i = 0; i < GENERATIONS && above !== undefined && above !== null; i++) {
        if (isPid({ proc: above }, pid)) return true;
        above = this.#parents.get(above);
      }
      return false;
    };
    return below(proc) && below(before);
  }

  #confirm(who: Speaker, invocation: Invocation, t: number): void {
    const { reqId } = invocation;
    this.#options.invocations.begun(who, invocation, t);
    // Not before: what waited in the ring is read when a request begins, and this one's answer may have been in it.
    const outcome = this.#taken.get(reqId)?.outcome;
    this.#remember(reqId, { who, invocation, confirmed: true });
    if (outcome !== undefined) this.#end(reqId, outcome, t);
  }

  #end(reqId: RequestId, outcome: Outcome, t: number): void {
    this.#taken.delete(reqId);
    this.#options.invocations.ended(reqId, outcome, t);
    this.#options.invocations.finish(reqId, t);
  }

  #remember(reqId: RequestId, taken: Taken): void {
    this.#taken.set(reqId, { ...this.#taken.get(reqId), ...taken });
    const [oldest] = this.#taken.keys();
    if (this.#taken.size > TAKEN_MOST && oldest !== undefined) this.#taken.delete(oldest);
  }

  /** A process under the shim has its exchange with the Runtime API recorded; of others this is all there is. */
  #stranger(who: Speaker, what: string, t: number): void {
    if (who.proc === undefined) this.#options.onStranger(`a program that is not the runtime ${what}`, t);
  }
}

const isPid = ({ proc }: Speaker, pid: number | undefined): boolean =>
  pid !== undefined && proc?.startsWith(`${pid}@`) === true;
const isSame = (a: Speaker, b: Speaker): boolean => a.proc === b.proc;
