import { BOUNDS } from '../record/bounds.ts';
import { encodeLines, type SegmentHeaderFields } from '../record/codec.ts';
import { segmentDigest, segmentKey } from '../record/key.ts';
import type { Capabilities, GapObservation, InstanceId } from '../record/types.ts';
import type { Batch } from './batch.ts';
import { log } from './log.ts';
import type { BatchSink } from './recorder.ts';

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
  readonly store: SegmentStore;
  readonly fn: string;
  readonly version: string;
  readonly caps: () => Capabilities;
  /** Everything up to this record is stored. */
  readonly onStored?: (instanceId: InstanceId, last: number) => void;
  readonly onLost: (why: GapObservation['why'], lost: number, detail: string) => void;
}

/** Raw bytes that waiting batches are put together to: fewer, larger segments when there is a backlog. */
const SEGMENT_BYTES = 2 * 1024 * 1024;
const SEGMENT_RECORDS = BOUNDS.records / 2;
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
  readonly records: number;
  /** An attempt ended without an answer: it may have been stored. */
  unanswered: boolean;
}

/**
 * Sends batches as segments, one after the other, because each names the one before it. What cannot be sent at once waits, compressed
 * as soon as it would fill a segment; the recorder stops filling the queue when it is too long.
 */
export class Shipper implements BatchSink {
  readonly #options: ShipperOptions;
  readonly #batches: Batch[] = [];
  readonly #segments: Segment[] = [];
  #batchBytes = 0;
  #segmentBytes = 0;
  #chain: { readonly instanceId: InstanceId; readonly digest: string } | undefined;
  #sending: Promise<void> | undefined;
  #deadline = Number.POSITIVE_INFINITY;
  /** Calls of {@link flush} that wait: what is enqueued meanwhile does not give them more time. */
  #waiting = 0;
  #attempt: AbortController | undefined;
  #vain = 0;
  #failing = false;
  /** Segments stored, for the log at shutdown. */
  stored = 0;

  constructor(options: ShipperOptions) {
    this.#options = options;
  }

  get backlogBytes(): number {
    return this.#batchBytes + this.#segmentBytes;
  }

  get failing(): boolean {
    return this.#failing;
  }

  /** Takes a batch and starts sending at once, without anyone waiting for it. */
  enqueue(batch: Batch): void {
    this.#batches.push(batch);
    this.#batchBytes += batch.body.length;
    while (this.#batchBytes >= SEGMENT_BYTES) this.#seal();
    if (this.#waiting === 0) this.#deadline = Number.POSITIVE_INFINITY;
    this.#start();
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
    if (!this.#empty) this.#start();
    const timer = setTimeout(() => this.#attempt?.abort(new Error('out of time')), withinMs);
    this.#waiting++;
    await this.#sending;
    this.#waiting--;
    clearTimeout(timer);
    this.#vain = this.#empty ? 0 : this.#vain + 1;
    return this.#empty;
  }

  get #empty(): boolean {
    return this.#segments.length === 0 && this.#batches.length === 0;
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
      while (this.#segments.length === 0 && this.#batches.length > 0) this.#seal();
      const [segment] = this.#segments;
      if (segment === undefined) return;
      const outcome = await this.#try(segment);
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
    try {
      const limit = Math.max(1, Math.min(ATTEMPT_MS, this.#deadline - Date.now()));
      timer = setTimeout(() => attempt.abort(new Error('no answer in time')), limit);
      const { store } = this.#options;
      // Whatever the store does with the signal, nobody waits for it any longer.
      const result = await Promise.race([store.putNew(segment.key, segment.bytes, attempt.signal), aborted(attempt.signal)]);
      // Taken after an attempt without answer: that was us. Otherwise someone else wrote it, with this function's rights.
      if (result === 'taken' && !segment.unanswered) {
        log(`segment ${segment.key} exists already and is not ours`);
        this.#options.onLost('ship-failed', segment.records, `${segment.key} was taken`);
      } else {
        this.stored++;
      }
      this.#options.onStored?.(segment.instanceId, segment.last);
      this.#failing = false;
      this.#segments.shift();
      this.#segmentBytes -= segment.bytes.length;
      return 'done';
    } catch (error) {
      if (!this.#failing) log(`storing segment ${segment.key} failed; will try again`, error);
      this.#failing = true;
      if (error instanceof StoreRefusal) return 'refused';
      segment.unanswered = true;
      return 'failed';
    } finally {
      clearTimeout(timer);
      this.#attempt = undefined;
    }
  }

  /** The next batches of one instance as one segment. It names its predecessor before that is stored: segments are never dropped. */
  #seal(): void {
    const [head] = this.#batches;
    if (head === undefined) return;
    const bodies: Buffer[] = [];
    let bytes = 0;
    let records = 0;
    for (let batch = this.#batches[0]; batch !== undefined; batch = this.#batches[0]) {
      const fits = bytes + batch.body.length <= SEGMENT_BYTES && records + batch.records <= SEGMENT_RECORDS;
      const follows = batch.instanceId === head.instanceId && batch.first === head.first + records;
      if (bodies.length > 0 && !(fits && follows)) break;
      bodies.push(batch.body);
      bytes += batch.body.length;
      records += batch.records;
      this.#batches.shift();
    }
    this.#batchBytes -= bytes;
    const { fn, version, caps } = this.#options;
    const { instanceId, first } = head;
    const prev = this.#chain?.instanceId === instanceId ? this.#chain.digest : null;
    const fields: SegmentHeaderFields = { fn, version, instanceId, prev, caps: caps() };
    try {
      const last = first + records - 1;
      const key = segmentKey({ fn, instanceId, first, last });
      const segment = encodeLines(fields, first, records, bodies);
      this.#chain = { instanceId, digest: segmentDigest(segment) };
      this.#segments.push({ key, instanceId, last, bytes: segment, records, unanswered: false });
      this.#segmentBytes += segment.length;
    } catch (error) {
      log('records could not be encoded', error);
      this.#options.onLost('ship-failed', records, 'could not be encoded');
    }
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));
}
