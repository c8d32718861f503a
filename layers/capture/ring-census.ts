import type { GapObservation, ProcessId, ProcessStartObservation } from '../record/types.ts';

/** How long a missing number may still turn up (two threads of a process can overtake each other), in ms. */
const PATIENCE_MS = 1000;
/** More than this many processes are not remembered; those that have ended are forgotten first. */
const PROCESSES_MOST = 4096;
/** So many numbers beyond the missing one, and it is given up at once. */
const AHEAD_MOST = 1024;

interface Numbers {
  next: number;
  readonly ahead: Set<number>;
  /** When the first hole was seen, ms. */
  since: number;
}

/** Counts every process's events, to know what is missing, and remembers which processes there have been. */
export class Census {
  readonly #processes = new Map<ProcessId, Numbers>();
  readonly #holes = new Set<ProcessId>();
  readonly #ended = new Set<ProcessId>();
  #forgot = false;
  /** Events known to be lost whose process is not: so they are not reported twice. */
  #unattributed = 0;

  /** For a program image that reports itself: an id seen before has exec'd; a known parent has spawned it; else it is a first. */
  readonly origin = (proc: ProcessId, parent: ProcessId | null): ProcessStartObservation['how'] => {
    if (this.#processes.has(proc)) return 'exec';
    return parent !== null && this.#processes.has(parent) ? 'spawn' : 'runtime';
  };

  ended(proc: ProcessId): void {
    this.#ended.add(proc);
  }

  lostOne(): void {
    this.#unattributed++;
  }

  /** Call for every event, after it was decoded. */
  count(proc: ProcessId, n: number, now: number): GapObservation | undefined {
    const known = this.#processes.get(proc);
    if (known === undefined || n === 0) {
      const gap = known ? this.#giveUp(proc, known) : undefined;
      /* A process whose first events never came: they were lost, unless it is one that was forgotten. */
      const missing = known || this.#forgot ? 0 : n;
      this.#ended.delete(proc);
      this.#processes.set(proc, { next: n + 1, ahead: new Set(), since: 0 });
      this.#forget();
      return gap ?? this.#gap(missing);
    }
    if (n === known.next && known.ahead.size === 0) {
      known.next++;
      return undefined;
    }
    if (n < known.next) return undefined;
    if (known.ahead.size === 0) known.since = now;
    known.ahead.add(n);
    while (known.ahead.delete(known.next)) known.next++;
    if (known.ahead.size === 0) this.#holes.delete(proc);
    else this.#holes.add(proc);
    return known.ahead.size > AHEAD_MOST ? this.#giveUp(proc, known) : undefined;
  }

  /** The holes that have been open for too long. */
  overdue(now: number): (GapObservation & { readonly proc: ProcessId })[] {
    const gaps = [];
    for (const proc of this.#holes) {
      const known = this.#processes.get(proc);
      if (known && now - known.since < PATIENCE_MS) continue;
      const gap = known && this.#giveUp(proc, known);
      if (gap) gaps.push({ ...gap, proc });
    }
    return gaps;
  }

  #giveUp(proc: ProcessId, known: Numbers): GapObservation | undefined {
    this.#holes.delete(proc);
    let last = known.next - 1;
    for (const n of known.ahead) last = Math.max(last, n);
    const missing = last + 1 - known.next - known.ahead.size;
    known.next = last + 1;
    known.ahead.clear();
    return this.#gap(missing);
  }

  #gap(missing: number): GapObservation | undefined {
    const told = Math.min(missing, this.#unattributed);
    this.#unattributed -= told;
    return missing > told ? { kind: 'gap', why: 'shim-lost', lost: missing - told } : undefined;
  }

  #forget(): void {
    if (this.#processes.size <= PROCESSES_MOST) return;
    const oldest = this.#ended.values().next().value ?? this.#processes.keys().next().value;
    if (oldest === undefined) return;
    this.#processes.delete(oldest);
    this.#ended.delete(oldest);
    this.#holes.delete(oldest);
    this.#forgot = true;
  }
}
