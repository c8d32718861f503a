import type { Context, SQSBatchResponse, SQSEvent } from 'aws-lambda';
import { type Store, storeFromEnvironment } from '../store/connect.ts';
import { inParallel } from '../store/table.ts';
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
  await inParallel(event.Records, WIDTH, async ({ messageId, body, attributes }) => {
    // Delivered before and not acknowledged: that attempt may have written all and died before it was counted.
    const again = Number(attributes?.ApproximateReceiveCount ?? 1) > 1;
    if (again) tally.add({ Redelivered: 1 });
    try {
      const restitching = body.includes(restitchEvent);
      if (restitching) store.writer.forget();
      for (const key of readKeys(messageId, body)) {
        const stitched = await stitchOne(key, store, tally, { again, restitching });
        if (stitched && restitching) await store.writer.clearPoison(key);
      }
    } catch (error) {
      failed.push(messageId);
      logger.error('message given back to the queue', { messageId, error: asError(error) });
    }
  });
  try {
    await store.writer.settle();
  } catch (error) {
    logger.error('counts could not be stored: all messages given back to the queue', { error: asError(error) });
    tally.add({ FailedMessages: event.Records.length });
    return { batchItemFailures: event.Records.map(({ messageId }) => ({ itemIdentifier: messageId })) };
  }
  tally.add({ FailedMessages: failed.length });
  return { batchItemFailures: failed.map((itemIdentifier) => ({ itemIdentifier })) };
}

interface Delivery {
  readonly again: boolean;
  readonly restitching: boolean;
}

async function stitchOne(key: string, store: Store, tally: Tally, { again, restitching }: Delivery): Promise<boolean> {
  const outcome = await stitch(key, store.objects, store.writer, again);
  tally.segment(key, outcome, again, restitching);
  // A line for each segment would cost as much as storing it; what was done with it stands in the tables.
  if (outcome.done === 'stitched') logger.debug('segment stitched', { segment: key, ...outcome });
  else logger.warn(`segment ${outcome.done}`, { segment: key, ...outcome });
  return outcome.done === 'stitched';
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
