import type { AwsCall } from './aws-call.ts';
import { readDeadLetter } from './destination.ts';
import type { Findings } from './findings.ts';
import type { ExchangeReader } from './http-exchange.ts';
import { at, type Json, lastName, objects, parseObject, text } from './json.ts';
import { payloadDigest } from './payload.ts';

/** JSON 1.0 (X-Amz-Target) and the older Query protocol (form in, XML out), which boto3 before 1.29 and others speak. */
export function readSqsCall(call: AwsCall, reader: ExchangeReader, found: Findings): void {
  const url = text(reader.input.QueueUrl) ?? reader.form.get('QueueUrl') ?? (reader.path === '/' ? undefined : reader.path);
  const queue = lastName(url);
  const id = queue === undefined ? undefined : `sqs:${queue}`;
  if (call.operation === 'SendMessage' || call.operation === 'SendMessageBatch') found.resource('queue', id, 'write');
  else if (call.operation === 'ReceiveMessage') found.resource('queue', id, 'read');
  else return;
  if (!reader.succeeded) return;
  found.exact('sqs', reader.output.MessageId);
  // Entries of a batch; of a receive, the messages: a function that polls is where they go on.
  for (const entry of [...objects(reader.output.Successful), ...objects(reader.output.Messages)]) {
    found.exact('sqs', entry.MessageId);
  }
  for (const messageId of reader.elements('MessageId')) found.exact('sqs', messageId);
}

/** @param inner reads what a queue message carries: notifications arrive wrapped in it. */
export function readSqsRecord(record: Json, found: Findings, inner: (event: Json) => void): string | undefined {
  found.exact('sqs', record.messageId);
  const queue = lastName(record.eventSourceARN);
  if (queue !== undefined) found.resource('queue', `sqs:${queue}`, 'read');
  readDeadLetter(record.messageAttributes, found);
  const body = parseObject(text(record.body));
  if (body === undefined) return queue;
  const before = found.keys.length;
  inner(body);
  // A role's message is joined by its id. Another service's (SNS with raw delivery, a pipe) by what it says, if by nothing else.
  const sender = text(at(record, 'attributes').SenderId);
  if (found.keys.length === before && !sender?.startsWith('AROA')) found.inferred('payload', payloadDigest(body));
  return queue;
}
