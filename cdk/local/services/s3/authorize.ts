import { ServiceError } from '../../http/error.ts';
import type { Caller, Iam } from '../../iam/account.ts';
import type { Context } from '../../iam/conditions.ts';
import { header, type S3Request } from './request.ts';
import type { Bucket } from './store.ts';

/** What a request asks for: actions ("Actions, resources, and condition keys for Amazon S3"), and on which key. */
export interface Asked {
  readonly action: string;
  /** Empty: on the bucket. */
  readonly key: string;
  readonly context?: Context;
}

/** Subresources whose action is not `Get…` or `Put…` with their name: of an object, of a bucket. */
const OBJECT_ACTIONS: Readonly<Record<string, string>> = {
  acl: 'ObjectAcl',
  attributes: 'ObjectAttributes',
  'legal-hold': 'ObjectLegalHold',
  retention: 'ObjectRetention',
  tagging: 'ObjectTagging',
  torrent: 'ObjectTorrent',
};
const BUCKET_ACTIONS: Readonly<Record<string, string>> = {
  accelerate: 'AccelerateConfiguration',
  acl: 'BucketAcl',
  cors: 'BucketCORS',
  encryption: 'EncryptionConfiguration',
  lifecycle: 'LifecycleConfiguration',
  logging: 'BucketLogging',
  notification: 'BucketNotification',
  'object-lock': 'BucketObjectLockConfiguration',
  ownershipControls: 'BucketOwnershipControls',
  policy: 'BucketPolicy',
  publicAccessBlock: 'BucketPublicAccessBlock',
  replication: 'ReplicationConfiguration',
  tagging: 'BucketTagging',
  versioning: 'BucketVersioning',
  website: 'BucketWebsite',
};

/** Request headers that are condition keys of the same name. */
const HEADER_KEYS = [
  'x-amz-acl',
  'x-amz-content-sha256',
  'x-amz-copy-source',
  'x-amz-metadata-directive',
  'x-amz-server-side-encryption',
  'x-amz-server-side-encryption-aws-kms-key-id',
  'x-amz-server-side-encryption-customer-algorithm',
  'x-amz-storage-class',
  'x-amz-website-redirect-location',
];

/** Everything that one request asks for; one that copies asks for two things. Deletion of many keys asks key by key, later. */
export function asked(request: S3Request): readonly Asked[] {
  const { req, query, key } = request;
  const { method = 'GET' } = req;
  const kind = method === 'HEAD' ? 'GET' : method;
  if (request.bucketName === '') return [{ action: 's3:ListAllMyBuckets', key }];
  return key === '' ? onBucket(kind, query) : onObject(request, kind, query);
}

function onBucket(method: string, query: URLSearchParams): readonly Asked[] {
  const of = (action: string, context: Context = {}): readonly Asked[] => [{ action: `s3:${action}`, key: '', context }];
  const verb = method === 'GET' ? 'Get' : method === 'DELETE' ? 'Delete' : 'Put';
  const sub = Object.keys(BUCKET_ACTIONS).find((name) => query.has(name));
  if (sub !== undefined) return of(`${verb}${BUCKET_ACTIONS[sub]}`);
  if (method === 'POST') return [];
  if (method === 'PUT') return of('CreateBucket');
  if (method === 'DELETE') return of('DeleteBucket');
  if (query.has('location')) return of('GetBucketLocation');
  if (query.has('uploads')) return of('ListBucketMultipartUploads');
  const given = (name: string) => query.get(name) ?? undefined;
  const context = { 's3:prefix': given('prefix'), 's3:delimiter': given('delimiter'), 's3:max-keys': given('max-keys') };
  return of(query.has('versions') ? 'ListBucketVersions' : 'ListBucket', context);
}

