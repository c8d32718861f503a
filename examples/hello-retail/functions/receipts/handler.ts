import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import type { DynamoDBStreamEvent } from 'aws-lambda';
import { required } from '../contract/environment.ts';

const s3 = new S3Client({});

/** Writes a receipt for every new order, read from the Orders table's stream. */
export async function handler(event: DynamoDBStreamEvent): Promise<void> {
  for (const { eventName, dynamodb } of event.Records) {
    const order = dynamodb?.NewImage;
    const orderId = order?.orderId?.S;
    if (eventName === 'REMOVE' || !order || orderId === undefined) continue;
    const receipt = {
      orderId,
      user: order.user?.S,
      product: order.productName?.S,
      quantity: Number(order.quantity?.N),
      total: Number(order.total?.N),
      charged: Number(order.charged?.N),
    };
    await s3.send(
      new PutObjectCommand({
        Bucket: required('SITE_BUCKET'),
        Key: `receipts/${orderId}.json`,
        Body: JSON.stringify(receipt),
        ContentType: 'application/json',
      }),
    );
  }
}
