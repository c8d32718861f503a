import { randomUUID } from 'node:crypto';
import { ServiceError } from '../../http/error.ts';
import { type Message, type MessageAttributes, md5, md5OfAttributes } from './message.ts';

export interface QueueSettings {
  readonly visibilityTimeoutSeconds: number;
  readonly delaySeconds: number;
  readonly receiveWaitSeconds: number;
  readonly fifo: boolean;
  readonly contentBasedDeduplication: boolean;
  readonly redrive: { readonly deadLetterArn: string; readonly maxReceiveCount: number } | null;
}

export interface NewMessage {
  readonly body: string;
  readonly attributes?: MessageAttributes;
  readonly delaySeconds?: number | undefined;
  readonly groupId?: string | undefined;
  readonly deduplicationId?: string | undefined;
  readonly traceHeader?: string | undefined;
  readonly senderId: string;
}

export interface ReceiveOptions {
  readonly max: number;
  readonly waitMs: number;
  readonly visibilityMs?: number | undefined;
  /** Ends the wait early with nothing. */
  readonly signal?: AbortSignal | undefined;
}

export interface MoveTask {
  readonly TaskHandle: string;
  readonly SourceArn: string;
  readonly Status: 'COMPLETED';
  /** ms since 1970. */
  readonly StartedTimestamp: number;
  readonly moved: number;
}

/** FIFO queues forget a deduplication id after five minutes. */
const DEDUPLICATION_MS = 5 * 60_000;

/** One queue. All times are taken from the wall clock when asked: no timer runs while nobody waits for a message. */
export class Queue {
  readonly name: string;
  readonly arn: string;
  readonly settings: QueueSettings;
  readonly created = Date.now();
  /** Moves out of this dead-letter queue, newest first. */
  readonly moves: MoveTask[] = [];
  readonly #redrive: (message: Message) => void;
  readonly #messages: Message[] = [];
  readonly #waiters = new Set<() => void>();
  readonly #recent = new Map<string, { id: string; sequence: string | null; at: number }>();
  #sequence = 18849496460467696128n;

  constructor(name: string, arn: string, settings: QueueSettings, redrive: (message: Message) => void) {
    this.name = name;
    this.arn = arn;
    this.settings = settings;
    this.#redrive = redrive;
  }

