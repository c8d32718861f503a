import { setTimeout as sleep } from 'node:timers/promises';
import { ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { GetQueueAttributesCommand, SendMessageBatchCommand, SQSClient } from '@aws-sdk/client-sqs';
import { restitchEvent } from '../functions/stitcher/notification.ts';
import { segmentPrefix } from '../functions/store/schema.ts';
import { parseSegmentKey } from '../layers/record/key.ts';
import { clientOf, located, serviceOptions } from './aws.ts';
import { command } from './command.ts';
import { jsonOf, print } from './print.ts';
import { Progress } from './progress.ts';
import { safe } from './screen.ts';
import { instant, UsageError } from './usage.ts';

export interface RestitchOptions {
  readonly bucket: string;
  readonly queue: string;
  /** ms since 1970, against the time S3 stored a segment: the one time that no audited function can choose. */
  readonly from: number;
  readonly to: number;
  readonly fn: string | undefined;
  readonly after: string | undefined;
  readonly dryRun: boolean;
}

export interface RestitchResult {
  /** Segments looked at, and of these sent to the stitcher (with `dryRun`: that would be). */
  seen: number;
  sent: number;
  bytes: number;
  /** Key behind which a further run would go on; none when all are done. */
  after: string | undefined;
}

/** Keys in one message: few, because a message is retried as a whole. */
const KEYS_A_MESSAGE = 4;
/** Of one SendMessageBatch, as SQS allows. */
const MESSAGES_A_CALL = 10;
/** A queue that stays empty this long, in ms, is taken to be done: its counts are approximate. */
const QUIET_MS = 3000;

/**
 * Tells the stitcher once more of every segment in a range, by the same notifications that S3 sends. `result.after` is moved on
 * when segments have been sent, so an interrupted run loses none.
 */
export async function restitch(
  options: RestitchOptions,
  { s3, sqs }: { readonly s3: S3Client; readonly sqs: SQSClient },
  result: RestitchResult,
  signal: AbortSignal,
  note: (text: string) => void = () => undefined,
): Promise<void> {
  const { bucket, fn, from, to } = options;
  const prefix = fn === undefined ? segmentPrefix : `${segmentPrefix}${fn}/`;
  let after = options.after;
  for (;;) {
    signal.throwIfAborted();
    const page = await s3.send(
      new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, ...(after === undefined ? {} : { StartAfter: after }) }),
      { abortSignal: signal },
    );
    const objects = page.Contents ?? [];
    const wanted = objects.filter(({ Key, LastModified }) => {
      const stored = LastModified?.getTime() ?? 0;
      return parseSegmentKey(Key ?? '') !== undefined && stored >= from && stored < to;
    });
    for (let at = 0; at < wanted.length; at += KEYS_A_MESSAGE * MESSAGES_A_CALL) {
      const some = wanted.slice(at, at + KEYS_A_MESSAGE * MESSAGES_A_CALL);
      if (!options.dryRun)
        await send(
          sqs,
          options.queue,
          bucket,
          some.map(({ Key }) => Key ?? ''),
          signal,
        );
      result.sent += some.length;
      result.bytes += some.reduce((sum, { Size }) => sum + (Size ?? 0), 0);
      result.after = some.at(-1)?.Key;
      note(`${result.sent} segments, ${(result.bytes / 1e6).toFixed(1)} MB, at ${result.after}`);
    }
    result.seen += objects.length;
    after = objects.at(-1)?.Key ?? after;
    if (page.IsTruncated !== true || objects.length === 0) break;
    result.after = after;
  }
  result.after = undefined;
}

async function send(
  sqs: SQSClient,
  queue: string,
  bucket: string,
  keys: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const bodies: string[] = [];
  for (let at = 0; at < keys.length; at += KEYS_A_MESSAGE) {
    const Records = keys.slice(at, at + KEYS_A_MESSAGE).map((key) => ({
      eventSource: 'aws:s3',
      eventName: restitchEvent,
      s3: { bucket: { name: bucket }, object: { key: encodeURIComponent(key) } },
    }));
    bodies.push(JSON.stringify({ Records }));
  }
  let left = bodies.map((MessageBody, i) => ({ Id: String(i), MessageBody }));
  for (let tries = 0; left.length > 0; tries++) {
    const { Failed = [] } = await sqs.send(new SendMessageBatchCommand({ QueueUrl: queue, Entries: left }), {
      abortSignal: signal,
    });
    const failed = new Set(Failed.map(({ Id }) => Id));
    left = left.filter(({ Id }) => failed.has(Id));
    if (left.length > 0 && tries === 5) throw new Error(`${queue} refuses messages: ${Failed[0]?.Code} ${Failed[0]?.Message}`);
    if (left.length > 0) await sleep(100 * 2 ** tries, undefined, { signal });
  }
}

