/**
 * What is done in advance for a question: each errand once, and so many at the most. How one ends is nobody's business: who needs
 * what it could not load is told when asking for it.
 */
export class Errands {
  readonly #most: number;
  readonly #sent = new Map<string, Promise<void>>();

  constructor(most: number) {
    this.#most = most;
  }

  /** @returns when this errand, if there is one, has ended */
  async send(name: string, errand: () => Promise<void>): Promise<void> {
    let sent = this.#sent.get(name);
    if (sent === undefined) {
      if (this.#sent.size >= this.#most) return;
      sent = errand().catch(() => undefined);
      this.#sent.set(name, sent);
    }
    await sent;
  }
}
