import type { SQSBatchResponse, SQSEvent } from 'aws-lambda';
import { type Store, storeFromEnvironment } from '../store/connect.ts';
import { inParallel } from '../store/table.ts';
import { keysOf, restitchEvent } from './notification.ts';
import { stitch } from './stitch.ts';

/** Segments in work at the same time: decoding holds up to 16 MB each, writing mostly waits. */
const WIDTH = 4;

let store: Store | undefined;

/**
 * Takes S3 notifications from a queue (with partial batch responses) or from S3 itself. Only messages whose segments could
 * not be stitched *now* are reported back; a segment that is damaged for good is set aside and its message done with.
 */
export async function handler(event: unknown): Promise<SQSBatchResponse | undefined> {
  store ??= storeFromEnvironment();
  return await stitchEvent(event, store);
}

export async function stitchEvent(event: unknown, store: Store): Promise<SQSBatchResponse | undefined> {
  if (!isQueueEvent(event)) {
    await inParallel(keysOf(event), WIDTH, (key) => stitchOne(key, store, false));
    await store.writer.settle();
    return undefined;
  }
  const failed: string[] = [];
  await inParallel(event.Records, WIDTH, async ({ messageId, body, attributes }) => {
    // Delivered before and not acknowledged: that attempt may have written all and died before it was counted.
    const again = Number(attributes?.ApproximateReceiveCount ?? 1) > 1;
    try {
      if (body.includes(restitchEvent)) store.writer.forget();
      for (const key of readKeys(messageId, body)) await stitchOne(key, store, again);
    } catch (error) {
      failed.push(messageId);
      log('error', { messageId, error: String(error) });
    }
  });
  try {
    await store.writer.settle();
  } catch (error) {
    log('error', { settle: String(error) });
    return { batchItemFailures: event.Records.map(({ messageId }) => ({ itemIdentifier: messageId })) };
  }
  return { batchItemFailures: failed.map((itemIdentifier) => ({ itemIdentifier })) };
}

async function stitchOne(key: string, { objects, writer }: Store, again: boolean): Promise<void> {
  const outcome = await stitch(key, objects, writer, again);
  log(outcome.done === 'stitched' ? 'info' : 'warn', { segment: key, ...outcome });
}

/** A body that is no JSON never will be: it is logged and done with. */
function readKeys(messageId: string, body: string): readonly string[] {
  try {
    return keysOf(JSON.parse(body));
  } catch (error) {
    log('warn', { messageId, ignored: `message body is not a notification: ${String(error)}` });
    return [];
  }
}

function isQueueEvent(event: unknown): event is SQSEvent {
  const records = (event as { Records?: readonly { eventSource?: unknown; body?: unknown }[] } | null)?.Records;
  return Array.isArray(records) && records.length > 0 && records.every((record) => typeof record?.body === 'string');
}

function log(level: 'info' | 'warn' | 'error', fields: object): void {
  console[level](JSON.stringify({ level, ...fields }));
}