/** Until the stitcher has emptied its queue. */
async function drained(sqs: SQSClient, queue: string, signal: AbortSignal, note: (text: string) => void): Promise<void> {
  for (let quietSince = Number.POSITIVE_INFINITY; Date.now() - quietSince < QUIET_MS; ) {
    const { Attributes = {} } = await sqs.send(
      new GetQueueAttributesCommand({
        QueueUrl: queue,
        AttributeNames: ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible'],
      }),
      { abortSignal: signal },
    );
    const left = Object.values(Attributes).reduce((sum, text) => sum + Number(text), 0);
    note(`${left} messages left`);
    quietSince = left > 0 ? Number.POSITIVE_INFINITY : Math.min(quietSince, Date.now());
    await sleep(500, undefined, { signal });
  }
}

export default command({
  usage: ['--bucket <name> --queue <url> [options]'],
  options: {
    bucket: { type: 'string', value: 'name', says: 'bucket with the segments: stack output <id>EvidenceBucket' },
    queue: { type: 'string', value: 'url', says: 'queue of the stitcher: stack output <id>StitcherQueueUrl' },
    from: {
      type: 'string',
      value: 'time',
      says: 'segments stored from then on: ISO 8601, or a span back from now such as 36h or 7d (default: all)',
    },
    to: { type: 'string', value: 'time', says: 'segments stored before then (default: now)' },
    function: { type: 'string', value: 'name', says: 'segments of this function only' },
    after: { type: 'string', value: 'key', says: 'go on behind this key, as an interrupted run says' },
    'dry-run': { type: 'boolean', says: 'count, and send nothing' },
    'no-wait': { type: 'boolean', says: 'do not wait until the stitcher has taken them all' },
    ...serviceOptions,
    json: { type: 'boolean', says: 'print the result as one JSON object' },
  },
  text: `Stitching a segment again changes nothing that is right already; a run may be repeated, interrupted or overlap another.
Without --bucket and --queue it is about the engine that runs on this machine. Needs s3:ListBucket on the bucket,
sqs:SendMessage and sqs:GetQueueAttributes on the queue.`,
  examples: ['--bucket "$BUCKET" --queue "$QUEUE" --from 7d'],
  exits: '0 done, 1 failed, 2 wrong arguments, 130 interrupted (it says how to go on)',
  endsItself: true,
  async run(values) {
    const { bucket, queue, ...aws } = located(values, { bucket: 'EvidenceBucket', queue: 'StitcherQueueUrl' });
    const dryRun = values['dry-run'];
    if (bucket === undefined) throw new UsageError('--bucket is missing: the stack output <id>EvidenceBucket');
    if (queue === undefined && !dryRun) throw new UsageError('--queue is missing: the stack output <id>StitcherQueueUrl');
    const now = Date.now();
    const from = values.from === undefined ? 0 : instant('--from', values.from, now);
    const to = values.to === undefined ? Number.POSITIVE_INFINITY : instant('--to', values.to, now);
    if (from >= to) throw new UsageError(`--from ${values.from} is not before --to ${values.to}`);

    const client = clientOf(aws);
    const clients = {
      s3: new S3Client({ ...client, forcePathStyle: client.endpoint !== undefined }),
      sqs: new SQSClient(client),
    };
    const stop = new AbortController();
    const asked = (): void => stop.abort();
    process.on('SIGINT', asked).on('SIGTERM', asked);
    const result: RestitchResult = { seen: 0, sent: 0, bytes: 0, after: values.after };
    const progress = new Progress();
    try {
      const options = { bucket, queue: queue ?? '', from, to, fn: values.function, after: values.after, dryRun };
      await progress.stage(dryRun ? 'counting segments' : 'sending segments to the stitcher', (note) =>
        restitch(options, clients, result, stop.signal, note),
      );
      if (!dryRun && !values['no-wait'] && result.sent > 0) {
        await progress.stage('waiting for the stitcher', (note) => drained(clients.sqs, queue ?? '', stop.signal, note));
      }
    } catch (error) {
      const rest = result.after === undefined ? '' : `; to go on, add: --after '${safe(result.after)}'`;
      process.stderr.write(`alastor restitch: ${result.sent} segments were sent${rest}\n`);
      if (stop.signal.aborted) return 130;
      throw error;
    } finally {
      process.off('SIGINT', asked).off('SIGTERM', asked);
    }
    const { sent, seen, bytes } = result;
    const what = dryRun ? 'would be' : values['no-wait'] ? 'are on their way to be' : 'were';
    await print(
      values.json
        ? [jsonOf({ ...result, dryRun })]
        : [`${sent} of ${seen} segments (${(bytes / 1e6).toFixed(1)} MB) ${what} stitched again.`],
    );
    return 0;
  },
});