function onObject(request: S3Request, method: string, query: URLSearchParams): readonly Asked[] {
  const { key, req } = request;
  const versionId = query.get('versionId');
  const of = (action: string, context: Context = {}): Asked => ({ action: `s3:${action}`, key, context });
  const version = { 's3:versionid': versionId ?? undefined };
  const versioned = versionId === null ? '' : 'Version';
  const sub = Object.keys(OBJECT_ACTIONS).find((name) => query.has(name));
  if (sub !== undefined) {
    const verb = method === 'GET' ? 'Get' : method === 'DELETE' ? 'Delete' : 'Put';
    return [of(`${verb}${(OBJECT_ACTIONS[sub] ?? '').replace('Object', `Object${versioned}`)}`, version)];
  }
  if (method === 'GET' && query.has('uploadId')) return [of('ListMultipartUploadParts')];
  if (method === 'DELETE' && query.has('uploadId')) return [of('AbortMultipartUpload')];
  if (method === 'GET') return [of(`GetObject${versioned}`, version)];
  if (method === 'DELETE') return [of(`DeleteObject${versioned}`, version)];
  // Creating an upload and sending its parts makes no object yet.
  const creates = !query.has('uploads') && !(query.has('uploadId') && method === 'PUT');
  const context: Record<string, string | undefined> = {
    's3:objectcreationoperation': String(creates),
    's3:if-none-match': header(req, 'if-none-match'),
    's3:if-match': header(req, 'if-match'),
    's3:object-lock-mode': header(req, 'x-amz-object-lock-mode'),
  };
  for (const name of HEADER_KEYS) context[`s3:${name}`] = header(req, name);
  const also = [
    ...(header(req, 'x-amz-tagging') === undefined ? [] : [of('PutObjectTagging', context)]),
    ...(Object.keys(req.headers).some((name) => name === 'x-amz-acl' || name.startsWith('x-amz-grant-'))
      ? [of('PutObjectAcl', context)]
      : []),
    ...(header(req, 'x-amz-object-lock-mode') === undefined ? [] : [of('PutObjectRetention', context)]),
    ...(header(req, 'x-amz-object-lock-legal-hold') === undefined ? [] : [of('PutObjectLegalHold', context)]),
  ];
  return [of('PutObject', context), ...also];
}

/** Decides about requests to S3 as the policies of the template say. */
export class S3Authority {
  readonly #iam: Iam;

  constructor(iam: Iam) {
    this.#iam = iam;
  }

  caller({ accessKey }: Pick<S3Request, 'accessKey'>): Caller {
    return this.#iam.caller(accessKey === 'anonymous' ? null : accessKey);
  }

  /** @throws ServiceError AccessDenied (403) */
  check(caller: Caller, name: string, bucket: Bucket | null, { action, key, context = {} }: Asked): void {
    const resource = name === '' ? '*' : `arn:aws:s3:::${name}${key === '' ? '' : `/${key}`}`;
    const policy = bucket?.policy ?? null;
    const refusal =
      this.#iam.refusal(caller, { action, resource, context: { 's3:tlsversion': '1.3', ...context }, policy, open: true }) ??
      (caller.isRole ? this.#keyRefusal(caller, bucket, action) : null);
    if (refusal !== null) throw new ServiceError('AccessDenied', refusal, 403);
  }

  /** Whether the caller may know that an object is not there ("GetObject", permissions: without it the answer is 403). */
  mayList(caller: Caller, bucket: Bucket): boolean {
    const resource = `arn:aws:s3:::${bucket.name}`;
    return this.#iam.refusal(caller, { action: 's3:ListBucket', resource, policy: bucket.policy, open: true }) === null;
  }

  #keyRefusal(caller: Caller, bucket: Bucket | null, action: string): string | null {
    if (bucket?.keyArn == null) return null;
    if (action === 's3:PutObject') return this.#iam.keyRefusal(caller, 'kms:GenerateDataKey', bucket.keyArn);
    return /^s3:GetObject(Version)?$/.test(action) ? this.#iam.keyRefusal(caller, 'kms:Decrypt', bucket.keyArn) : null;
  }
}
