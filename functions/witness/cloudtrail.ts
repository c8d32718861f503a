/**
 * CloudTrail's log files: invocations (data events) and changes (management events) of Lambda.
 * Format: docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
 */
import { gunzipSync } from 'node:zlib';
import type { Heard, Testimony } from '../store/testimony.ts';
import { functionName, identifier, micros, words } from './fields.ts';

/** A file holds some thousand events; unpacked it may be large, but not without bound. */
const UNPACKED_MOST = 128 * 1024 * 1024;
/** Reading is not changing. */
const READS = /^(?:Get|List|Describe)/;

type Fields = Readonly<Record<string, unknown>>;

/** @throws Error when the bytes are no log file */
export function readCloudTrail(gzipped: Uint8Array): Heard {
  const file = JSON.parse(gunzipSync(gzipped, { maxOutputLength: UNPACKED_MOST }).toString()) as Fields;
  if (!Array.isArray(file.Records)) throw new Error('no Records: not a log file of CloudTrail');
  return readTrailRecords(file.Records);
}

/** The same events as EventBridge delivers them (`detail` of "AWS API Call via CloudTrail"). */
export function readTrailRecords(records: readonly unknown[]): Heard {
  const testimonies: Testimony[] = [];
  let unread = 0;
  for (const record of records) {
    if (typeof record !== 'object' || record === null) {
      unread++;
      continue;
    }
    const fields = record as Fields;
    if (fields.eventSource !== 'lambda.amazonaws.com') continue;
    const said =
      fields.eventName === 'Invoke' || fields.eventName === 'InvokeWithResponseStream' ? invocation(fields) : change(fields);
    if (said === undefined) unread++;
    else if (said !== 'read') testimonies.push(said);
  }
  return { testimonies, unread };
}

function invocation(record: Fields): Testimony | 'read' | undefined {
  const at = micros(record.eventTime);
  const requestId = identifier(record.requestID);
  const resources = Array.isArray(record.resources) ? (record.resources as readonly Fields[]) : [];
  const fn = functionName(parameters(record).functionName) ?? functionName(resources.find(({ ARN }) => ARN !== undefined)?.ARN);
  if (at === undefined || requestId === undefined || fn === undefined) return undefined;
  // Refused or only tried out: the function was not run, so no instance can have recorded it. That somebody tried is kept.
  if (record.errorCode !== undefined || parameters(record).invocationType === 'DryRun') return change(record, fn);
  const version = /:(\$LATEST|\d{1,10})$/.exec(words(asFields(record.additionalEventData).functionVersion) ?? '')?.[1];
  return {
    ...{ what: 'invocation', witness: 'cloudtrail', part: 'whole', at, fn, requestId },
    ...(version === undefined ? {} : { version }),
    ...who(record),
  };
}

function change(record: Fields, fn = functionName(parameters(record).functionName)): Testimony | 'read' | undefined {
  const at = micros(record.eventTime);
  const id = identifier(record.eventID);
  const name = identifier(record.eventName);
  if (at === undefined || id === undefined || name === undefined) return undefined;
  if (READS.test(name)) return 'read';
  const error = words(record.errorCode, 128);
  const { caller, ...rest } = who(record);
  return {
    // Names carry the date of their API version: UpdateFunctionCode20150331v2.
    ...{ what: 'change', witness: 'cloudtrail', at, id, action: name.replace(/20\d{6}(?:v\d)?$/, '') },
    ...(fn === undefined ? {} : { fn }),
    by: caller ?? 'unknown',
    ...rest,
    ...(error === undefined ? {} : { error }),
  };
}

const asFields = (value: unknown): Fields => (typeof value === 'object' && value !== null ? (value as Fields) : {});
const parameters = (record: Fields): Fields => asFields(record.requestParameters);

function who(record: Fields): { readonly caller?: string; readonly sourceIp?: string; readonly userAgent?: string } {
  const identity = asFields(record.userIdentity);
  const caller = words(identity.arn) ?? words(identity.invokedBy) ?? words(identity.principalId);
  const sourceIp = words(record.sourceIPAddress, 128);
  const userAgent = words(record.userAgent);
  return {
    ...(caller === undefined ? {} : { caller }),
    ...(sourceIp === undefined ? {} : { sourceIp }),
    ...(userAgent === undefined ? {} : { userAgent }),
  };
}
