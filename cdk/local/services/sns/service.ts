import { randomUUID } from 'node:crypto';
import type { Deliver } from '../../delivery.ts';
import type { Environment, Worker } from '../../environment.ts';
import { ServiceError, sendQueryError } from '../../http/error.ts';
import { type Exchange, readBody, send } from '../../http/exchange.ts';
import { element, type XmlValue } from '../../http/xml.ts';
import { uuid } from '../../ids.ts';
import { Pending } from '../../pending.ts';
import { matches, type Pattern } from '../events/pattern.ts';

export const SNS_XMLNS = 'http://sns.amazonaws.com/doc/2010-03-31/';

export interface Subscription {
  readonly arn: string;
  readonly topicArn: string;
  readonly protocol: 'lambda' | 'sqs';
  readonly endpoint: string;
  readonly raw: boolean;
  readonly filter: Pattern | null;
  readonly filterScope: 'MessageAttributes' | 'MessageBody';
}

interface Attribute {
  readonly Type: string;
  readonly Value: string;
}

interface Publication {
  readonly topicArn: string;
  readonly message: string;
  readonly subject: string | null;
  readonly attributes: Readonly<Record<string, Attribute>>;
}

/** Attributes as filter policies see them: numbers as numbers, lists as lists. */
function filterable(attributes: Readonly<Record<string, Attribute>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(attributes).map(([name, one]) => [
      name,
      one.Type === 'Number' ? Number(one.Value) : one.Type === 'String.Array' ? JSON.parse(one.Value) : one.Value,
    ]),
  );
}

