/** What somebody does who has taken over a function and wants its record changed: everything that the SDK offers, with the function's own role. */
import {
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  DeleteBucketPolicyCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  PutBucketLifecycleConfigurationCommand,
  PutBucketPolicyCommand,
  PutBucketVersioningCommand,
  PutObjectAclCommand,
  PutObjectCommand,
  PutObjectLegalHoldCommand,
  PutObjectRetentionCommand,
  PutObjectTaggingCommand,
  S3Client,
} from '@aws-sdk/client-s3';

interface Asked {
  /** A segment of its own that has been shipped. */
  readonly own: string;
  readonly version: string;
  /** A segment of another function. */
  readonly other: string;
}

export const handler = async ({ own, version, other }: Asked): Promise<Record<string, string>> => {
  const Bucket = process.env.ALASTOR_BUCKET ?? '';
  const s3 = new S3Client({ forcePathStyle: true, maxAttempts: 1 });
  const put = (Key: string, more: object = {}) => new PutObjectCommand({ Bucket, Key, Body: 'forged', ...more });
  const at = { Bucket, Key: own };
  const customer = { SSECustomerAlgorithm: 'AES256', SSECustomerKey: Buffer.alloc(32).toString('base64') };
  const once = { IfNoneMatch: '*' };
  const next = `${own.slice(0, own.lastIndexOf('/'))}/zzz`;
  const policy = JSON.stringify({ Version: '2012-10-17', Statement: [] });
  const attempts: Record<string, () => Promise<unknown>> = {
    'overwrite with the header': () => s3.send(put(own, once)),
    overwrite: () => s3.send(put(own)),
    'overwrite what has this ETag': () => s3.send(put(own, { IfMatch: '*' })),
    'write without the header': () => s3.send(put(next)),
    'write under the name of another function': () => s3.send(put(`${other}x`, once)),
    'write beside the segments': () => s3.send(put('spill/x', once)),
    'write with a key of its own': () => s3.send(put(next, { ...once, ...customer })),
    'write with another key of KMS': () => s3.send(put(next, { ...once, ServerSideEncryption: 'AES256' })),
    'write to the archive': () => s3.send(put(next, { ...once, StorageClass: 'DEEP_ARCHIVE' })),
    'write with tags': () => s3.send(put(next, { ...once, Tagging: 'a=b' })),
    'write with an ACL': () => s3.send(put(next, { ...once, ACL: 'public-read' })),
    'write with a retention': () =>
      s3.send(put(next, { ...once, ObjectLockMode: 'GOVERNANCE', ObjectLockRetainUntilDate: new Date(1) })),
    'write in parts': () => s3.send(new CreateMultipartUploadCommand({ Bucket, Key: next })),
    copy: () => s3.send(new CopyObjectCommand({ Bucket, Key: next, CopySource: `${Bucket}/${own}` })),
    read: () => s3.send(new GetObjectCommand(at)),
    'read a version': () => s3.send(new GetObjectCommand({ ...at, VersionId: version })),
    'read of another function': () => s3.send(new GetObjectCommand({ Bucket, Key: other })),
    look: () => s3.send(new HeadObjectCommand(at)),
    list: () => s3.send(new ListObjectsV2Command({ Bucket, Prefix: own.slice(0, 12) })),
    'list versions': () => s3.send(new ListObjectVersionsCommand({ Bucket })),
    delete: () => s3.send(new DeleteObjectCommand(at)),
    'delete a version': () => s3.send(new DeleteObjectCommand({ ...at, VersionId: version, BypassGovernanceRetention: true })),
    'delete many': async () => {
      const { Errors } = await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key: own }] } }));
      throw Object.assign(new Error(), { name: Errors?.[0]?.Code ?? 'nothing' });
    },
    tag: () => s3.send(new PutObjectTaggingCommand({ ...at, Tagging: { TagSet: [{ Key: 'a', Value: 'b' }] } })),
    'change the ACL': () => s3.send(new PutObjectAclCommand({ ...at, ACL: 'public-read' })),
    'change the retention': () =>
      s3.send(new PutObjectRetentionCommand({ ...at, Retention: { Mode: 'GOVERNANCE', RetainUntilDate: new Date(1) } })),
    'change the legal hold': () => s3.send(new PutObjectLegalHoldCommand({ ...at, LegalHold: { Status: 'OFF' } })),
    'change the policy': () => s3.send(new PutBucketPolicyCommand({ Bucket, Policy: policy })),
    'delete the policy': () => s3.send(new DeleteBucketPolicyCommand({ Bucket })),
    'stop the versions': () =>
      s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: 'Suspended' } })),
    'have it expire': () =>
      s3.send(new PutBucketLifecycleConfigurationCommand({ Bucket, LifecycleConfiguration: { Rules: [] } })),
  };
  const found: Record<string, string> = {};
  for (const [name, attempt] of Object.entries(attempts)) {
    found[name] = await attempt().then(
      () => 'done',
      (error: Error & { $metadata?: { httpStatusCode?: number } }) =>
        // The answer to HEAD has no body, so no name.
        error.$metadata?.httpStatusCode === 403 ? 'AccessDenied' : error.name,
    );
  }
  found['write a new segment'] = await s3.send(put(next, once)).then(
    () => 'done',
    (error: Error) => error.name,
  );
  return found;
};
