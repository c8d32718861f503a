import type { ProcessId } from '../../record/types.ts';
import type { RingEvent } from '../ring-event.ts';

/** As the shim (`MESSAGE_MOST` in layers/shim/tap.c). */
const MESSAGE_MOST = 4 << 20;
/** Unfinished messages of all processes together: each belongs to a thread that is writing it this very moment. */
const UNFINISHED_MOST = 64;

interface Unfinished {
  readonly total: number;
  readonly parts: Buffer[];
  length: number;
}

/** Puts the messages of taps together, which the shim has cut into events. Parts of one message come in their order. */
export class TapParts {
  readonly #unfinished = new Map<string, Unfinished>();

  /** The whole message, once its last part is there. A message that lacks a part never is: the ring has counted the loss. */
  take({ proc, numbers, strings }: Pick<RingEvent, 'proc' | 'numbers' | 'strings'>): Buffer | undefined {
    const [id, offset, total] = numbers;
    const name = nameOf(proc, id);
    if (offset === 0) {
      this.#unfinished.delete(name);
      this.#unfinished.set(name, { total, parts: [], length: 0 });
      const [oldest] = this.#unfinished.keys();
      if (this.#unfinished.size > UNFINISHED_MOST && oldest !== undefined) this.#unfinished.delete(oldest);
    }
    const message = this.#unfinished.get(name);
    if (message === undefined) return undefined;
    if (message.length !== offset || message.total !== total || total > MESSAGE_MOST) {
      this.#unfinished.delete(name);
      return undefined;
    }
    for (const part of strings) {
      // Copied: the ring's reader uses its buffer again.
      message.parts.push(Buffer.from(part));
      message.length += part.length;
    }
    if (message.length < total) return undefined;
    this.#unfinished.delete(name);
    return message.length === total ? Buffer.concat(message.parts) : undefined;
  }
}

const nameOf = (proc: ProcessId, id: number): string => `${proc} ${id}`;
