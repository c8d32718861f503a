import { encodeLines, type SegmentHeaderFields } from '../record/codec.ts';
import { segmentDigest, segmentKey } from '../record/key.ts';
import type { Capabilities, GapObservation, InstanceId } from '../record/types.ts';
import { log } from './log.ts';
import type { Batch, BatchSink } from './recorder.ts';

/** Where segments are kept. */
export interface SegmentStore {
  /**
   * Stores under a key that must not exist yet. `taken`: something is there already.
   * @throws StoreRefusal when trying again at once cannot help; any other error may pass
   */
  putNew(key: string, bytes: Uint8Array, signal: AbortSignal): Promise<'stored' | 'taken'>;
}

/** The store said no, and will say so again: permissions, a bucket that does not exist. */
export class StoreRefusal extends Error {
  override readonly name = 'StoreRefusal';
}

export interface ShipperOptions {
  /** Called once, when there is something to ship: loading the S3 client costs too much to do it before. */
  readonly store: () => Promise<SegmentStore>;
  readonly fn: string;
  readonly version: string;
  readonly caps: () => Capabilities;
  /** Everything up to this record is stored. */
  readonly onStored?: (instanceId: InstanceId, last: number) => void;
  readonly onLost: (why: GapObservation['why'], lost: number, detail: string) => void;
}

/** Raw bytes that waiting batches are put together to: fewer, larger segments when there is a backlog. */
const SEGMENT_BYTES = 2 * 1024 * 1024;
const SEGMENT_RECORDS = 50_000;
const ATTEMPT_MS = 1000;
/** Milliseconds before trying again: first, and at most. */
const BACKOFF_MS = [25, 1000] as const;
/** How long a request may be held up for its segments, by the number of times it was in vain before. */
const BUDGET_MS = [2000, 500, 250] as const;

interface Segment {
  readonly key: string;
  readonly instanceId: InstanceId;
  readonly last: number;
  readonly bytes: Buffer;
  readonly rawBytes: number;
  readonly records: number;
  /** An attempt ended without an answer: it may have been stored. */
  unanswered: boolean;
}

/**
 * Sends batches as segments, one after the other, because each names the one stored before it. What cannot be sent stays
 * queued; the recorder stops filling the queue when it is too long.
 */
export class Shipper implements BatchSink {
  readonly #options: ShipperOptions;
  readonly #queue: Batch[] = [];
  #segment: Segment | undefined;
  #queuedBytes = 0;
  #chain: { readonly instanceId: InstanceId; readonly digest: string } | undefined;
  #store: Promise<SegmentStore> | undefined;
  #sending: Promise<void> | undefined;
  #deadline = Number.POSITIVE_INFINITY;
  #attempt: AbortController | undefined;
  #vain = 0;
  #failing = false;
  /** Segments stored, for the log at shutdown. */
  stored = 0;

  constructor(options: ShipperOptions) {
    this.#options = options;
  }

  get backlogBytes(): number {
    return this.#queuedBytes + (this.#segment?.rawBytes ?? 0);
  }

  get failing(): boolean {
    return this.#failing;
  }

  /** Takes a batch and starts sending at once, without anyone waiting for it. */
  enqueue(batch: Batch): void {
    this.#queue.push(batch);
    this.#queuedBytes += batch.bytes;
    this.#deadline = Number.POSITIVE_INFINITY;
    this.#start();
  }

  /** Loads what sending needs, so that the first request does not wait for it. */
  async warm(): Promise<void> {
    await this.#loadStore().catch((error: unknown) => log('starting the S3 client failed', error));
  }

