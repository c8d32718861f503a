import type { Findings } from './findings.ts';
import { at, type Json, text } from './json.ts';

/** The state of an object that a key stands for: its version, or in a bucket without versions its content (ETag). */
export function objectState(version: unknown, etag: unknown): string | undefined {
  const id = text(version);
  if (id !== undefined && id !== 'null') return id;
  return text(etag)?.replaceAll('"', '');
}

export const objectId = (bucket: string, key: string, state?: string): string =>
  `s3://${bucket}/${key}${state === undefined ? '' : `@${state}`}`;

export function readS3Object(bucket: unknown, key: unknown, version: unknown, etag: unknown, found: Findings): void {
  const name = text(bucket);
  const object = text(key);
  if (name === undefined || object === undefined) return;
  const state = objectState(version, etag);
  if (state !== undefined) found.exact('s3', `${name}/${object}@${state}`);
  found.resource('s3-object', objectId(name, object, state), 'read');
}

/** Keys in notifications are encoded as in a form: `+` is a space. */
export function decodeKey(key: unknown): string | undefined {
  const encoded = text(key);
  if (encoded === undefined) return undefined;
  try {
    return decodeURIComponent(encoded.replaceAll('+', ' '));
  } catch {
    return encoded; // Not encoded after all, as some emulators do.
  }
}

/** One record of an S3 notification. @returns the bucket's name. */
export function readS3Record(record: Json, found: Findings): string | undefined {
  const bucket = at(record, 's3', 'bucket').name;
  const object = at(record, 's3', 'object');
  found.exact('s3req', at(record, 'responseElements')['x-amz-request-id']);
  readS3Object(bucket, decodeKey(object.key), object.versionId, object.eTag, found);
  return text(bucket);
}
