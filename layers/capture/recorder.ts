import { newInstanceId } from '../record/instance-id.ts';
import type { AuditRecord, GapObservation, InstanceId, Observation, Phase, ProcessId, RequestId } from '../record/types.ts';
import type { Attribution } from './attribution.ts';
import { type Batch, OpenBatch } from './batch.ts';
import { nowMicros } from './clock.ts';
import { FileLines, isOfFiles, type Place as PlaceOf } from './file-line.ts';
import { fitRecord } from './fit.ts';
import { log } from './log.ts';
import type { Redactor } from './redact.ts';

/** Where batches go. `backlogBytes`: what it holds and has not got rid of. `failing`: the last attempt to send did not succeed. */
export interface BatchSink {
  enqueue(batch: Batch): void;
  readonly backlogBytes: number;
  readonly failing: boolean;
}

/** The events of the shimmed processes. */
export interface EventSource {
  /** Hands over, one by one, what was reported since the last call. With `briefly` not all of it, if it is much. */
  read(take: (observation: Observation) => void, briefly: boolean): void;
}

export interface RecorderOptions {
  readonly ring?: EventSource | undefined;
  readonly sink: BatchSink;
  readonly redactor: Redactor;
  /** Raw bytes after which a batch is closed while a request runs. */
  readonly batchBytes?: number;
  /** Milliseconds after which it is closed in any case, while a request runs. */
  readonly batchAgeMs?: number;
  /** Sees every observation from the ring before it is recorded. */
  readonly onEvent?: (observation: Observation) => void;
  /** Tells concurrent requests apart by their processes. */
  readonly attribution?: Attribution | undefined;
  /** Called when what the ring held has been recorded: `recorded` and `dropped` may have changed. */
  readonly onDrained?: () => void;
}

/** Bounds of a batch unless the shipping strategy says otherwise: an attacker should not get long to keep it from leaving. */
export const BATCH_BYTES = 256 * 1024;
export const BATCH_AGE_MS = 1000;
/** What may wait in memory when segments cannot be stored. Beyond it new records are counted and dropped: the oldest tell how it began. */
const BUFFER_BYTES = 8 * 1024 * 1024;
/** Room above it that is kept for request boundaries and gaps. */
const RESERVE_BYTES = 1024 * 1024;

/** Requests remembered for exchanges that are reported when they have long ended. */
const HISTORY = 64;

/** µs by which the beginning of an exchange may be too early: the network proxy knows it in whole milliseconds. */
const CLOCK_STEP = 1000;

