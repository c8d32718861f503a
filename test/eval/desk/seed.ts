import { BatchWriteItemCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';

/** Made up; the addresses are of names that nobody can have (RFC 2606). */
export const customers = ['ada', 'brian', 'chen', 'dana', 'emeka', 'farah', 'goran', 'hana'].map((user, place) => ({
  user,
  mail: `${user}@customers.example`,
  plan: place % 2 === 0 ? 'small' : 'large',
  iban: `DE0250010517${String(5407324930 + place)}`,
}));

export const documents = ['handbook.txt', 'prices.txt', 'terms.txt'].map((name) => ({
  name,
  text: `${name}\n${Array.from({ length: 30 }, (_, line) => `${line}: the quick brown fox of ${name}`).join('\n')}\n`,
}));

/** Fills the desk's table and bucket. @throws Error when the table did not take everything. */
export async function seed(endpoint: string, region: string, bucket: string): Promise<void> {
  const target = { endpoint, region, credentials: { accessKeyId: 'local', secretAccessKey: 'local' } };
  const dynamodb = new DynamoDBClient(target);
  const s3 = new S3Client({ ...target, forcePathStyle: true });
  try {
    const rows = customers.map((row) => ({
      PutRequest: { Item: Object.fromEntries(Object.entries(row).map(([name, value]) => [name, { S: value }])) },
    }));
    const { UnprocessedItems = {} } = await dynamodb.send(
      new BatchWriteItemCommand({ RequestItems: { 'desk-customers': rows } }),
    );
    if (Object.keys(UnprocessedItems).length > 0) throw new Error('Not all customers were written.');
    for (const { name, text } of documents)
      await s3.send(new PutObjectCommand({ Bucket: bucket, Key: `library/${name}`, Body: text }));
  } finally {
    dynamodb.destroy();
    s3.destroy();
  }
}
