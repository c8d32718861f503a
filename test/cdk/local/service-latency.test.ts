import { ListQueuesCommand, SQSClient } from '@aws-sdk/client-sqs';
import { Queue } from 'aws-cdk-lib/aws-sqs';
import { expect, it, onTestFinished } from 'vitest';
import { running } from './running.ts';

it('adds to every call of a service what it is told at that moment', async () => {
  const asked: number[] = [];
  const { client, stop } = await running((stack) => void new Queue(stack, 'Queue'), {
    serviceLatencyMs: () => asked.push(1) && 3,
  });
  onTestFinished(stop);
  const sqs = new SQSClient(client);
  onTestFinished(() => sqs.destroy());
  const before = asked.length;
  await sqs.send(new ListQueuesCommand({}));
  await sqs.send(new ListQueuesCommand({}));
  expect(asked.length - before).toBe(2);
});
