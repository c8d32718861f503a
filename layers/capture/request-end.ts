import { setTimeout as sleep } from 'node:timers/promises';
import type { Capture } from './capture.ts';
import type { ExtensionEvent } from './extension-api.ts';
import { log } from './log.ts';

type InvokeEvent = Extract<ExtensionEvent, { eventType: 'INVOKE' }>;

/** How often the runtime is looked after while a request runs, in ms. */
const LOOK_MS = 50;
/** A SHUTDOWN leaves 2 s in all; this much of it for shipping. */
const SHUTDOWN_MS = 1500;

/**
 * Settles when a request is over and its records have left, or could not in time: only then may the extension ask for the
 * next event, for the environment may freeze at once.
 */
export async function finishRequest(capture: Capture, event: InvokeEvent): Promise<void> {
  const { invocations, recorder, shipper } = capture;
  if (!invocations.proxied) return followUnproxied(capture, event);
  const over = new AbortController();
  const outcome = await Promise.race([
    invocations.finished(event.requestId).then(() => 'done' as const),
    sleep(Math.max(0, event.deadlineMs - Date.now()), 'timeout' as const, { signal: over.signal }),
    untilGone(capture, over.signal),
  ]).finally(() => over.abort());
  if (outcome !== 'done') {
    recorder.drain();
    invocations.fail(event.requestId, outcome);
  }
  // After a crash or at the deadline the platform resets the environment: nothing may wait any more.
  if (outcome === 'done') await capture.shipAfterRequest(shipper.budgetMs);
  else await capture.ship(shipper.budgetMs);
}

/** Ends the record of this instance. `reason` is the platform's word: spindown, timeout, failure. */
export async function finishInstance(capture: Capture, reason: string, deadlineMs: number): Promise<void> {
  const { invocations, recorder, shipper } = capture;
  recorder.drain();
  for (const req of [...recorder.active.keys()]) invocations.fail(req, reason === 'timeout' ? 'timeout' : 'crash');
  await capture.closeNetwork();
  recorder.shutdown(reason);
  const left = deadlineMs - Date.now() - 200;
  const complete = await capture.ship(Math.max(100, Math.min(SHUTDOWN_MS, left)));
  capture.ended();
  if (!complete) log(`${shipper.backlogBytes} bytes of records were lost at shutdown (${reason})`);
}

async function untilGone({ runtime }: Capture, signal: AbortSignal): Promise<'crash'> {
  // Twice, so that what it said last has come through the proxy.
  for (let missed = 0; missed < 2; ) {
    await sleep(LOOK_MS, undefined, { signal });
    missed = runtime.gone ? missed + 1 : 0;
  }
  return 'crash';
}

/**
 * A runtime that does not go through the proxy (no wrapper): nobody tells when a request ends, so nothing waits for it. It is
 * taken to last until the next one, and its records leave with that, or as they age.
 */
async function followUnproxied(capture: Capture, event: InvokeEvent): Promise<void> {
  const { invocations, recorder, shipper } = capture;
  for (const req of [...recorder.active.keys()]) recorder.done(req);
  recorder.cut();
  invocations.begun({
    reqId: event.requestId,
    deadlineMs: event.deadlineMs,
    fnArn: event.invokedFunctionArn,
    traceId: event.tracing?.value,
    event: { bytes: 0 },
    body: undefined,
  });
  await capture.ship(shipper.budgetMs);
}