  /** How long the end of a request may wait for {@link flush}: less after it was in vain. */
  get budgetMs(): number {
    return BUDGET_MS[Math.min(this.#vain, BUDGET_MS.length - 1)] ?? 250;
  }

  /**
   * Waits until everything is stored, at most `withinMs`; then stops sending altogether, because the environment is about to
   * freeze and a half-sent request would wake up to a dead connection.
   * @returns whether everything is stored
   */
  async flush(withinMs: number): Promise<boolean> {
    this.#deadline = Date.now() + withinMs;
    if (this.#segment !== undefined || this.#queue.length > 0) this.#start();
    const timer = setTimeout(() => this.#attempt?.abort(new Error('out of time')), withinMs);
    await this.#sending;
    clearTimeout(timer);
    const empty = this.#segment === undefined && this.#queue.length === 0;
    this.#vain = empty ? 0 : this.#vain + 1;
    return empty;
  }

  #start(): void {
    this.#sending ??= this.#send();
  }

  /** Sends until nothing is left or time is out. Never rejects. */
  async #send(): Promise<void> {
    // So that `#sending` is set before it is taken back below: who adds a batch must find it either running or startable.
    await null;
    try {
      await this.#sendAll();
    } catch (error) {
      log('shipping failed', error);
    } finally {
      this.#sending = undefined;
    }
  }

  async #sendAll(): Promise<void> {
    for (let failures = 0; Date.now() < this.#deadline; ) {
      this.#segment ??= this.#next();
      if (this.#segment === undefined) return;
      const outcome = await this.#try(this.#segment);
      if (outcome === 'done') {
        failures = 0;
        continue;
      }
      failures++;
      if (outcome === 'refused' && this.#deadline < Number.POSITIVE_INFINITY) return;
      const pause = Math.min(BACKOFF_MS[1], BACKOFF_MS[0] * 2 ** failures, this.#deadline - Date.now());
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, pause)));
    }
  }

  /** One attempt. `done`: stored, or given up for good and counted. */
  async #try(segment: Segment): Promise<'done' | 'failed' | 'refused'> {
    const attempt = new AbortController();
    this.#attempt = attempt;
    let timer: NodeJS.Timeout | undefined;
    let sent = false;
    try {
      const store = await orAborted(this.#loadStore(), attempt.signal);
      const limit = Math.max(1, Math.min(ATTEMPT_MS, this.#deadline - Date.now()));
      timer = setTimeout(() => attempt.abort(new Error('no answer in time')), limit);
      sent = true;
      const result = await store.putNew(segment.key, segment.bytes, attempt.signal);
      // Taken after an attempt without answer: that was us. Otherwise someone else wrote it, with this function's rights.
      if (result === 'taken' && !segment.unanswered) {
        log(`segment ${segment.key} exists already and is not ours`);
        this.#options.onLost('ship-failed', segment.records, `${segment.key} was taken`);
      } else {
        this.#chain = { instanceId: segment.instanceId, digest: segmentDigest(segment.bytes) };
        this.stored++;
      }
      this.#options.onStored?.(segment.instanceId, segment.last);
      this.#failing = false;
      this.#segment = undefined;
      return 'done';
    } catch (error) {
      if (!this.#failing) log(`storing segment ${segment.key} failed; will try again`, error);
      this.#failing = true;
      if (error instanceof StoreRefusal) return 'refused';
      segment.unanswered ||= sent;
      return 'failed';
    } finally {
      clearTimeout(timer);
      this.#attempt = undefined;
    }
  }

  /** The next batches of one instance as one segment. */
  #next(): Segment | undefined {
    const [head] = this.#queue;
    if (head === undefined) return undefined;
    const lines: string[] = [];
    let rawBytes = 0;
    for (let batch = this.#queue[0]; batch !== undefined; batch = this.#queue[0]) {
      const fits = rawBytes + batch.bytes <= SEGMENT_BYTES && lines.length + batch.lines.length <= SEGMENT_RECORDS;
      const follows = batch.instanceId === head.instanceId && batch.first === head.first + lines.length;
      if (lines.length > 0 && !(fits && follows)) break;
      for (const line of batch.lines) lines.push(line);
      rawBytes += batch.bytes;
      this.#queue.shift();
    }
    this.#queuedBytes -= rawBytes;
    const { fn, version, caps } = this.#options;
    const { instanceId, first } = head;
    const prev = this.#chain?.instanceId === instanceId ? this.#chain.digest : null;
    const fields: SegmentHeaderFields = { fn, version, instanceId, prev, caps: caps() };
    try {
      const last = first + lines.length - 1;
      const key = segmentKey({ fn, instanceId, first, last });
      const bytes = encodeLines(fields, first, lines);
      return { key, instanceId, last, bytes, rawBytes, records: lines.length, unanswered: false };
    } catch (error) {
      log('records could not be encoded', error);
      this.#options.onLost('ship-failed', lines.length, 'could not be encoded');
      return this.#next();
    }
  }

  #loadStore(): Promise<SegmentStore> {
    this.#store ??= this.#options.store().catch((error: unknown) => {
      this.#store = undefined;
      throw error;
    });
    return this.#store;
  }
}

/** Settles like the promise, or rejects as soon as the signal is given. */
function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
