/** POST /convert {user, title, text}: counts the words of a text and keeps it. Vulnerable on purpose: the title reaches a shell. */
import { exec } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';

const run = promisify(exec);
const dynamodb = new DynamoDBClient({});
const s3 = new S3Client({ forcePathStyle: true });
const { BUCKET, CUSTOMERS } = process.env;
/** The last conversions of this instance, kept from one request to the next. */
const recent = '/tmp/convert/recent.json';

export async function handler(event) {
  const { user = 'guest', title = '', text = '' } = JSON.parse(event.body ?? '{}');
  const { Item } = await dynamodb.send(new GetItemCommand({ TableName: CUSTOMERS, Key: { user: { S: user } } }));
  const id = randomUUID();
  mkdirSync('/tmp/convert', { recursive: true });
  const last = existsSync(recent) ? JSON.parse(readFileSync(recent, 'utf8')) : [];
  const file = `/tmp/convert/${id}.txt`;
  writeFileSync(file, text);
  const { stdout } = await run(`printf '%s: ' "${title}"; wc -w < ${file}`, { timeout: 20_000 });
  writeFileSync(recent, JSON.stringify([id, ...last].slice(0, 20)));
  await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: `converted/${id}.txt`, Body: `${stdout}\n${text}` }));
  return {
    statusCode: 201,
    body: JSON.stringify({ id, words: stdout.trim(), plan: Item?.plan?.S ?? 'none', last: last.length }),
  };
}
