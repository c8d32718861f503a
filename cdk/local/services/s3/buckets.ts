import { ServiceError } from '../../http/error.ts';
import { readBody, send } from '../../http/exchange.ts';
import { children, parseXml } from '../../http/xml.ts';
import { invalid } from './errors.ts';
import { type BucketRequest, reply, type S3Request } from './request.ts';

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html */
export const BUCKET_NAME = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;

export async function createBucket(request: S3Request): Promise<void> {
  await readBody(request.req);
  if (!BUCKET_NAME.test(request.bucketName))
    throw invalid(`${request.bucketName} is not a valid bucket name.`, 'InvalidBucketName');
  if (request.buckets.find(request.bucketName) !== null)
    throw new ServiceError('BucketAlreadyOwnedByYou', `You already own the bucket ${request.bucketName}.`, 409);
  request.buckets.create(request.bucketName);
  reply(request, 200, { location: `/${request.bucketName}` });
}

export async function deleteBucket(request: BucketRequest): Promise<void> {
  if (!request.bucket.empty) throw new ServiceError('BucketNotEmpty', `The bucket ${request.bucketName} is not empty.`, 409);
  await request.buckets.delete(request.bucketName);
  reply(request, 204);
}

export function listBuckets(request: S3Request, accountId: string): void {
  const Bucket = request.buckets.list().map((one) => ({ Name: one.name, CreationDate: one.created.toISOString() }));
  reply(request, 200, {}, { root: 'ListAllMyBucketsResult', value: { Owner: { ID: accountId }, Buckets: { Bucket } } });
}

export function getVersioning(request: BucketRequest): void {
  const { versioning } = request.bucket;
  const value = versioning === null ? {} : { Status: versioning };
  reply(request, 200, {}, { root: 'VersioningConfiguration', value });
}

export function getObjectLock(request: BucketRequest): void {
  const { lock } = request.bucket;
  if (lock === null)
    throw new ServiceError(
      'ObjectLockConfigurationNotFoundError',
      'Object Lock configuration does not exist for this bucket',
      404,
    );
  const value = { ObjectLockEnabled: 'Enabled', Rule: { DefaultRetention: { Mode: lock.mode, Days: String(lock.days) } } };
  reply(request, 200, {}, { root: 'ObjectLockConfiguration', value });
}

export function getPolicy({ bucket, res }: BucketRequest): void {
  if (bucket.policyDocument === null) throw new ServiceError('NoSuchBucketPolicy', 'The bucket policy does not exist', 404);
  send(res, 200, { 'content-type': 'application/json' }, JSON.stringify(bucket.policyDocument));
}

export function getEncryption(request: BucketRequest): void {
  const { keyArn } = request.bucket;
  const by = keyArn === null ? { SSEAlgorithm: 'AES256' } : { SSEAlgorithm: 'aws:kms', KMSMasterKeyID: keyArn };
  const value = { Rule: { ApplyServerSideEncryptionByDefault: by, BucketKeyEnabled: String(keyArn !== null) } };
  reply(request, 200, {}, { root: 'ServerSideEncryptionConfiguration', value });
}

export async function putVersioning(request: BucketRequest): Promise<void> {
  const document = parseXml((await readBody(request.req)).toString('utf8'));
  const status = children(document, 'VersioningConfiguration')[0]?.Status;
  if (status !== 'Enabled' && status !== 'Suspended') throw invalid('Status must be Enabled or Suspended.', 'MalformedXML');
  request.bucket.versioning = status;
  reply(request, 200);
}
