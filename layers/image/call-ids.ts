import { randomUUID } from 'node:crypto';

/** Ids remembered of requests that are over. A client that tries again sends the same one, usually within seconds. */
const REMEMBERED = 4096;

/** Turns the ids that callers choose into ids of requests: two requests never have the same, or the record would make them one. */
export class CallIds {
  readonly #underWay = new Set<string>();
  readonly #before = new Set<string>();

  /** `callId` itself where no request has it, or had it lately; else a new one. */
  requestIdFor(callId: string | undefined): string {
    const taken = callId === undefined || this.#underWay.has(callId) || this.#before.has(callId);
    if (taken) return randomUUID();
    this.#underWay.add(callId);
    return callId;
  }

  /** The request is over. */
  over(reqId: string): void {
    if (!this.#underWay.delete(reqId)) return;
    this.#before.add(reqId);
    const oldest = this.#before.values().next();
    if (this.#before.size > REMEMBERED && !oldest.done) this.#before.delete(oldest.value);
  }
}
