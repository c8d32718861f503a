import { setTimeout as sleep } from 'node:timers/promises';
import type { Capture } from './capture.ts';
import { nowMicros } from './clock.ts';
import type { ExtensionEvent } from './extension-api.ts';
import { log } from './log.ts';

type InvokeEvent = Extract<ExtensionEvent, { eventType: 'INVOKE' }>;

/** How often the runtime is looked after while a request runs, in ms. */
const LOOK_MS = 50;
/** A SHUTDOWN leaves 2 s in all; this much of it for shipping. */
const SHUTDOWN_MS = 1500;
/** How long the word of a runtime under the shim may be on its way, in ms: a process may be interrupted between a call and its report. */
const PATIENCE_MS = 300;
/** Nothing was heard for so long, in ms, after something was lost: that may have been the end of the request. */
const DEAF_MS = 1000;

/**
 * Settles when a request is over and its records have left, or could not in time: only then may the extension ask for the
 * next event, for the environment may freeze at once.
 */
export async function finishRequest(capture: Capture, event: InvokeEvent): Promise<void> {
  const rest = capture.watch();
  try {
    await ((await isHeard(capture, event)) ? follow(capture, event) : followUnheard(capture, event));
  } finally {
    rest();
  }
}

async function follow(capture: Capture, event: InvokeEvent): Promise<void> {
  const { invocations, recorder, shipper, tap } = capture;
  const over = new AbortController();
  const outcome = await Promise.race([
    invocations.finished(event.requestId).then(() => 'done' as const),
    sleep(Math.max(0, event.deadlineMs - Date.now()), 'timeout' as const, { signal: over.signal }),
    untilGone(capture, over.signal),
    untilDeaf(capture, over.signal),
  ]).finally(() => over.abort());
  if (outcome === 'timeout' || outcome === 'crash') {
    recorder.drain();
    tap.settle(nowMicros());
    invocations.fail(event.requestId, outcome);
  }
  // Nor was its beginning heard.
  if (outcome === 'deaf' && !recorder.active.has(event.requestId)) begin(capture, event);
  // After a crash or at the deadline the platform resets the environment: nothing may wait any more.
  if (outcome === 'done') await capture.shipAfterRequest(shipper.budgetMs);
  else await capture.ship(shipper.budgetMs);
}

/** Ends the record of this instance. `reason` is the platform's word: spindown, timeout, failure. */
export async function finishInstance(capture: Capture, reason: string, deadlineMs: number): Promise<void> {
  const { invocations, recorder, shipper } = capture;
  recorder.drain();
  for (const req of [...recorder.active.keys()]) invocations.fail(req, reason === 'timeout' ? 'timeout' : 'crash');
  capture.endConnections();
  await capture.closeNetwork();
  recorder.shutdown(reason);
  const left = deadlineMs - Date.now() - 200;
  const complete = await capture.ship(Math.max(100, Math.min(SHUTDOWN_MS, left)));
  capture.ended();
  if (!complete) log(`${shipper.backlogBytes} bytes of records were lost at shutdown (${reason})`);
}

async function untilGone({ runtime }: Capture, signal: AbortSignal): Promise<'crash'> {
  // Twice, so that what it said last has come through.
  for (let missed = 0; missed < 2; ) {
    await sleep(LOOK_MS, undefined, { signal });
    missed = runtime.gone ? missed + 1 : 0;
  }
  return 'crash';
}

/**
 * What the tap tells can get lost, the end of a request too. Waiting on would hold up the function's environment until its
 * deadline; not to wait costs at most that the rest of this request leaves with the next.
 */
async function untilDeaf(capture: Capture, signal: AbortSignal): Promise<'deaf'> {
  const { recorder, lossesBefore } = capture;
  for (let heard = -1; ; heard = recorder.recorded) {
    await sleep(DEAF_MS, undefined, { signal });
    if (capture.losses > lossesBefore && recorder.recorded === heard) return 'deaf';
  }
}

/** Whether it will be told when this request ends. A runtime asks for work before any request is announced. */
async function isHeard(capture: Capture, { requestId }: InvokeEvent): Promise<boolean> {
  const { speakers, recorder, invocations } = capture;
  recorder.drain();
  // There is a new one, so any before it is over, also if that was not heard.
  for (const req of [...recorder.active.keys()]) if (req !== requestId && speakers.heard) invocations.lose(req);
  for (const until = Date.now() + PATIENCE_MS; !speakers.heard && capture.shimmed && Date.now() < until; ) {
    await sleep(LOOK_MS / 5);
    recorder.drain();
  }
  speakers.announced(requestId, nowMicros());
  return speakers.heard;
}

/**
 * A runtime that is not heard (no wrapper): nobody tells when a request ends, so nothing waits for it. It is taken to last until
 * the next one, and its records leave with that, or as they age.
 */
async function followUnheard(capture: Capture, event: InvokeEvent): Promise<void> {
  const { recorder, shipper } = capture;
  for (const req of [...recorder.active.keys()]) recorder.done(req);
  recorder.cut();
  begin(capture, event);
  await capture.ship(shipper.budgetMs);
}

/** With what the platform tells the extension of a request: all but the event. */
function begin({ invocations }: Capture, { requestId, deadlineMs, invokedFunctionArn, tracing }: InvokeEvent): void {
  const known = { reqId: requestId, deadlineMs, fnArn: invokedFunctionArn, traceId: tracing?.value };
  invocations.begun({}, { ...known, event: { bytes: 0 }, body: undefined }, nowMicros());
}
