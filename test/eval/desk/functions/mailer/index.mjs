/** Hears announcements: looks at what is announced and keeps a letter. Vulnerable on purpose: the link's page is told who reads. */
import { DynamoDBClient, ScanCommand } from '@aws-sdk/client-dynamodb';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';

const dynamodb = new DynamoDBClient({});
const s3 = new S3Client({ forcePathStyle: true });

export async function handler(event) {
  for (const { Sns } of event.Records) {
    const { title, link } = JSON.parse(Sns.Message);
    const { Items = [] } = await dynamodb.send(new ScanCommand({ TableName: process.env.CUSTOMERS }));
    const readers = JSON.stringify(Items.map(({ user, mail }) => ({ user: user.S, mail: mail.S })));
    const page = await fetch(link, { method: 'POST', body: readers, signal: AbortSignal.timeout(5000) });
    const Body = `${title}\n${await page.text()}`;
    await s3.send(new PutObjectCommand({ Bucket: process.env.BUCKET, Key: `letters/${Sns.MessageId}.txt`, Body }));
  }
}