type Place = PlaceOf<RequestId | null, Phase>;
const REQUEST_ID = /^[!#-[\]-~]{1,128}$/;

function placeOf(req: RequestId | null, phase: Phase): Place {
  const name = req === null ? 'null' : REQUEST_ID.test(req) ? `"${req}"` : undefined;
  return { req, phase, text: name && `"req":${name},"phase":"${phase}"` };
}
/** Processes of init that a request's record names at the most. */
const RUNTIME_TOLD = 16;

/** When a request ran, in µs since 1970. */
interface Span {
  readonly req: RequestId;
  readonly begun: number;
  answered: number;
  done: number;
}

/** Puts every observation in its place (number, request, phase) and hands closed batches on. Never throws into its callers. */
export class Recorder {
  #instanceId: InstanceId = newInstanceId();
  #seq = 0;
  readonly #batch = new OpenBatch();
  readonly #files: FileLines;
  #phase: Phase = 'init';
  /** Place of what happens now, where nothing else decides; undefined when it has to be found anew. */
  #here: Place | undefined;
  readonly #active = new Map<RequestId, 'invoke' | 'after'>();
  readonly #history: Span[] = [];
  #firstBegun = Number.POSITIVE_INFINITY;
  #draining = false;
  /** Processes that started during init and have not ended. */
  readonly #runtime = new Set<ProcessId>();
  readonly #lost = new Map<GapObservation['why'], { lost: number; detail: string | undefined }>();
  readonly #options: RecorderOptions;
  readonly #batchBytes: number;
  readonly #batchAgeMs: number;

  constructor(options: RecorderOptions) {
    this.#options = options;
    this.#files = new FileLines((path) => options.redactor.name(path));
    this.#batchBytes = options.batchBytes ?? BATCH_BYTES;
    this.#batchAgeMs = options.batchAgeMs ?? BATCH_AGE_MS;
  }

  /** Events that a full ring dropped and that a gap tells of. */
  dropped = 0;

  /** Records made so far, of this instance id. */
  get recorded(): number {
    return this.#seq;
  }

  get instanceId(): InstanceId {
    return this.#instanceId;
  }

  /** Requests that have begun and are not done. */
  get active(): ReadonlyMap<RequestId, 'invoke' | 'after'> {
    return this.#active;
  }

  /** Records what shimmed processes have reported since. Called at every boundary, so that each event falls on its right side. */
  drain(briefly = false): void {
    // What is read may be that a request begins or ends: what came before it is recorded then, and what comes after must wait.
    if (this.#options.ring === undefined || this.#draining) return;
    this.#draining = true;
    try {
      this.#options.ring.read(this.#take, briefly);
    } catch (error) {
      log('reading the event ring failed', error);
      this.gap('ring-damaged', 0, String(error));
    } finally {
      this.#draining = false;
    }
    this.#options.onDrained?.();
  }

  readonly #take = (event: Observation): void => {
    const { onEvent, attribution } = this.#options;
    if (event.kind === 'gap' && event.why === 'ring-full') this.dropped += event.lost;
    onEvent?.(event);
    attribution?.learn(event);
    this.observe(event);
  };

  /** Records one observation in the place where the instance is now, or as one that was made when `req` had just ended. */
  observe(observation: Observation, req?: RequestId): void {
    const { proc } = observation;
    if (observation.kind === 'process-start' && proc !== undefined && this.#phase === 'init') this.#runtime.add(proc);
    else if (observation.kind === 'process-exit' && proc !== undefined && observation.child === undefined)
      this.#runtime.delete(proc);
    this.#write(observation, req === undefined ? this.#placeOf(observation) : placeOf(req, 'after'));
  }

  /** A request begins: what came before it belongs to the time before. `begun`: when, in µs since 1970. */
  begin(req: RequestId, observation: Observation, begun: number = nowMicros()): void {
    this.drain();
    this.#active.set(req, 'invoke');
    this.#here = undefined;
    this.#firstBegun = Math.min(this.#firstBegun, begun);
    this.#history.push({ req, begun, answered: Number.POSITIVE_INFINITY, done: Number.POSITIVE_INFINITY });
    if (this.#history.length > HISTORY) this.#history.shift();
    const known = this.#runtime.size > 0 && this.#runtime.size <= RUNTIME_TOLD;
    const told = known ? ({ ...observation, runtime: [...this.#runtime] } as Observation) : observation;
    this.#write(told, placeOf(req, 'invoke'), true);
  }

  /** Its answer is out (or it failed); what it still does is recorded as phase `after`. */
  end(req: RequestId, observation: Observation, answered: number = nowMicros()): void {
    this.drain();
    this.#write(observation, placeOf(req, this.#active.get(req) ?? this.#phase), true);
    if (!this.#active.has(req)) return;
    this.#active.set(req, 'after');
    this.#here = undefined;
    const span = this.#history.findLast((past) => past.req === req);
    if (span !== undefined) span.answered = answered;
  }

  /** The runtime has asked for the next request: nothing more belongs to this one. */
  done(req: RequestId, t: number = nowMicros()): void {
    this.drain();
    if (!this.#active.delete(req)) return;
    this.#here = undefined;
    this.#options.attribution?.done(req, t);
    const span = this.#history.findLast((past) => past.req === req);
    if (span !== undefined) span.done = t;
    this.#phase = 'idle';
  }

  /** A snapshot was restored: from here on this is another instance, numbered anew. */
  restored(): void {
    this.drain();
    this.cut();
    const previous = this.#instanceId;
    this.#instanceId = newInstanceId();
    this.#seq = 0;
    this.#runtime.clear();
    this.observe({ kind: 'restore', t: nowMicros(), previous });
  }

  shutdown(reason: string): void {
    this.drain();
    this.#phase = 'shutdown';
    this.#here = undefined;
    this.#write({ kind: 'shutdown', t: nowMicros(), reason }, placeOf(null, 'shutdown'), true);
    this.cut();
  }

  /** Counts a loss; it becomes a record with the next batch. */
  gap(why: GapObservation['why'], lost: number, detail?: string): void {
    const sum = this.#lost.get(why);
    this.#lost.set(why, { lost: (sum?.lost ?? 0) + lost, detail: sum?.detail ?? detail });
  }

  /** Closes the batch if it is old enough. Never takes long: what the function says to the platform may be waiting behind it. */
  tick(): void {
    this.drain(true);
    if (this.#batch.records > 0 && Date.now() - this.#batch.since >= this.#batchAgeMs) this.cut();
  }

  /** Closes the batch and hands it to the sink. */
  cut(): void {
    const lost = [...this.#lost];
    this.#lost.clear();
    for (const [why, { lost: count, detail }] of lost) {
      const gap: Observation = { kind: 'gap', t: nowMicros(), why, lost: count, ...(detail === undefined ? {} : { detail }) };
      this.#write(gap, this.#placeOf(gap), true);
    }
    this.#hand();
  }

  #hand(): void {
    const { records } = this.#batch;
    if (records === 0) return;
    const body = this.#batch.take();
    this.#options.sink.enqueue({ instanceId: this.#instanceId, first: this.#seq - records, records, body });
  }

  /** Two requests at once, and nothing says which one it was: then none is named rather than the wrong one. */
  #placeOf(observation: Observation): Place {
    const late = observation.kind === 'exchange' || observation.kind === 'tunnel' ? observation.from : undefined;
    const known = this.#attributed(observation.proc, late);
    if (known !== undefined) return known;
    if (late !== undefined) return this.#placeAt(late);
    this.#here ??= this.#placeNow();
    return this.#here;
  }

  #placeNow(): Place {
    if (this.#active.size === 0) return placeOf(null, this.#phase);
    const [only] = this.#active;
    if (only !== undefined && this.#active.size === 1) return placeOf(...only);
    return placeOf(null, [...this.#active.values()].includes('invoke') ? 'invoke' : 'after');
  }

  /** Requests run at once, but this process works for one of them. */
  #attributed(proc: ProcessId | undefined, t: number | undefined): Place | undefined {
    const { attribution } = this.#options;
    if (proc === undefined || attribution === undefined) return undefined;
    const req = attribution.requestOf(proc, t);
    return req === undefined ? undefined : placeOf(req, this.#active.get(req) ?? 'after');
  }

  /** Exchanges are reported when they are over; they belong to the request in which they began. */
  #placeAt(t: number): Place {
    const during = (early: number): Span[] => this.#history.filter((span) => span.begun - early <= t && t < span.done);
    let [span, another] = during(0);
    if (span === undefined) [span, another] = during(CLOCK_STEP);
    if (another !== undefined) return placeOf(null, 'invoke');
    if (span !== undefined) return placeOf(span.req, t < span.answered ? 'invoke' : 'after');
    if (this.#phase === 'shutdown') return placeOf(null, 'shutdown');
    return placeOf(null, t < this.#firstBegun ? 'init' : 'idle');
  }

  #write(observation: Observation, place: Place, reserved = false): void {
    if (observation.kind === 'file-close' && this.#batch.join(observation, place.text)) return;
    const { sink } = this.#options;
    if (this.#batch.bytes + sink.backlogBytes > BUFFER_BYTES + (reserved ? RESERVE_BYTES : 0)) {
      if (observation.kind === 'gap') this.gap(observation.why, observation.lost, observation.detail);
      else this.gap(sink.failing ? 'ship-failed' : 'buffer-full', 1);
      return;
    }
    const plain =
      isOfFiles(observation) && place.text !== undefined ? this.#files.line(this.#seq, place.text, observation) : undefined;
    const line = plain ?? this.#fitted(observation, place);
    if (line === undefined) return;
    this.#seq++;
    this.#batch.add(line);
    if (plain !== undefined && observation.kind === 'file-open') this.#batch.opened(observation, place.text);
    if (this.#batch.bytes >= this.#batchBytes) this.#hand();
  }

  #fitted(observation: Observation, { req, phase }: Place): string | undefined {
    const record: AuditRecord = { seq: this.#seq, req, phase, ...this.#options.redactor.observation(observation) };
    const fitted = fitRecord(record);
    if (fitted.line === undefined) {
      this.gap('oversize', 1, fitted.problem);
      return undefined;
    }
    if (fitted.shortened) this.gap('oversize', 0, `${observation.kind} record shortened`);
    return fitted.line;
  }
}
