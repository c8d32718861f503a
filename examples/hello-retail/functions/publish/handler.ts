import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { required } from '../contract/environment.ts';
import type { Announcement } from '../contract/messages.ts';
import { tell } from './webhook.ts';

const events = new EventBridgeClient({});
const queues = new SQSClient({});

/** Announces what happened: to the bus, orders also to the catalogue's queue, and to partners over HTTPS. */
export async function handler(announcement: Announcement): Promise<{ published: true }> {
  const { FailedEntryCount } = await events.send(
    new PutEventsCommand({
      Entries: [{ Source: 'hello-retail', DetailType: announcement.type, Detail: JSON.stringify(announcement.detail) }],
    }),
  );
  if (FailedEntryCount) throw new Error(`the event bus refused ${announcement.type}`);
  if (announcement.type === 'order.placed') {
    await queues.send(
      new SendMessageCommand({ QueueUrl: required('CATALOG_QUEUE'), MessageBody: JSON.stringify(announcement.detail) }),
    );
  }
  for (const address of partnersOf(announcement)) {
    try {
      await tell(address, { type: announcement.type, ...announcement.detail });
    } catch (error) {
      // An order stands whether or not a partner is up.
      console.error(error);
    }
  }
  return { published: true };
}

function partnersOf(announcement: Announcement): string[] {
  return [process.env.PARTNER_URL, announcement.notify].flatMap((address) =>
    address?.startsWith('https://') ? [address] : [],
  );
}
