import type { JoinKey, ResourceRef, Trigger } from '../../record/types.ts';
import { isDestinationRecord, readDestinationRecord } from './destination.ts';
import { readStreamRecord } from './dynamodb.ts';
import { isBusEvent, readBusEvent } from './eventbridge.ts';
import { Findings } from './findings.ts';
import { readHttpEvent } from './gateway.ts';
import { isObject, type Json, objects } from './json.ts';
import { readKinesisRecord } from './kinesis.ts';
import { payloadDigest } from './payload.ts';
import { readS3Record } from './s3-event.ts';
import { isSnsEnvelope, readSnsMessage, snsOf } from './sns.ts';
import { readSqsRecord } from './sqs.ts';
import { readStateInput } from './stepfunctions.ts';

/** An event is at most 6 MB (asynchronously 1 MB); leave room for what emulators allow. */
const MAX_EVENT = 16 << 20;
/** S3 → EventBridge → SNS → SQS → function is four. */
const MAX_WRAPPINGS = 5;

/** A batch has at most 10,000 messages or records. */
const MAX_RECORDS = 10_000;

type Read = { readonly type: Trigger['type']; readonly source?: string | undefined };

/** Record readers by `eventSource`; SNS alone writes the name with a capital. */
function readRecord(record: Json, found: Findings, depth: number): Read | undefined {
  const inner = (event: Json): void => {
    if (depth < MAX_WRAPPINGS) readShape(event, found, depth + 1);
  };
  switch (record.eventSource ?? record.EventSource) {
    case 'aws:sqs':
      return { type: 'sqs', source: readSqsRecord(record, found, inner) };
    case 'aws:sns':
      return { type: 'sns', source: readSnsMessage(snsOf(record), found, inner) };
    case 'aws:s3':
      return { type: 's3', source: readS3Record(record, found) };
    case 'aws:dynamodb':
      return { type: 'dynamodb', source: readStreamRecord(record, found) };
    case 'aws:kinesis':
      return { type: 'kinesis', source: readKinesisRecord(record, found) };
    default:
      return undefined;
  }
}

function readRecords(records: readonly Json[], found: Findings, depth: number): Read | undefined {
  let first: Read | undefined;
  for (const record of records) {
    const read = readRecord(record, found, depth);
    first ??= read;
  }
  return first;
}

function readShape(event: Json, found: Findings, depth: number): Read | undefined {
  const first = readRecords(objects(event.Records, MAX_RECORDS), found, depth);
  if (first !== undefined) return first;
  if (isSnsEnvelope(event)) {
    const source = readSnsMessage(event, found, (inner) => {
      if (depth < MAX_WRAPPINGS) readShape(inner, found, depth + 1);
    });
    return { type: 'sns', source };
  }
  const deeper = (inner: Json): void => {
    if (depth < MAX_WRAPPINGS) readShape(inner, found, depth + 1);
  };
  if (isBusEvent(event)) return { type: 'eventbridge', source: readBusEvent(event, found, deeper) };
  if (isDestinationRecord(event)) return { type: 'invoke', source: readDestinationRecord(event, found) };
  return undefined;
}

export interface EventReading {
  readonly trigger: Trigger;
  readonly keys: JoinKey[];
  readonly resources: ResourceRef[];
}

/** See index.ts. May throw on hostile input. */
export function readEventUnguarded(event: Buffer | undefined): EventReading {
  const found = new Findings();
  const parsed = event !== undefined && event.length <= MAX_EVENT ? parse(event.toString('utf8')) : undefined;
  return {
    trigger: readTrigger(parsed, found),
    keys: found.keys,
    resources: found.resources,
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // Runtimes take anything; only JSON says where it comes from.
  }
}

function readTrigger(event: unknown, found: Findings): Trigger {
  // Pipes hand a batch over as it is, without the object around it that an event source mapping makes.
  const batch = Array.isArray(event) ? readRecords(objects(event, MAX_RECORDS), found, 0) : undefined;
  const read = batch ?? (isObject(event) ? readEventObject(event, found) : undefined);
  if (read !== undefined) return 'trigger' in read ? read.trigger : withSource(read);
  // States, schedules and functions called by hand get what somebody made up: only its content can be recognised.
  found.inferred('payload', payloadDigest(event));
  const machine = isObject(event) ? readStateInput(event, found) : undefined;
  return machine === undefined ? { type: 'invoke' } : { type: 'stepfunctions', source: machine };
}

const withSource = ({ type, source }: Read): Trigger => ({ type, ...(source === undefined ? {} : { source }) });

function readEventObject(event: Json, found: Findings): Read | { readonly trigger: Trigger } | undefined {
  // Also has a request context.
  const http = isDestinationRecord(event) ? undefined : readHttpEvent(event, found);
  if (http !== undefined) return { trigger: http };
  return readShape(event, found, 0);
}
