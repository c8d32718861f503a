import { setTimeout as sleep } from 'node:timers/promises';
import {
  GetQueueAttributesCommand,
  ListMessageMoveTasksCommand,
  SQSClient,
  StartMessageMoveTaskCommand,
} from '@aws-sdk/client-sqs';
import { clientOf, located, serviceOptions } from './aws.ts';
import { command } from './command.ts';
import { jsonOf, print } from './print.ts';
import { Progress } from './progress.ts';
import { UsageError } from './usage.ts';

export default command({
  usage: ['[options]'],
  options: {
    'dead-letters': {
      type: 'string',
      value: 'url',
      says: 'queue of what was given up on: stack output <id>DeadLettersUrl (default: that of the engine on this machine)',
    },
    ...serviceOptions,
    json: { type: 'boolean', says: 'print the result as one JSON object' },
  },
  text: `A message lands there when the stitcher failed five times, which is a fault of the store or of the stitcher: damaged
segments are set aside instead (GET /v1/segments/poison). Mend the cause first. Needs sqs:StartMessageMoveTask,
sqs:ListMessageMoveTasks, sqs:GetQueueAttributes, sqs:ReceiveMessage and sqs:DeleteMessage on this queue, sqs:SendMessage on
the stitcher's.`,
  examples: ['--dead-letters "$DEAD_LETTERS"'],
  async run(values) {
    const { 'dead-letters': url, ...aws } = located(values, { 'dead-letters': 'DeadLettersUrl' });
    if (url === undefined) throw new UsageError('--dead-letters is missing: the stack output <id>DeadLettersUrl');
    const sqs = new SQSClient(clientOf(aws));
    const moved = await new Progress().stage('moving messages back', (note) => redrive(sqs, url, note));
    await print(values.json ? [jsonOf({ moved })] : [`${moved} messages were given back to the stitcher.`]);
    return 0;
  },
});

/** Moves everything in the dead-letter queue at `url` back to where it came from. Resolves to the number of messages. */
export async function redrive(sqs: SQSClient, url: string, note: (text: string) => void): Promise<number> {
  const { Attributes } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ['QueueArn'] }));
  const arn = Attributes?.QueueArn;
  if (arn === undefined) throw new Error(`${url} does not tell its ARN: is it a queue?`);
  const { TaskHandle } = await sqs.send(new StartMessageMoveTaskCommand({ SourceArn: arn }));
  for (;;) {
    const { Results = [] } = await sqs.send(new ListMessageMoveTasksCommand({ SourceArn: arn, MaxResults: 1 }));
    const [task] = Results;
    const moved = task?.ApproximateNumberOfMessagesMoved ?? 0;
    note(`${moved} of ${task?.ApproximateNumberOfMessagesToMove ?? '?'}`);
    if (task?.Status === 'COMPLETED') return moved;
    if (task?.Status === 'FAILED') throw new Error(`moving stopped after ${moved} messages: ${task.FailureReason}`);
    if (task === undefined || task.Status === 'CANCELLED') throw new Error(`the move ${TaskHandle} was cancelled`);
    await sleep(1000);
  }
}
