import type { AwsCall } from './aws-call.ts';
import type { Findings } from './findings.ts';
import type { ExchangeReader } from './http-exchange.ts';
import { at, type Json, lastName, objects, parseObject, text } from './json.ts';

export function readSnsCall(call: AwsCall, reader: ExchangeReader, found: Findings): void {
  if (call.operation !== 'Publish' && call.operation !== 'PublishBatch') return;
  const { input, output, form } = reader;
  const topic = lastName(input.TopicArn ?? input.TargetArn ?? form.get('TopicArn') ?? form.get('TargetArn'));
  if (topic !== undefined) found.resource('topic', `sns:${topic}`, 'write');
  if (!reader.succeeded) return;
  found.exact('sns', output.MessageId);
  for (const entry of objects(output.Successful)) found.exact('sns', entry.MessageId);
  for (const messageId of reader.elements('MessageId')) found.exact('sns', messageId);
}

/** A record of an SNS event, or the envelope that SNS puts into a queue message: the same fields in both. */
export function readSnsMessage(message: Json, found: Findings, inner: (event: Json) => void): string | undefined {
  found.exact('sns', message.MessageId);
  const topic = lastName(message.TopicArn);
  if (topic !== undefined) found.resource('topic', `sns:${topic}`, 'read');
  const body = parseObject(text(message.Message));
  if (body !== undefined) inner(body);
  return topic;
}

export const snsOf = (record: Json): Json => at(record, 'Sns');
export const isSnsEnvelope = (event: Json): boolean =>
  event.Type === 'Notification' && text(event.MessageId) !== undefined && text(event.TopicArn) !== undefined;
