import type { Context, SQSBatchResponse, SQSEvent } from 'aws-lambda';
import { type Store, storeFromEnvironment } from '../store/connect.ts';
import { mostReceives } from '../store/schema.ts';
import { inParallel } from '../store/table.ts';
import { GAVE_UP } from '../store/write.ts';
import { logger } from '../telemetry/emit.ts';
import { keysOf, restitchEvent } from './notification.ts';
import { stitch } from './stitch.ts';
import { Tally } from './tally.ts';

/** Segments in work at the same time: decoding holds up to 16 MB each, writing mostly waits. */
const WIDTH = 4;

let store: Store | undefined;

/**
 * Takes S3 notifications from a queue (with partial batch responses) or from S3 itself. Only messages whose segments could
 * not be stitched *now* are reported back; a segment that is damaged for good is set aside and its message done with.
 */
export async function handler(event: unknown, context?: Context): Promise<SQSBatchResponse | undefined> {
  store ??= storeFromEnvironment();
  logger.appendKeys({ requestId: context?.awsRequestId });
  return await stitchEvent(event, store);
}

export async function stitchEvent(event: unknown, store: Store): Promise<SQSBatchResponse | undefined> {
  const tally = new Tally();
  try {
    return isQueueEvent(event) ? await stitchMessages(event, store, tally) : await stitchNotification(event, store, tally);
  } finally {
    tally.publish();
  }
}

async function stitchNotification(event: unknown, store: Store, tally: Tally): Promise<undefined> {
  await inParallel(keysOf(event), WIDTH, (key) => stitchOne(key, store, tally, { again: false, restitching: false }));
  await store.writer.settle();
}

async function stitchMessages(event: SQSEvent, store: Store, tally: Tally): Promise<SQSBatchResponse> {
  const failed: string[] = [];
  const cleared: { readonly key: string; readonly counted: string | undefined }[] = [];
  await inParallel(event.Records, WIDTH, async ({ messageId, body, attributes }) => {
    // Delivered before and not acknowledged: that attempt may have written all and died before it was counted.
    const attempt = Number(attributes?.ApproximateReceiveCount ?? 1);
    const again = attempt > 1;
    if (again) tally.add({ Redelivered: 1 });
    const last = attempt >= mostReceives;
    try {
      const restitching = body.includes(restitchEvent);
      if (restitching) store.writer.forget();
      for (const key of readKeys(messageId, body)) {
        // Whoever runs out of time or memory cannot say so afterwards.
        if (last) await giveUp(key, 'its last attempt did not come to an end: out of time or memory', store);
        const { done, settled, lag, counted } = await stitchOne(key, store, tally, { again, restitching });
        if (settled && (last || (done && (restitching || lag > LATE_MS)))) cleared.push({ key, counted });
      }
    } catch (error) {
      if (last) await listDeadLetter(messageId, body, error, store);
      failed.push(messageId);
      logger.error('message given back to the queue', { messageId, error: asError(error) });
    }
  });
  try {
    await store.writer.settle();
    // Only now: whoever dies before it has counted must leave the row that tells of it.
    if (cleared.length > 0) {
      await inParallel(cleared, WIDTH, ({ key, counted }) => store.writer.clearPoison(key, counted));
      await store.writer.settle();
    }
  } catch (error) {
    logger.error('counts could not be stored: all messages given back to the queue', { error: asError(error) });
    tally.add({ FailedMessages: event.Records.length });
    return { batchItemFailures: event.Records.map(({ messageId }) => ({ itemIdentifier: messageId })) };
  }
  tally.add({ FailedMessages: failed.length });
  return { batchItemFailures: failed.map((itemIdentifier) => ({ itemIdentifier })) };
}

interface Done {
  readonly done: boolean;
  /** Nothing is left to do, also where there was nothing to stitch. */
  readonly settled: boolean;
  /** ms since the segment was written. */
  readonly lag: number;
  /** Day whose sums ought to have it, because it was in the tables before. */
  readonly counted?: string;
}

interface Delivery {
  readonly again: boolean;
  readonly restitching: boolean;
}

/** A segment that comes so long after it was written may have been given up on before, and have come back. */
const LATE_MS = 300_000;

/** Lists a segment whose message goes to the dead-letter queue, where nobody could look without taking it out. */
async function giveUp(key: string, reason: string, { writer }: Store): Promise<void> {
  await writer.putPoison({ segment: key, code: GAVE_UP, reason }, Date.now() * 1000);
}

async function listDeadLetter(messageId: string, body: string, error: unknown, store: Store): Promise<void> {
  try {
    for (const key of readKeys(messageId, body))
      await giveUp(key, `given up after ${mostReceives} attempts: ${String(error)}`, store);
  } catch (again) {
    // The message is in the dead-letter queue all the same, and counted there.
    logger.error('dead letter could not be listed', { messageId, error: asError(again) });
  }
}

async function stitchOne(key: string, store: Store, tally: Tally, { again, restitching }: Delivery): Promise<Done> {
  const outcome = await stitch(key, store.objects, store.writer, again, restitching);
  tally.segment(key, outcome, again, restitching);
  // A line for each segment would cost as much as storing it; what was done with it stands in the tables.
  if (outcome.done === 'stitched') logger.debug('segment stitched', { segment: key, ...outcome });
  else logger.warn(`segment ${outcome.done}`, { segment: key, ...outcome });
  if (outcome.done === 'stitched')
    return { done: true, settled: true, lag: outcome.lag, ...(outcome.known ? { counted: outcome.day } : {}) };
  return { done: false, settled: outcome.done !== 'set-aside', lag: 0 };
}

const asError = (error: unknown) => (error instanceof Error ? error : new Error(String(error)));

/** A body that is no JSON never will be: it is logged and done with. */
function readKeys(messageId: string, body: string): readonly string[] {
  try {
    return keysOf(JSON.parse(body));
  } catch (error) {
    logger.warn('message body is not a notification', { messageId, error: asError(error) });
    return [];
  }
}

function isQueueEvent(event: unknown): event is SQSEvent {
  const records = (event as { Records?: readonly { eventSource?: unknown; body?: unknown }[] } | null)?.Records;
  return Array.isArray(records) && records.length > 0 && records.every((record) => typeof record?.body === 'string');
}
