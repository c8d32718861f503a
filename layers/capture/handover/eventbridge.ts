import type { AwsCall } from './aws-call.ts';
import type { Findings } from './findings.ts';
import type { ExchangeReader } from './http-exchange.ts';
import { at, type Json, lastName, objects, text } from './json.ts';
import { payloadDigest } from './payload.ts';
import { readS3Object } from './s3-event.ts';

export function readEventsCall(call: AwsCall, reader: ExchangeReader, found: Findings): void {
  const { input, output, succeeded } = reader;
  if (call.operation === 'PutTargets') {
    // A rule may hand its target a constant in place of the event.
    if (succeeded) for (const target of objects(input.Targets)) found.inferred('payload', payloadDigest(target.Input));
    return;
  }
  if (call.operation !== 'PutEvents') return;
  const entries = objects(input.Entries);
  for (const entry of entries) {
    found.resource('event-bus', `events:${lastName(entry.EventBusName) ?? 'default'}`, 'write');
  }
  if (!succeeded) return;
  for (const [index, answer] of objects(output.Entries).entries()) {
    // A failed entry has an ErrorCode and no EventId.
    if (text(answer.EventId) === undefined) continue;
    found.exact('event', answer.EventId);
    // A rule with an input path hands on the detail alone, without the id.
    found.inferred('payload', payloadDigest(entries[index]?.Detail));
  }
}

export const isBusEvent = (event: Json): boolean =>
  text(event.id) !== undefined && text(event['detail-type']) !== undefined && text(event.source) !== undefined;

/**
 * @param inner reads what a detail carries: the record of a destination, for one.
 * @returns what sent it, e.g. `shop.orders`. The event does not say over which bus it came.
 */
export function readBusEvent(event: Json, found: Findings, inner: (event: Json) => void): string | undefined {
  found.exact('event', event.id);
  if (event.source === 'lambda') inner(at(event, 'detail'));
  if (event.source === 'aws.states') found.exact('sfn', at(event, 'detail').executionArn);
  if (event.source === 'aws.s3') {
    const detail = at(event, 'detail');
    const object = at(detail, 'object');
    found.exact('s3req', detail['request-id']);
    // Unlike in S3's own notifications the key is not URL-encoded here.
    readS3Object(at(detail, 'bucket').name, object.key, object['version-id'], object.etag, found);
  }
  return text(event.source);
}
