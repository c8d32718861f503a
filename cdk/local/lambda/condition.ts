/** Waiting for a condition over state that callbacks change. */
interface Waiter {
  readonly holds: () => boolean;
  readonly resolve: (held: boolean) => void;
  timer: NodeJS.Timeout | undefined;
}

export class ConditionVariable {
  readonly #waiters = new Set<Waiter>();

  /** Call after every change of the state that conditions look at. */
  changed(): void {
    for (const waiter of this.#waiters) {
      if (waiter.holds()) this.#settle(waiter, true);
    }
  }

  /** True as soon as `holds` does; false when it did not within `ms`. */
  wait(holds: () => boolean, ms: number): Promise<boolean> {
    if (holds()) return Promise.resolve(true);
    return new Promise((resolve) => {
      const waiter: Waiter = { holds, resolve, timer: undefined };
      waiter.timer = setTimeout(() => this.#settle(waiter, false), Math.max(0, ms));
      this.#waiters.add(waiter);
    });
  }

  #settle(waiter: Waiter, held: boolean): void {
    clearTimeout(waiter.timer);
    this.#waiters.delete(waiter);
    waiter.resolve(held);
  }
}
