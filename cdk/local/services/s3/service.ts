import type { Deliver } from '../../delivery.ts';
import type { Environment, Worker } from '../../environment.ts';
import { ServiceError } from '../../http/error.ts';
import { type Exchange, send } from '../../http/exchange.ts';
import { element } from '../../http/xml.ts';
import type { Iam } from '../../iam/account.ts';
import { s3HostId, s3RequestId } from '../../ids.ts';
import { asked, S3Authority } from './authorize.ts';
import {
  createBucket,
  deleteBucket,
  getEncryption,
  getObjectLock,
  getPolicy,
  getVersioning,
  listBuckets,
  putVersioning,
} from './buckets.ts';
import { invalid, notHere } from './errors.ts';
import { listObjects, listObjectsV2, listVersions } from './listing.ts';
import { MultipartUploads } from './multipart.ts';
import { getNotification } from './notification-config.ts';
import { type NotificationOptions, Notifier } from './notifications.ts';
import { copyObject, deleteObject, deleteObjects, getObject, putObject } from './objects.ts';
import { type BucketRequest, reply, type S3Request } from './request.ts';
import { BucketStore } from './store.ts';

/** Query parameters that choose another operation than reading or writing the object or listing the bucket. */
const SUBRESOURCES = [
  'accelerate',
  'acl',
  'analytics',
  'attributes',
  'cors',
  'encryption',
  'intelligent-tiering',
  'inventory',
  'legal-hold',
  'lifecycle',
  'logging',
  'metrics',
  'notification',
  'object-lock',
  'ownershipControls',
  'policy',
  'policyStatus',
  'publicAccessBlock',
  'replication',
  'requestPayment',
  'restore',
  'retention',
  'select',
  'tagging',
  'torrent',
  'website',
];

/** Bucket named by the host (`bucket.s3.eu-west-1.amazonaws.com`, `bucket.localhost`); null for path-style requests. */
function hostBucket(host: string): string | null {
  return /^(.+?)\.(?:s3[.-].*|s3|localhost|127\.0\.0\.1)(?::\d+)?$/.exec(host)?.[1] ?? null;
}

/** S3 over its REST API, path-style and virtual-host-style. Bytes on disk, everything else in memory. */
export class S3Service implements Worker {
  readonly buckets: BucketStore;
  readonly notifier: Notifier;
  readonly #uploads = new MultipartUploads();
  readonly #env: Environment;

  readonly #authority: S3Authority;

  constructor(env: Environment, deliver: Deliver, iam: Iam, options: NotificationOptions) {
    this.#env = env;
    this.#authority = new S3Authority(iam);
    this.buckets = new BucketStore(`${env.stateDir}/s3`);
    this.notifier = new Notifier(env, deliver, options);
  }

  busy(): string | null {
    return this.notifier.busy();
  }

  stop(): void {
    this.notifier.stop();
  }

  async handle(exchange: Exchange): Promise<void> {
    const { req, res, query } = exchange;
    const requestId = s3RequestId();
    const hostId = s3HostId();
    res.setHeader('x-amz-request-id', requestId);
    res.setHeader('x-amz-id-2', hostId);
    res.setHeader('server', 'AmazonS3');
    try {
      const virtual = hostBucket(req.headers.host ?? '');
      const path = virtual === null ? exchange.path.slice(1) : `${virtual}${exchange.path}`;
      const slash = path.indexOf('/');
      const accessKey = exchange.scope?.accessKey ?? 'anonymous';
      const caller = this.#authority.caller({ accessKey });
      const request: S3Request = {
        req,
        res,
        query,
        bucketName: decodeURIComponent(slash < 0 ? path : path.slice(0, slash)),
        key: slash < 0 ? '' : decodeURIComponent(path.slice(slash + 1)),
        requestId,
        hostId,
        accessKey,
        buckets: this.buckets,
        notifier: this.notifier,
        demand: (bucket, wanted) => this.#authority.check(caller, bucket.name, bucket, wanted),
        mayList: (bucket) => this.#authority.mayList(caller, bucket),
      };
      const bucket = this.buckets.find(request.bucketName);
      for (const one of asked(request)) this.#authority.check(caller, request.bucketName, bucket, one);
      await this.#dispatch(request);
    } catch (cause) {
      this.#fail(exchange, cause, requestId, hostId);
    }
  }

