import { randomUUID } from 'node:crypto';
import type { Deliver } from '../../delivery.ts';
import type { Environment, Worker } from '../../environment.ts';
import { parseArn } from '../../environment.ts';
import { Pending } from '../../pending.ts';
import { interested, type NotificationTarget } from './notification-config.ts';
import type { Bucket, ObjectVersion } from './store.ts';

/** Misbehaviour that S3 allows itself: notifications come at least once, late, and in any order. */
export interface NotificationOptions {
  /** Share of notifications sent twice, 0..1. */
  readonly duplicate?: number;
  /** Each notification waits for a time drawn from this range, in ms. */
  readonly delayMs?: readonly [number, number];
  /** Notifications of a short interval are shuffled. */
  readonly reorder?: boolean;
  /** Same seed, same choices. */
  readonly seed?: number;
}

/** What happened to an object. */
export interface ObjectChange {
  /** E.g. `ObjectCreated:Put`. */
  readonly eventName: string;
  readonly bucket: Bucket;
  readonly object: ObjectVersion;
  /** Ids of the response to the request that caused it. */
  readonly requestId: string;
  readonly hostId: string;
  readonly sourceIp: string;
  readonly principal: string;
}

/** How long a notification may be held to be shuffled with later ones. */
const REORDER_WINDOW_MS = 120;

/** Small seeded generator (mulberry32): the choices must be repeatable, not unpredictable. */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** Key as S3 writes it in notifications: form encoding (space is `+`), slashes kept. */
export function encodeKey(key: string): string {
  return encodeURIComponent(key)
    .replaceAll('%20', '+')
    .replaceAll('%2F', '/')
    .replace(/[!'()]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** Tells functions, queues, topics and EventBridge what happened in a bucket. */
export class Notifier implements Worker {
  readonly #env: Environment;
  readonly #deliver: Deliver;
  readonly #options: NotificationOptions;
  readonly #random: () => number;
  readonly #pending: Pending;
  #sequence = BigInt(Date.now()) << 20n;

  constructor(env: Environment, deliver: Deliver, options: NotificationOptions) {
    this.#env = env;
    this.#deliver = deliver;
    this.#options = options;
    this.#random = seeded(options.seed ?? 1);
    this.#pending = new Pending('S3 notification', env.log);
  }

  /** Called once the change is visible and before the caller gets its answer. */
  notify(change: ObjectChange): void {
    const config = change.bucket.notifications;
    if (config === null) return;
    const sequencer = (this.#sequence++).toString(16).toUpperCase().padStart(18, '0');
    for (const target of interested(config, change.eventName, change.object.key)) {
      const event = JSON.stringify({ Records: [this.#record(change, target, sequencer)] });
      this.#send(() =>
        this.#deliver.to(target.arn, event, {
          sourceArn: `arn:aws:s3:::${change.bucket.name}`,
          subject: 'Amazon S3 Notification',
        }),
      );
    }
    if (config.eventBridge) this.#send(() => this.#deliver.publish(this.#eventBridgeEvent(change, sequencer)));
  }

  busy(): string | null {
    return this.#pending.busy();
  }

  stop(): void {
    this.#pending.stop();
  }

  #send(job: () => Promise<void>): void {
    const copies = this.#random() < (this.#options.duplicate ?? 0) ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) this.#pending.start(job, this.#delay());
  }

  #delay(): number {
    const [least, most] = this.#options.delayMs ?? [0, 0];
    const delay = least + this.#random() * (most - least);
    return this.#options.reorder === true ? delay + this.#random() * REORDER_WINDOW_MS : delay;
  }

  /** https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html */
  #record(change: ObjectChange, target: NotificationTarget, sequencer: string): unknown {
    const { object, bucket } = change;
    const removed = change.eventName.startsWith('ObjectRemoved');
    return {
      eventVersion: '2.1',
      eventSource: 'aws:s3',
      awsRegion: this.#env.region,
      eventTime: object.modified.toISOString(),
      eventName: change.eventName,
      userIdentity: { principalId: `AWS:${change.principal}` },
      requestParameters: { sourceIPAddress: change.sourceIp },
      responseElements: { 'x-amz-request-id': change.requestId, 'x-amz-id-2': change.hostId },
      s3: {
        s3SchemaVersion: '1.0',
        configurationId: target.id,
        bucket: {
          name: bucket.name,
          ownerIdentity: { principalId: 'A3NL1KOZZKExample' },
          arn: `arn:aws:s3:::${bucket.name}`,
        },
        object: {
          key: encodeKey(object.key),
          ...(removed ? {} : { size: object.size, eTag: object.etag }),
          ...(object.versionId === 'null' ? {} : { versionId: object.versionId }),
          sequencer,
        },
      },
    };
  }

  /** https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html: here the key is not encoded. */
  #eventBridgeEvent(change: ObjectChange, sequencer: string) {
    const { object, bucket, eventName } = change;
    const created = eventName.startsWith('ObjectCreated');
    const reasons: Record<string, string> = {
      'ObjectCreated:Put': 'PutObject',
      'ObjectCreated:Copy': 'CopyObject',
      'ObjectCreated:CompleteMultipartUpload': 'CompleteMultipartUpload',
    };
    return {
      version: '0',
      id: randomUUID(),
      'detail-type': created ? 'Object Created' : 'Object Deleted',
      source: 'aws.s3',
      account: this.#env.accountId,
      time: `${object.modified.toISOString().slice(0, 19)}Z`,
      region: this.#env.region,
      resources: [`arn:aws:s3:::${bucket.name}`],
      detail: {
        version: '0',
        bucket: { name: bucket.name },
        object: {
          key: object.key,
          ...(created ? { size: object.size, etag: object.etag } : {}),
          ...(object.versionId === 'null' ? {} : { 'version-id': object.versionId }),
          sequencer,
        },
        'request-id': change.requestId,
        requester: parseArn(change.principal)?.accountId ?? this.#env.accountId,
        'source-ip-address': change.sourceIp,
        ...(created
          ? { reason: reasons[eventName] ?? 'PutObject' }
          : {
              reason: 'DeleteObject',
              'deletion-type': eventName.endsWith('Delete') ? 'Permanently Deleted' : 'Delete Marker Created',
            }),
      },
    };
  }
}
