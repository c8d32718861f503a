import type { Worker } from './environment.ts';

/** Work started in the background that nobody awaits: counted until it ends, its failure logged, its timers dropped at stop. */
export class Pending implements Worker {
  readonly #what: string;
  readonly #log: (line: string) => void;
  readonly #timers = new Set<NodeJS.Timeout>();
  #running = 0;

  constructor(what: string, log: (line: string) => void) {
    this.#what = what;
    this.#log = log;
  }

  /** Runs `job` after `delayMs` (at once, but never synchronously, for 0). */
  start(job: () => Promise<unknown>, delayMs = 0): void {
    this.#running++;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      Promise.resolve()
        .then(job)
        .catch((cause: unknown) => this.#log(`${this.#what}: ${cause instanceof Error ? cause.message : String(cause)}`))
        .finally(() => {
          this.#running--;
        });
    }, delayMs);
    this.#timers.add(timer);
  }

  busy(): string | null {
    return this.#running === 0 ? null : `${this.#running} ${this.#what} under way`;
  }

  stop(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }
}
