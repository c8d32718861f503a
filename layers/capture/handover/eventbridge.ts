import type { AwsCall } from './aws-call.ts';
import type { Findings } from './findings.ts';
import type { ExchangeReader } from './http-exchange.ts';
import { at, type Json, lastName, objects, text } from './json.ts';
import { readS3Object } from './s3-event.ts';

export function readEventsCall(call: AwsCall, reader: ExchangeReader, found: Findings): void {
  if (call.operation !== 'PutEvents') return;
  for (const entry of objects(reader.input.Entries)) {
    found.resource('event-bus', `events:${lastName(entry.EventBusName) ?? 'default'}`, 'write');
  }
  // A failed entry has an ErrorCode and no EventId.
  if (reader.succeeded) for (const entry of objects(reader.output.Entries)) found.exact('event', entry.EventId);
}

export const isBusEvent = (event: Json): boolean =>
  text(event.id) !== undefined && text(event['detail-type']) !== undefined && text(event.source) !== undefined;

/** @returns what sent it, e.g. `shop.orders`. The event does not say over which bus it came. */
export function readBusEvent(event: Json, found: Findings): string | undefined {
  found.exact('event', event.id);
  if (event.source === 'aws.s3') {
    const detail = at(event, 'detail');
    const object = at(detail, 'object');
    found.exact('s3req', detail['request-id']);
    // Unlike in S3's own notifications the key is not URL-encoded here.
    readS3Object(at(detail, 'bucket').name, object.key, object['version-id'], object.etag, found);
  }
  return text(event.source);
}