  async #dispatch(request: S3Request): Promise<void> {
    const { req, query, bucketName, key } = request;
    const { method = 'GET' } = req;
    if (bucketName === '') {
      if (method === 'GET') return listBuckets(request, this.#env.accountId);
      throw invalid(`${method} needs a bucket.`, 'MethodNotAllowed');
    }
    if (method === 'PUT' && key === '' && query.size === 0) return createBucket(request);
    if (method === 'GET' && key === '' && query.has('notification'))
      return getNotification({ ...request, bucket: this.buckets.get(bucketName) });
    const told = [
      ['object-lock', getObjectLock],
      ['policy', getPolicy],
      ['encryption', getEncryption],
    ] as const;
    const [, tell] = told.find(([name]) => method === 'GET' && key === '' && query.has(name)) ?? [];
    if (tell !== undefined) return tell({ ...request, bucket: this.buckets.get(bucketName) });
    const sub = SUBRESOURCES.find((name) => query.has(name));
    if (sub !== undefined) throw notHere(`the S3 subresource ?${sub} (${method} on ${key === '' ? 'a bucket' : 'an object'})`);
    const onBucket: BucketRequest = { ...request, bucket: this.buckets.get(bucketName) };
    await (key === '' ? this.#onBucket(onBucket, method) : this.#onObject(onBucket, method));
  }

  async #onBucket(request: BucketRequest, method: string): Promise<void> {
    const { query } = request;
    if (method === 'HEAD') return reply(request, 200, { 'x-amz-bucket-region': this.#env.region });
    if (method === 'DELETE') return deleteBucket(request);
    if (method === 'POST' && query.has('delete')) return deleteObjects(request);
    if (method === 'PUT' && query.has('versioning')) return putVersioning(request);
    if (method !== 'GET') throw notHere(`${method} on a bucket with ?${[...query.keys()].join('&')}`);
    if (query.has('versioning')) return getVersioning(request);
    if (query.has('versions')) return listVersions(request);
    if (query.has('uploads')) return this.#uploads.list(request);
    if (query.has('location'))
      return reply(
        request,
        200,
        {},
        { root: 'LocationConstraint', value: this.#env.region === 'us-east-1' ? '' : this.#env.region },
      );
    return query.get('list-type') === '2' ? listObjectsV2(request) : listObjects(request);
  }

  async #onObject(request: BucketRequest, method: string): Promise<void> {
    const { query, req } = request;
    if (Buffer.byteLength(request.key) > 1024) throw invalid('Your key is too long.', 'KeyTooLongError');
    if (method === 'POST' && query.has('uploads')) return this.#uploads.create(request);
    if (query.has('uploadId')) {
      if (method === 'PUT') return this.#uploads.part(request);
      if (method === 'POST') return this.#uploads.complete(request);
      if (method === 'DELETE') return this.#uploads.abort(request);
      if (method === 'GET') return this.#uploads.listParts(request);
    }
    if (method === 'GET') return getObject(request, true);
    if (method === 'HEAD') return getObject(request, false);
    if (method === 'DELETE') return deleteObject(request);
    if (method === 'PUT') return req.headers['x-amz-copy-source'] === undefined ? putObject(request) : copyObject(request);
    throw notHere(`${method} on an object with ?${[...query.keys()].join('&')}`);
  }

  #fail(exchange: Exchange, cause: unknown, requestId: string, hostId: string): void {
    const malformed = cause instanceof URIError;
    const error = malformed ? invalid('The URI could not be decoded.', 'InvalidURI') : ServiceError.of(cause);
    if (error.status >= 500 && error.code === 'InternalFailure') this.#env.log(`S3: ${error.message}`);
    const value = { Code: error.code, Message: error.message, Resource: exchange.path, RequestId: requestId, HostId: hostId };
    // HEAD answers have no body, so the SDK can only go by the status.
    const body = exchange.req.method === 'HEAD' ? '' : element('Error', value);
    // What is left of a refused upload is read away, or the client would never come to read the answer.
    exchange.req.resume();
    send(exchange.res, error.status, { 'content-type': 'application/xml' }, body);
  }
}
