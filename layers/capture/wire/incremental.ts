import type { Budget } from './budget.ts';

/** What cannot be understood for sure: nothing that follows is believed. */
export class Malformed extends Error {}

/** What may wait while a parser is paused. */
const QUEUE_BYTES = 64 * 1024;
const QUEUE_MOST = 4096;
/** What an entry costs besides its bytes, about. */
const ENTRY = 64;
const NOTHING = Buffer.alloc(0);

/** One direction of a connection, parsed as it passes. Never throws to its feeder, whatever the bytes are. */
export abstract class Incremental {
  /** Bytes that were understood. */
  read = 0;
  readonly #budget: Budget;
  #over = false;
  #paused: boolean;
  #busy = false;
  #queue: (Buffer | number)[] = [];
  #queued = 0;
  /** The beginning of what is read as a whole. */
  #begun = NOTHING;
  #filled = 0;

  constructor(budget: Budget, paused: boolean) {
    this.#budget = budget;
    this.#paused = paused;
  }

  /** Takes from `bytes`, from `at` on, what belongs together, and says how much that was; 0 only if it has changed its state. @throws Malformed */
  protected abstract step(bytes: Buffer, at: number): number;
  /** A hole of so many bytes: how many of them do not matter for what follows. @throws Malformed */
  protected abstract hole(count: number): number;
  /** Told once, when something was {@link Malformed}. */
  protected abstract failed(problem: string): void;

  /** Nothing that comes is looked at any more. */
  protected get over(): boolean {
    return this.#over;
  }

  feed(bytes: Buffer): void {
    if (bytes.length > 0) this.#take(bytes);
  }

  /** So many bytes passed unseen. */
  leftOut(count: number): void {
    if (count > 0) this.#take(count);
  }

  /** What comes waits, because it cannot be understood yet. */
  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    if (!this.#busy) this.#run();
  }

  /** What comes is not of this protocol any more, or nothing will come. */
  stop(): void {
    this.#over = true;
    this.#budget.give(this.#queued + this.#queue.length * ENTRY + this.#begun.length);
    this.#queue = [];
    this.#queued = 0;
    this.#begun = NOTHING;
    this.#filled = 0;
  }

  protected guarded(work: () => void): void {
    const outer = this.#busy;
    this.#busy = true;
    try {
      work();
    } catch (error) {
      if (!(error instanceof Malformed)) throw error;
      this.stop();
      this.failed(error.message);
    } finally {
      this.#busy = outer;
    }
  }

  /** Waits for the end of something that is read as a whole; most often it is there at once. `endOf`: index behind it, or -1. */
  protected collect(
    bytes: Buffer,
    at: number,
    most: number,
    endOf: (bytes: Buffer, from: number) => number,
    then: (whole: Buffer) => void,
  ): number {
    const before = this.#filled;
    if (before === 0) {
      const here = bytes.subarray(at, at + most);
      const end = endOf(here, 0);
      if (end !== -1) {
        then(here.subarray(0, end));
        return end;
      }
    }
    const added = Math.min(bytes.length - at, most - before);
    this.#append(bytes.subarray(at, at + added));
    const all = this.#begun.subarray(0, this.#filled);
    const end = endOf(all, Math.max(0, before - 2));
    if (end === -1) {
      if (this.#filled >= most) throw new Malformed('a head or a line that is too long');
      return added;
    }
    this.#budget.give(this.#begun.length);
    this.#filled = 0;
    this.#begun = NOTHING;
    then(all.subarray(0, end));
    return end - before;
  }

  #append(bytes: Buffer): void {
    const length = this.#filled + bytes.length;
    if (length > this.#begun.length) {
      const room = Math.max(length, 2 * this.#begun.length, 512);
      if (!this.#budget.take(room)) throw new Malformed('too much waits on all connections');
      const larger = Buffer.allocUnsafeSlow(room);
      this.#begun.copy(larger, 0, 0, this.#filled);
      this.#budget.give(this.#begun.length);
      this.#begun = larger;
    }
    bytes.copy(this.#begun, this.#filled);
    this.#filled = length;
  }

  #take(item: Buffer | number): void {
    if (this.#over) return;
    if (!this.#paused && !this.#busy && this.#queue.length === 0) this.#process(item);
    else {
      this.#wait(item);
      if (!this.#busy) this.#run();
    }
  }

  #wait(item: Buffer | number, first = false): void {
    const size = typeof item === 'number' ? 0 : item.length;
    this.guarded(() => {
      if (this.#queued + size > QUEUE_BYTES || this.#queue.length >= QUEUE_MOST || !this.#budget.take(size + ENTRY))
        throw new Malformed('more than can wait for the other side');
      this.#queued += size;
      // Copied: the ring's reader uses its buffer again.
      const kept = typeof item === 'number' ? item : Buffer.from(item);
      if (first) this.#queue.unshift(kept);
      else this.#queue.push(kept);
    });
  }

  #run(): void {
    while (!this.#paused) {
      const item = this.#queue.shift();
      if (item === undefined) return;
      const size = typeof item === 'number' ? 0 : item.length;
      this.#queued -= size;
      this.#budget.give(size + ENTRY);
      this.#process(item);
    }
  }

  #process(item: Buffer | number): void {
    let rest: Buffer | undefined;
    this.guarded(() => {
      if (typeof item === 'number') {
        const known = this.hole(item);
        this.read += known;
        if (known < item && !this.#over) throw new Malformed('a part of it was not seen');
        return;
      }
      let at = 0;
      while (at < item.length && !this.#paused && !this.#over) {
        const used = this.step(item, at);
        at += used;
        this.read += used;
      }
      if (at < item.length && this.#paused) rest = item.subarray(at);
    });
    if (rest !== undefined && !this.#over) this.#wait(rest, true);
  }
}
