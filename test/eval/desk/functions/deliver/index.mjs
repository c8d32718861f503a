/** POST /deliver {key, to}: sends a kept document to an address. Vulnerable on purpose, for it takes every document and every address. */
import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3';

const s3 = new S3Client({ forcePathStyle: true });

export async function handler(event) {
  const { key = '', to = '' } = JSON.parse(event.body ?? '{}');
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: process.env.BUCKET, Key: key }));
  const body = await Body.transformToByteArray();
  const response = await fetch(to, { method: 'POST', body, signal: AbortSignal.timeout(5000) });
  return { statusCode: 200, body: JSON.stringify({ delivered: response.status, bytes: body.length }) };
}
