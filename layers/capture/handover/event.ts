import type { JoinKey, ResourceRef, Trigger } from '../../record/types.ts';
import { readStreamRecord } from './dynamodb.ts';
import { isBusEvent, readBusEvent } from './eventbridge.ts';
import { Findings } from './findings.ts';
import { readHttpEvent } from './gateway.ts';
import { at, type Json, objects, parseObject, text } from './json.ts';
import { readKinesisRecord } from './kinesis.ts';
import { readS3Record } from './s3-event.ts';
import { isSnsEnvelope, readSnsMessage, snsOf } from './sns.ts';
import { readSqsRecord } from './sqs.ts';
import { readStateInput } from './stepfunctions.ts';

/** An event is at most 6 MB (asynchronously 1 MB); leave room for what emulators allow. */
const MAX_EVENT = 16 << 20;
/** S3 → EventBridge → SNS → SQS → function is four. */
const MAX_WRAPPINGS = 5;

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

function readShape(event: Json, found: Findings, depth: number): Read | undefined {
  let first: Read | undefined;
  for (const record of objects(event.Records, 10_000)) {
    const read = readRecord(record, found, depth);
    first ??= read;
  }
  if (first !== undefined) return first;
  if (isSnsEnvelope(event)) {
    const source = readSnsMessage(event, found, (inner) => {
      if (depth < MAX_WRAPPINGS) readShape(inner, found, depth + 1);
    });
    return { type: 'sns', source };
  }
  if (isBusEvent(event)) return { type: 'eventbridge', source: readBusEvent(event, found) };
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
  const parsed = event !== undefined && event.length <= MAX_EVENT ? parseObject(event.toString('utf8')) : undefined;
  return {
    trigger: parsed === undefined ? { type: 'invoke' } : readTrigger(parsed, found),
    keys: found.keys,
    resources: found.resources,
  };
}

function readTrigger(event: Json, found: Findings): Trigger {
  const http = readHttpEvent(event, found);
  if (http !== undefined) return http;
  const read = readShape(event, found, 0);
  if (read !== undefined) return { type: read.type, ...(read.source === undefined ? {} : { source: read.source }) };
  const machine = readStateInput(event, found);
  if (machine !== undefined) return { type: 'stepfunctions', source: machine };
  // An invocation by hand may still say which trace it belongs to.
  found.inferred('trace', /Root=([^;]{1,100})/.exec(text(at(event, 'headers')['x-amzn-trace-id']) ?? '')?.[1]);
  return { type: 'invoke' };
}
