/** What roles must be able to do, and what those of audited functions must not. */
import type { Context } from '../../cdk/local/iam/conditions.ts';
import { forgottenPrefix, segmentPrefix, spillPrefix } from '../../functions/store/schema.ts';

/** Where the evidence of an installation is, as policies name it. */
export interface Places {
  readonly bucket: string;
  readonly shards: string;
  readonly links: string;
  readonly queue: string | undefined;
  readonly key: string | undefined;
  /** Context of what S3 has the key do. */
  readonly throughS3: Context;
}

export interface Need {
  readonly action: string;
  readonly resource: string;
  readonly context?: Context;
}

/** Nobody's: what holds for it holds for every other function's. */
const NOBODY = 'alastor-doctor-asks';
const INSTANCE = '0190aaaa-0000-7000-8000-000000000000';
const SEGMENT = `${INSTANCE}/000000000000-000000000001.ndjson.zst`;

/** Headers of a request to store an object, all of which are known: what is not there is not sent. */
const HEADERS = [
  ...['if-none-match', 'if-match', 'x-amz-acl', 'x-amz-copy-source', 'x-amz-metadata-directive', 'x-amz-storage-class'],
  ...['x-amz-server-side-encryption', 'x-amz-server-side-encryption-aws-kms-key-id', 'x-amz-website-redirect-location'],
  ...['x-amz-server-side-encryption-customer-algorithm', 'object-lock-mode', 'object-lock-retain-until-date', 'versionid'],
];
const put: Context = {
  ...Object.fromEntries(HEADERS.map((name) => [`s3:${name}`, undefined])),
  's3:objectcreationoperation': 'true',
};
const once: Context = { ...put, 's3:if-none-match': '*' };

const s3 = (action: string, resource: string, context: Context = {}): Need => ({ action: `s3:${action}`, resource, context });

/** What a function must be able to do to be audited. @param name as it stands in keys of segments */
export function mustStore(name: string, { bucket, key, throughS3 }: Places): readonly Need[] {
  return [
    s3('PutObject', `${bucket}/${segmentPrefix}${name}/${SEGMENT}`, once),
    ...(key === undefined ? [] : [{ action: 'kms:GenerateDataKey', resource: key, context: throughS3 }]),
  ];
}

/** What lets a function destroy, forge or hide evidence. */
export function mustNotChange(name: string, { bucket, key, shards, links }: Places): readonly Need[] {
  const own = `${bucket}/${segmentPrefix}${name}/${SEGMENT}`;
  return [
    s3('PutObject', own, put),
    s3('PutObject', `${bucket}/${segmentPrefix}${NOBODY}/${SEGMENT}`, once),
    s3('PutObject', `${bucket}/${spillPrefix}${SEGMENT}`, once),
    s3('PutObject', `${bucket}/${forgottenPrefix}${name}/x.json`, once),
    ...['DeleteObject', 'DeleteObjectVersion', 'PutObjectRetention', 'PutObjectLegalHold'].map((one) => s3(one, own)),
    ...['PutBucketPolicy', 'DeleteBucketPolicy', 'PutLifecycleConfiguration', 'PutBucketObjectLockConfiguration'].map((one) =>
      s3(one, bucket),
    ),
    ...[shards, links].flatMap((resource) =>
      ['PutItem', 'UpdateItem', 'DeleteItem', 'BatchWriteItem', 'DeleteTable'].map((one) => ({
        ...{ action: `dynamodb:${one}`, resource },
      })),
    ),
    ...(key === undefined
      ? []
      : ['PutKeyPolicy', 'ScheduleKeyDeletion', 'DisableKey'].map((one) => ({ action: `kms:${one}`, resource: key }))),
  ];
}

/** What lets a function see what is known of it and of others. */
export function mustNotRead(name: string, { bucket, key, shards, links, throughS3 }: Places): readonly Need[] {
  const own = `${bucket}/${segmentPrefix}${name}/${SEGMENT}`;
  return [
    ...['GetObject', 'GetObjectVersion'].map((one) => s3(one, own)),
    s3('GetObject', `${bucket}/${segmentPrefix}${NOBODY}/${SEGMENT}`),
    ...['ListBucket', 'ListBucketVersions'].map((one) => s3(one, bucket)),
    ...[shards, links].flatMap((resource) =>
      ['GetItem', 'Query', 'Scan'].map((one) => ({ action: `dynamodb:${one}`, resource })),
    ),
    ...(key === undefined ? [] : [{ action: 'kms:Decrypt', resource: key, context: throughS3 }]),
  ];
}

/** What each of Alastor's own functions does (cdk/permissions.ts and the constructs of the functions). */
export function needsOf(part: string, { bucket, key, shards, links, queue, throughS3 }: Places): readonly Need[] {
  const rows = (resource: string, ...actions: readonly string[]) =>
    actions.map((one) => ({ action: `dynamodb:${one}`, resource }));
  const read = (...prefixes: readonly string[]) => [
    ...prefixes.map((prefix) => s3('GetObject', `${bucket}/${prefix}${NOBODY}/${SEGMENT}`)),
    s3('ListBucket', bucket),
    ...(key === undefined ? [] : [{ action: 'kms:Decrypt', resource: key, context: throughS3 }]),
  ];
  switch (part) {
    case 'stitcher':
      return [
        ...read(segmentPrefix),
        s3('PutObject', `${bucket}/${spillPrefix}${SEGMENT}`, put),
        ...(key === undefined ? [] : [{ action: 'kms:GenerateDataKey', resource: key, context: throughS3 }]),
        ...rows(shards, 'BatchWriteItem'),
        ...rows(links, 'BatchWriteItem', 'PutItem', 'UpdateItem', 'DeleteItem'),
        ...(queue === undefined
          ? []
          : ['ReceiveMessage', 'DeleteMessage', 'GetQueueAttributes'].map((one) => ({
              action: `sqs:${one}`,
              resource: queue,
            }))),
      ];
    case 'query':
      return [...read(segmentPrefix, spillPrefix), ...rows(shards, 'Query'), ...rows(links, 'Query')];
    case 'verify':
      return [
        ...read(segmentPrefix, forgottenPrefix),
        s3('GetObjectVersion', `${bucket}/${segmentPrefix}${NOBODY}/${SEGMENT}`),
        s3('GetObjectVersion', `${bucket}/${forgottenPrefix}${NOBODY}/x.json`),
        s3('ListBucketVersions', bucket),
        ...rows(shards, 'Query'),
        ...rows(links, 'BatchWriteItem', 'Query'),
      ];
    case 'inventory':
      return [
        ...rows(shards, 'Query'),
        ...rows(links, 'BatchWriteItem', 'Query'),
        ...['lambda:ListFunctions', 'lambda:ListEventSourceMappings'].map((action) => ({ action, resource: '*' })),
      ];
    case 'witness':
      return rows(links, 'BatchWriteItem', 'UpdateItem');
    default:
      return [];
  }
}