  send(message: NewMessage): Message {
    const { fifo } = this.settings;
    if (fifo && message.groupId === undefined)
      throw new ServiceError('MissingParameter', 'The request must contain the parameter MessageGroupId.');
    const deduplicationId = fifo ? this.#deduplicationId(message) : null;
    const before = deduplicationId === null ? undefined : this.#recent.get(deduplicationId);
    const now = Date.now();
    const duplicate = before !== undefined && now - before.at < DEDUPLICATION_MS;
    const delay = message.delaySeconds ?? this.settings.delaySeconds;
    const added: Message = {
      id: duplicate ? before.id : randomUUID(),
      body: message.body,
      md5OfBody: md5(message.body),
      attributes: message.attributes ?? {},
      md5OfAttributes: md5OfAttributes(message.attributes ?? {}),
      sentAt: now,
      senderId: message.senderId,
      traceHeader: message.traceHeader ?? null,
      groupId: message.groupId ?? null,
      deduplicationId,
      sequence: duplicate ? before.sequence : fifo ? String(++this.#sequence) : null,
      deadLetterSource: null,
      visibleAt: now + delay * 1000,
      firstReceivedAt: null,
      receiveCount: 0,
      receiptHandle: null,
    };
    if (duplicate) return added;
    if (deduplicationId !== null) this.#recent.set(deduplicationId, { id: added.id, sequence: added.sequence, at: now });
    this.#add(added);
    return added;
  }

  /** Takes a message that another queue gave up on: same id, so that its way can be followed. */
  accept(message: Message, from: string): void {
    this.#add({
      ...message,
      deadLetterSource: from,
      visibleAt: Date.now(),
      receiptHandle: null,
      receiveCount: 0,
      firstReceivedAt: null,
    });
  }

  /** Up to `max` messages, waiting up to `waitMs` for the first. Throws only on a programming error. */
  async receive(options: ReceiveOptions): Promise<Message[]> {
    const until = Date.now() + options.waitMs;
    for (;;) {
      const taken = this.#take(options);
      const left = until - Date.now();
      if (taken.length > 0 || left <= 0 || options.signal?.aborted === true) return taken;
      await this.#wait(Math.min(left, this.#untilVisible()), options.signal);
    }
  }

  /** Deletes by receipt handle. A handle of an older receive still deletes a standard queue's message, as on AWS. */
  delete(receiptHandle: string): void {
    const id = receiptHandle.split('#')[0];
    const index = this.#messages.findIndex((one) => one.receiptHandle === receiptHandle || one.id === id);
    if (index >= 0) this.#messages.splice(index, 1);
    // In a FIFO queue the next message of the group may become receivable by this.
    if (this.settings.fifo) this.#wake();
  }

  changeVisibility(receiptHandle: string, seconds: number): void {
    const message = this.#messages.find((one) => one.receiptHandle === receiptHandle);
    if (message === undefined)
      throw new ServiceError(
        'ReceiptHandleIsInvalid',
        `The input receipt handle ${receiptHandle} is not a valid receipt handle.`,
      );
    message.visibleAt = Date.now() + seconds * 1000;
    this.#wake();
  }

  purge(): void {
    this.#messages.length = 0;
  }

  /** Takes out every message that can be received now. */
  takeAll(): Message[] {
    const now = Date.now();
    const taken = this.#messages.filter((one) => one.visibleAt <= now);
    for (const one of taken) this.#messages.splice(this.#messages.indexOf(one), 1);
    return taken;
  }

  counts(): { visible: number; inFlight: number; delayed: number } {
    const now = Date.now();
    const hidden = this.#messages.filter((one) => one.visibleAt > now);
    const inFlight = hidden.filter((one) => one.receiptHandle !== null).length;
    return { visible: this.#messages.length - hidden.length, inFlight, delayed: hidden.length - inFlight };
  }

  /** Messages in any state. */
  get length(): number {
    return this.#messages.length;
  }

  #deduplicationId(message: NewMessage): string {
    if (message.deduplicationId !== undefined) return message.deduplicationId;
    if (this.settings.contentBasedDeduplication) return md5(message.body);
    throw new ServiceError(
      'InvalidParameterValue',
      'The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly',
    );
  }

  #add(message: Message): void {
    this.#messages.push(message);
    this.#wake();
  }

  #take(options: ReceiveOptions): Message[] {
    const now = Date.now();
    const taken: Message[] = [];
    const { redrive, fifo, visibilityTimeoutSeconds } = this.settings;
    const blocked = new Set(
      fifo ? this.#messages.filter((one) => one.receiptHandle !== null && one.visibleAt > now).map((one) => one.groupId) : [],
    );
    for (const message of [...this.#messages]) {
      if (taken.length === options.max) break;
      if (message.visibleAt > now || (fifo && blocked.has(message.groupId))) continue;
      if (redrive !== null && message.receiveCount >= redrive.maxReceiveCount) {
        this.#messages.splice(this.#messages.indexOf(message), 1);
        this.#redrive(message);
        continue;
      }
      message.receiveCount++;
      message.firstReceivedAt ??= now;
      message.receiptHandle = `${message.id}#${randomUUID()}`;
      message.visibleAt = now + (options.visibilityMs ?? visibilityTimeoutSeconds * 1000);
      taken.push(message);
    }
    return taken;
  }

  /** Time until a hidden message shows again, in ms. */
  #untilVisible(): number {
    const now = Date.now();
    const next = this.#messages.reduce(
      (least, one) => (one.visibleAt > now ? Math.min(least, one.visibleAt) : least),
      now + 20_000,
    );
    return Math.max(1, next - now);
  }

  #wait(ms: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const finish = () => {
        clearTimeout(timer);
        this.#waiters.delete(finish);
        signal?.removeEventListener('abort', finish);
        resolve();
      };
      const timer = setTimeout(finish, ms);
      this.#waiters.add(finish);
      signal?.addEventListener('abort', finish);
    });
  }

  #wake(): void {
    for (const waiter of [...this.#waiters]) waiter();
  }
}
