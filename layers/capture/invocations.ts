import type { JoinKey, RequestBeginObservation, RequestId } from '../record/types.ts';
import type { Attribution } from './attribution.ts';
import { payloadOf } from './body.ts';
import { nowMicros } from './clock.ts';
import { readEvent, requestKey } from './handover/index.ts';
import type { Recorder } from './recorder.ts';
import type { Invocation, Outcome, Speaker } from './runtime-calls.ts';

/** Characters of join keys and resources that one record has room for; more of them are counted as lost. */
const KEY_ROOM = 40 * 1024;
/** Finished requests whose INVOKE event has not come yet (at most one in practice), and results that were given. */
const REMEMBERED = 64;

export interface InvocationOptions {
  readonly recorder: Recorder;
  /** Requests run concurrently; none of them is waited for. */
  readonly managed: boolean;
  /** Which process works for which of them. */
  readonly attribution?: Attribution | undefined;
  /** The runtime waits for work. */
  readonly onAsked: () => void;
  readonly onBegun: () => void;
  /** A request is over; what it left can be shipped. */
  readonly onDone: (req: RequestId) => void;
  /** Counts what was lost of what is said of requests: without loss, what was not seen did not happen. */
  readonly losses: () => number;
}

/** Follows every request from the runtime's view, and lets the extension wait for the end of one. Times in µs since 1970. */
export class Invocations {
  readonly #options: InvocationOptions;
  readonly #waits = new Map<RequestId, PromiseWithResolvers<void>>();
  /** Results given before: a fixed one tells nothing, and would make one place in the index that every request goes to. */
  readonly #results = new Set<string>();
  /** Requests whose result nobody can be handed on: whoever asked gets it over HTTP. */
  readonly #direct = new Set<RequestId>();
  #lossesBefore = 0;

  constructor(options: InvocationOptions) {
    this.#options = options;
  }

  /** The runtime asks for work: everything it was doing is finished. */
  asked(t: number): void {
    const { recorder, managed, onAsked } = this.#options;
    for (const [req, phase] of managed ? [] : [...recorder.active]) {
      // It asks for more without having answered: the process that had the request is gone, and this is its successor.
      if (phase === 'invoke') this.fail(req, 'crash', t);
      else this.finish(req, t);
    }
    recorder.drain();
    onAsked();
  }

