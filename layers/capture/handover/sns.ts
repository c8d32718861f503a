import type { AwsCall } from './aws-call.ts';
import { readDeadLetter } from './destination.ts';
import type { Findings } from './findings.ts';
import type { ExchangeReader } from './http-exchange.ts';
import { at, type Json, lastName, objects, parseObject, text } from './json.ts';
import { payloadDigest } from './payload.ts';

/** SNS takes 10 entries in a batch. */
const MAX_BATCH = 12;

export function readSnsCall(call: AwsCall, reader: ExchangeReader, found: Findings): void {
  if (call.operation !== 'Publish' && call.operation !== 'PublishBatch') return;
  const { input, output, form } = reader;
  const topic = lastName(input.TopicArn ?? input.TargetArn ?? form.get('TopicArn') ?? form.get('TargetArn'));
  if (topic !== undefined) found.resource('topic', `sns:${topic}`, 'write');
  if (!reader.succeeded) return;
  found.exact('sns', output.MessageId);
  for (const entry of objects(output.Successful)) found.exact('sns', entry.MessageId);
  for (const messageId of reader.elements('MessageId')) found.exact('sns', messageId);
  // With raw delivery a queue gets the message alone, without its id. (Which entries of a batch failed does not matter then:
  // what was not delivered is met nowhere.)
  for (const message of messages(input, form)) found.inferred('payload', payloadDigest(message));
}

/** Texts published: one, or the entries of a batch, in either protocol. */
function messages(input: Json, form: URLSearchParams): unknown[] {
  const entries = objects(input.PublishBatchRequestEntries).map(({ Message }) => Message);
  const written = [...form].flatMap(([name, value]) =>
    /^(?:Message|PublishBatchRequestEntries\.member\.\d+\.Message)$/.test(name) ? [value] : [],
  );
  return [input.Message, ...entries, ...written].slice(0, MAX_BATCH);
}

/** A record of an SNS event, or the envelope that SNS puts into a queue message: the same fields in both. */
export function readSnsMessage(message: Json, found: Findings, inner: (event: Json) => void): string | undefined {
  found.exact('sns', message.MessageId);
  const topic = lastName(message.TopicArn);
  if (topic !== undefined) found.resource('topic', `sns:${topic}`, 'read');
  readDeadLetter(message.MessageAttributes, found);
  const body = parseObject(text(message.Message));
  if (body !== undefined) inner(body);
  return topic;
}

export const snsOf = (record: Json): Json => at(record, 'Sns');
export const isSnsEnvelope = (event: Json): boolean =>
  event.Type === 'Notification' && text(event.MessageId) !== undefined && text(event.TopicArn) !== undefined;