function body(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** SNS: Publish and PublishBatch to functions and queues. */
export class SnsService implements Worker {
  readonly #env: Environment;
  readonly #deliver: Deliver;
  readonly #topics = new Set<string>();
  readonly #subscriptions: Subscription[] = [];
  readonly #pending: Pending;

  constructor(env: Environment, deliver: Deliver) {
    this.#env = env;
    this.#deliver = deliver;
    this.#pending = new Pending('SNS delivery', env.log);
  }

  createTopic(name: string): string {
    const arn = `arn:aws:sns:${this.#env.region}:${this.#env.accountId}:${name}`;
    this.#topics.add(arn);
    return arn;
  }

  subscribe(subscription: Omit<Subscription, 'arn'>): string {
    const arn = `${subscription.topicArn}:${randomUUID()}`;
    this.#subscriptions.push({ ...subscription, arn });
    return arn;
  }

  busy(): string | null {
    return this.#pending.busy();
  }

  stop(): void {
    this.#pending.stop();
  }

  /** Publishes and returns the MessageId. Throws NotFound. */
  publish(publication: Publication): string {
    if (!this.#topics.has(publication.topicArn))
      throw new ServiceError('NotFound', `Topic does not exist: ${publication.topicArn}`, 404);
    const messageId = randomUUID();
    const timestamp = new Date().toISOString();
    for (const one of this.#subscriptions) {
      if (one.topicArn !== publication.topicArn || !this.#wants(one, publication)) continue;
      const payload =
        one.protocol === 'lambda'
          ? this.#event(one, publication, messageId, timestamp)
          : this.#envelope(one, publication, messageId, timestamp);
      this.#pending.start(() => this.#deliver.to(one.endpoint, payload, { sourceArn: publication.topicArn }));
    }
    return messageId;
  }

  async handle(exchange: Exchange, form?: URLSearchParams): Promise<void> {
    try {
      const fields = form ?? new URLSearchParams((await readBody(exchange.req)).toString('utf8'));
      const requestId = uuid();
      const action = fields.get('Action') ?? '';
      const result = this.#run(action, fields);
      const xml = element(
        `${action}Response`,
        { [`${action}Result`]: result, ResponseMetadata: { RequestId: requestId } },
        SNS_XMLNS,
      );
      send(exchange.res, 200, { 'content-type': 'text/xml', 'x-amzn-requestid': requestId }, xml);
    } catch (cause) {
      sendQueryError(exchange.res, cause, SNS_XMLNS);
    }
  }

  #run(action: string, fields: URLSearchParams): XmlValue {
    const topicArn = fields.get('TopicArn') ?? fields.get('TargetArn') ?? '';
    if (action === 'Publish') return { MessageId: this.publish({ topicArn, ...entry(fields, '') }) };
    if (action === 'PublishBatch') {
      const member: XmlValue[] = [];
      for (let index = 1; fields.has(`PublishBatchRequestEntries.member.${index}.Id`); index++) {
        const prefix = `PublishBatchRequestEntries.member.${index}.`;
        member.push({ Id: fields.get(`${prefix}Id`) ?? '', MessageId: this.publish({ topicArn, ...entry(fields, prefix) }) });
      }
      return { Successful: { member }, Failed: {} };
    }
    if (action === 'ListTopics') return { Topics: { member: [...this.#topics].map((TopicArn) => ({ TopicArn })) } };
    if (action === 'ListSubscriptions') {
      const member = this.#subscriptions.map(({ arn, topicArn: TopicArn, protocol: Protocol, endpoint: Endpoint }) => ({
        ...{ SubscriptionArn: arn, Owner: this.#env.accountId, Protocol, Endpoint, TopicArn },
      }));
      return { Subscriptions: { member } };
    }
    throw new ServiceError(
      'InvalidAction',
      `The local engine offers Publish, PublishBatch, ListTopics and ListSubscriptions of SNS, not ${action}.`,
    );
  }

  #wants(subscription: Subscription, publication: Publication): boolean {
    if (subscription.filter === null) return true;
    const seen = subscription.filterScope === 'MessageBody' ? body(publication.message) : filterable(publication.attributes);
    return matches(subscription.filter, seen);
  }

  #content(subscription: Subscription, publication: Publication, messageId: string, timestamp: string) {
    const attributes = Object.keys(publication.attributes).length === 0 ? {} : { MessageAttributes: publication.attributes };
    return {
      Type: 'Notification',
      MessageId: messageId,
      TopicArn: publication.topicArn,
      Subject: publication.subject,
      Message: publication.message,
      Timestamp: timestamp,
      SignatureVersion: '1',
      Signature: 'EXAMPLE',
      SigningCertUrl: `https://sns.${this.#env.region}.amazonaws.com/SimpleNotificationService.pem`,
      UnsubscribeUrl: `https://sns.${this.#env.region}.amazonaws.com/?Action=Unsubscribe&SubscriptionArn=${subscription.arn}`,
      ...attributes,
    };
  }

  /** https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html */
  #event(subscription: Subscription, publication: Publication, messageId: string, timestamp: string): string {
    const content = this.#content(subscription, publication, messageId, timestamp);
    const Sns = { ...content, MessageAttributes: publication.attributes };
    return JSON.stringify({
      Records: [{ EventVersion: '1.0', EventSubscriptionArn: subscription.arn, EventSource: 'aws:sns', Sns }],
    });
  }

  #envelope(subscription: Subscription, publication: Publication, messageId: string, timestamp: string): string {
    if (subscription.raw) return publication.message;
    const { SigningCertUrl, UnsubscribeUrl, Subject, ...rest } = this.#content(subscription, publication, messageId, timestamp);
    return JSON.stringify({
      ...rest,
      ...(Subject === null ? {} : { Subject }),
      SigningCertURL: SigningCertUrl,
      UnsubscribeURL: UnsubscribeUrl,
    });
  }
}

/** Message, subject and attributes of a form, or of one entry of a batch. */
function entry(fields: URLSearchParams, prefix: string): Omit<Publication, 'topicArn'> {
  const attributes: Record<string, Attribute> = {};
  for (let index = 1; fields.has(`${prefix}MessageAttributes.entry.${index}.Name`); index++) {
    const at = `${prefix}MessageAttributes.entry.${index}.`;
    const Value = fields.get(`${at}Value.StringValue`) ?? fields.get(`${at}Value.BinaryValue`) ?? '';
    attributes[fields.get(`${at}Name`) ?? ''] = { Type: fields.get(`${at}Value.DataType`) ?? 'String', Value };
  }
  return { message: fields.get(`${prefix}Message`) ?? '', subject: fields.get(`${prefix}Subject`), attributes };
}
