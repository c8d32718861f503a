import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import type { EventBridgeEvent, SQSBatchResponse, SQSEvent } from 'aws-lambda';
import { required } from '../contract/environment.ts';
import type { Order } from '../contract/messages.ts';
import { productPage } from './page.ts';

const s3 = new S3Client({});

type Placed = EventBridgeEvent<'order.placed', Order>;

/** Renders the page of every product that is bought. Orders come by the queue and, as a second way, by the event bus. */
export async function handler(event: SQSEvent | Placed): Promise<SQSBatchResponse> {
  if (!('Records' in event)) {
    await render(event.detail);
    return { batchItemFailures: [] };
  }
  const batchItemFailures = [];
  for (const record of event.Records) {
    try {
      await render(JSON.parse(record.body) as Order);
    } catch (error) {
      console.error(error);
      batchItemFailures.push({ itemIdentifier: record.messageId });
    }
  }
  return { batchItemFailures };
}

async function render(order: Order): Promise<void> {
  await s3.send(
    new PutObjectCommand({
      Bucket: required('SITE_BUCKET'),
      Key: `pages/${order.product}.html`,
      Body: productPage(order),
      ContentType: 'text/html; charset=utf-8',
    }),
  );
}
