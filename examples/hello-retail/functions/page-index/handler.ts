import { ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import type { S3Event } from 'aws-lambda';
import { required } from '../contract/environment.ts';

const s3 = new S3Client({});

/** Keeps the list of pages up to date whenever one is written. */
export async function handler(_event: S3Event): Promise<void> {
  const Bucket = required('SITE_BUCKET');
  const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket, Prefix: 'pages/' }));
  const items = Contents.map(({ Key = '' }) => `<li><a href="/${encodeURI(Key)}">${encodeURI(Key)}</a></li>`).join('\n');
  await s3.send(
    new PutObjectCommand({
      Bucket,
      Key: 'index.html',
      Body: `<!doctype html>\n<title>Hello, Retail!</title>\n<ul>\n${items}\n</ul>\n`,
      ContentType: 'text/html; charset=utf-8',
    }),
  );
}
