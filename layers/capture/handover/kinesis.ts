import type { AwsCall } from './aws-call.ts';
import type { Findings } from './findings.ts';
import type { ExchangeReader } from './http-exchange.ts';
import { type Json, lastName, objects, text } from './json.ts';

export function readKinesisCall(call: AwsCall, reader: ExchangeReader, found: Findings): void {
  if (call.operation !== 'PutRecord' && call.operation !== 'PutRecords') return;
  const stream = text(reader.input.StreamName) ?? lastName(reader.input.StreamARN);
  if (stream !== undefined) found.resource('stream', `kinesis:${stream}`, 'write');
  if (!reader.succeeded) return;
  for (const record of [reader.output, ...objects(reader.output.Records)]) {
    const shard = text(record.ShardId);
    const sequence = text(record.SequenceNumber);
    if (shard !== undefined && sequence !== undefined) found.exact('kinesis', `${shard}:${sequence}`);
  }
}

/** `eventID` is `shardId-000000000006:49590338…`: shard and sequence number as the producer got them. */
export function readKinesisRecord(record: Json, found: Findings): string | undefined {
  found.exact('kinesis', record.eventID);
  const stream = lastName(record.eventSourceARN);
  if (stream !== undefined) found.resource('stream', `kinesis:${stream}`, 'read');
  return stream;
}
