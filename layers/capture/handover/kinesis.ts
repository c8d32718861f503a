import { createHash } from 'node:crypto';
import type { AwsCall } from './aws-call.ts';
import type { Findings } from './findings.ts';
import type { ExchangeReader } from './http-exchange.ts';
import { type Json, lastName, objects, text } from './json.ts';

/** `arn:aws:kinesis:…:stream/clicks`, and of a consumer with enhanced fan-out `…:stream/clicks/consumer/app:1700000000`. */
const streamOf = (arn: unknown): string | undefined => /:stream\/([^/]+)/.exec(text(arn) ?? '')?.[1] ?? lastName(arn);

/** Which shard an iterator reads: a poll's answer names none. Hashes, because iterators are opaque texts of 200 characters. */
const shards = new Map<string, { readonly stream: string | undefined; readonly shard: string }>();
const MAX_ITERATORS = 1000;
const nameOf = (iterator: string): string => createHash('sha256').update(iterator).digest('base64');

function remember(iterator: unknown, place: { readonly stream: string | undefined; readonly shard: string }): void {
  const name = text(iterator);
  if (name === undefined) return;
  shards.set(nameOf(name), place);
  const [oldest] = shards.keys();
  if (shards.size > MAX_ITERATORS && oldest !== undefined) shards.delete(oldest);
}

export function readKinesisCall(call: AwsCall, reader: ExchangeReader, found: Findings): void {
  const { input, output, succeeded } = reader;
  const stream = text(input.StreamName) ?? streamOf(input.StreamARN);
  if (call.operation === 'PutRecord' || call.operation === 'PutRecords') {
    if (stream !== undefined) found.resource('stream', `kinesis:${stream}`, 'write');
    if (!succeeded) return;
    // A failed entry of a batch has an ErrorCode and no SequenceNumber.
    for (const record of [output, ...objects(output.Records)]) joinRecord(text(record.ShardId), record.SequenceNumber, found);
  } else if (call.operation === 'GetShardIterator' && succeeded) {
    const shard = text(input.ShardId);
    if (shard !== undefined) remember(output.ShardIterator, { stream, shard });
  } else if (call.operation === 'GetRecords' && succeeded) {
    const iterator = text(input.ShardIterator);
    const place = iterator === undefined ? undefined : shards.get(nameOf(iterator));
    if (place === undefined) return;
    if (place.stream !== undefined) found.resource('stream', `kinesis:${place.stream}`, 'read');
    for (const record of objects(output.Records)) joinRecord(place.shard, record.SequenceNumber, found);
    remember(output.NextShardIterator, place);
  }
}

function joinRecord(shard: string | undefined, sequence: unknown, found: Findings): void {
  const number = text(sequence);
  if (shard !== undefined && number !== undefined) found.exact('kinesis', `${shard}:${number}`);
}

/** `eventID` is `shardId-000000000006:49590338…`: shard and sequence number as the producer got them. */
export function readKinesisRecord(record: Json, found: Findings): string | undefined {
  found.exact('kinesis', record.eventID);
  const stream = streamOf(record.eventSourceARN);
  if (stream !== undefined) found.resource('stream', `kinesis:${stream}`, 'read');
  return stream;
}
