/** POST /jobs {name, size}: leaves work for the worker. */
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';

const sqs = new SQSClient({});

export async function handler(event) {
  const { name = '', size = '100x100' } = JSON.parse(event.body ?? '{}');
  await sqs.send(new SendMessageCommand({ QueueUrl: process.env.JOBS, MessageBody: JSON.stringify({ name, size }) }));
  return { statusCode: 202, body: JSON.stringify({ accepted: name }) };
}
