import { GetObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { decodeKey } from '../stitcher/notification.ts';
import { type Store, storeFromEnvironment } from '../store/connect.ts';
import { s3Client } from '../store/objects.ts';
import type { Heard } from '../store/testimony.ts';
import { emit, logger, nonZero } from '../telemetry/emit.ts';
import { readAccessLog } from './access-log.ts';
import { readCloudTrail, readTrailRecords } from './cloudtrail.ts';
import { unpackLogs } from './log-delivery.ts';
import { readPlatformLog } from './platform-log.ts';

/** CloudTrail cuts its files at 50 MB unpacked; what is much larger is none of them. */
const FILE_MOST = 64 * 1024 * 1024;

let store: Store | undefined;
let s3: S3Client | undefined;

/**
 * Takes what others than the audited instances say: log lines from subscription filters of CloudWatch Logs, log files of
 * CloudTrail that S3 announces, and events of CloudTrail that EventBridge passes on.
 * @throws StoreError, errors of S3: to be called again. What can never be read is set aside.
 */
export async function handler(event: unknown): Promise<void> {
  store ??= storeFromEnvironment();
  s3 ??= s3Client();
  await hear(event, store, s3);
}

export async function hear(event: unknown, store: Store, s3: Pick<S3Client, 'send'>): Promise<void> {
  const { awslogs, detail, Records } = (event ?? {}) as {
    readonly awslogs?: { readonly data?: unknown };
    readonly detail?: unknown;
    readonly Records?: readonly {
      readonly s3?: { readonly bucket?: { readonly name?: unknown }; readonly object?: { readonly key?: unknown } };
    }[];
  };
  if (typeof awslogs?.data === 'string') await take('log delivery', '', store, () => readLogs(String(awslogs.data)));
  else if (detail !== undefined) await take('event', '', store, () => readTrailRecords([detail]));
  else if (Array.isArray(Records)) {
    for (const record of Records) {
      const [bucket, key] = [record.s3?.bucket?.name, record.s3?.object?.key];
      if (typeof bucket !== 'string' || typeof key !== 'string') continue;
      const path = decodeKey(key);
      // Digest files, insights and whatever else lies in the bucket.
      if (!/\/CloudTrail\/.*\.json\.gz$/.test(path)) continue;
      const bytes = await fetchFile(s3, bucket, path);
      await take('log file', `s3://${bucket}/${path}`, store, () => readCloudTrail(bytes));
    }
  }
}

function readLogs(data: string): Heard {
  const delivery = unpackLogs(data);
  if (delivery.fn !== undefined) return readPlatformLog(delivery.fn, delivery);
  const heard = readAccessLog(delivery.lines.map(({ message }) => message));
  return { ...heard, unread: heard.unread + delivery.unread };
}

/** @param what kind of source, by which losses are counted. @param where which one of them */
async function take(what: string, where: string, { witnesses, writer }: Store, read: () => Heard): Promise<void> {
  const source = where === '' ? what : where;
  let heard: Heard;
  try {
    heard = read();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    logger.warn('testimony set aside', { source, reason });
    emit({ TestimoniesUnread: 1 });
    await writer.putPoison({ segment: `witness/${new Date().toISOString()}/${source}`, code: 'witness', reason }, now());
    await witnesses.lose(what, 1, now());
    return;
  }
  await witnesses.put(heard.testimonies, now());
  if (heard.unread > 0) await witnesses.lose(what, heard.unread, now());
  logger[heard.unread > 0 ? 'warn' : 'info']('heard', { source, testimonies: heard.testimonies.length, unread: heard.unread });
  emit(nonZero({ TestimoniesUnread: heard.unread }));
}

const now = () => Date.now() * 1000;

async function fetchFile(s3: Pick<S3Client, 'send'>, Bucket: string, Key: string): Promise<Uint8Array> {
  const found = await s3.send(new GetObjectCommand({ Bucket, Key, Range: `bytes=0-${FILE_MOST - 1}` }));
  return (await found.Body?.transformToByteArray()) ?? new Uint8Array();
}