  begun(who: Speaker, invocation: Invocation, t: number): void {
    const { keys, resources, trigger } = readEvent(invocation.body, invocation.fnArn);
    const all = withPlatformKeys(keys, invocation);
    const kept = withinRoom(all, KEY_ROOM);
    const keptResources = withinRoom(resources, KEY_ROOM / 4);
    const lost = all.length - kept.length + resources.length - keptResources.length;
    const begin: RequestBeginObservation = {
      kind: 'request-begin',
      deadlineMs: invocation.deadlineMs,
      fnArn: invocation.fnArn || 'unknown',
      ...(invocation.traceId === undefined ? {} : { traceId: invocation.traceId }),
      event: invocation.event,
      trigger,
      keys: kept,
      resources: keptResources,
    };
    if (trigger.type === 'http' || trigger.type === 'alb') this.#direct.add(invocation.reqId);
    // It has another one, so it has asked, although that was not seen.
    if (!this.#options.managed)
      for (const req of [...this.#options.recorder.active.keys()]) if (req !== invocation.reqId) this.lose(req, t);
    this.#lossesBefore = this.#options.losses();
    this.#options.recorder.begin(invocation.reqId, { ...begin, t }, t);
    this.#options.attribution?.fetched(invocation.reqId, who, t);
    this.#options.onBegun();
    if (lost > 0) this.#options.recorder.gap('oversize', lost, 'join keys of a batch beyond what a record can hold');
  }

  ended(reqId: string, outcome: Outcome, t: number): void {
    const keys = outcome.status !== 'ok' || this.#direct.has(reqId) ? [] : this.#resultKeys(payloadOf(outcome.response));
    const handedOn = keys.length === 0 ? {} : { keys };
    this.#options.recorder.end(reqId, { kind: 'request-end', t, ...outcome, ...handedOn }, t);
    if (this.#options.managed) this.finish(reqId, t);
  }

  /** Somebody else has answered in the runtime's place, and the platform took that. */
  answered(reqId: string, outcome: Outcome, t: number): void {
    if (this.#options.recorder.active.get(reqId) === 'invoke') this.ended(reqId, outcome, t);
  }

  initFailed(outcome: Outcome, t: number): void {
    const { recorder } = this.#options;
    recorder.drain();
    recorder.observe({ kind: 'request-end', t, ...outcome });
    recorder.cut();
  }

  snapshot(): void {
    this.#options.recorder.drain();
    this.#options.recorder.cut();
  }

  restored(): void {
    this.#options.recorder.restored();
  }

  /** The request will get no answer from its runtime any more. */
  fail(reqId: RequestId, status: 'timeout' | 'crash', t: number = nowMicros()): void {
    const { recorder, losses } = this.#options;
    if (status === 'crash' && losses() > this.#lossesBefore) return void this.lose(reqId, t);
    if (recorder.active.get(reqId) === 'invoke') {
      recorder.end(reqId, { kind: 'request-end', t, status, response: { bytes: 0 } }, t);
    }
    this.finish(reqId, t);
  }

  /** Nobody knows how it ended: what would have told was lost. */
  lose(reqId: RequestId, t: number = nowMicros()): void {
    const { recorder } = this.#options;
    if (recorder.active.get(reqId) === 'invoke') recorder.gap('shim-lost', 1, `how request ${reqId} ended was not seen`);
    this.finish(reqId, t);
  }

  /** Resolves when the request is over, also when it was before this call. To be called once per INVOKE event. */
  async finished(reqId: RequestId): Promise<void> {
    await this.#wait(reqId).promise;
    this.#waits.delete(reqId);
  }

  #resultKeys(payload: string | undefined): readonly JoinKey[] {
    if (payload === undefined || this.#results.has(payload)) return [];
    this.#results.add(payload);
    const [oldest] = this.#results;
    if (this.#results.size > REMEMBERED && oldest !== undefined) this.#results.delete(oldest);
    return [{ key: `payload:${payload}`, sure: 'inferred' }];
  }

  /** The request is over. */
  finish(reqId: RequestId, t: number): void {
    this.#options.recorder.done(reqId, t);
    this.#direct.delete(reqId);
    if (!this.#options.managed) this.#wait(reqId).resolve();
    this.#options.onDone(reqId);
  }

  #wait(reqId: RequestId): PromiseWithResolvers<void> {
    let wait = this.#waits.get(reqId);
    if (wait === undefined) {
      wait = Promise.withResolvers<void>();
      this.#waits.set(reqId, wait);
      const [oldest] = this.#waits.keys();
      if (this.#waits.size > REMEMBERED && oldest !== undefined) this.#waits.delete(oldest);
    }
    return wait;
  }
}

/** The keys every request has: its own id, which an Invoke answers with, and the root of its trace. */
function withPlatformKeys(keys: readonly JoinKey[], { reqId, traceId }: Invocation): readonly JoinKey[] {
  const own: JoinKey[] = [requestKey(reqId)];
  const root = /(?:^|;)\s*Root=([\w-]{1,128})/.exec(traceId ?? '')?.[1];
  if (root !== undefined) own.push({ key: `trace:${root}`, sure: 'inferred' });
  return [...own, ...keys.filter(({ key }) => own.every((mine) => mine.key !== key))];
}

function withinRoom<T>(list: readonly T[], room: number): readonly T[] {
  let left = room;
  const end = list.findIndex((item) => {
    left -= JSON.stringify(item).length + 1;
    return left < 0;
  });
  return end < 0 ? list : list.slice(0, end);
}
