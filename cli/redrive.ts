import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import {
  GetQueueAttributesCommand,
  ListMessageMoveTasksCommand,
  SQSClient,
  StartMessageMoveTaskCommand,
} from '@aws-sdk/client-sqs';
import { Progress } from './demo/progress.ts';
import { UsageError } from './usage.ts';

const HELP = `alastor redrive: gives the stitcher another try at what it gave up on

Usage: alastor redrive --dead-letters <url> [options]

  --dead-letters <url>  queue of what was given up on (stack output <id>DeadLettersUrl)
  --endpoint <url>      AWS endpoint, e.g. that of \`alastor local\` (default: AWS_ENDPOINT_URL, or AWS itself)
  --json                print the result as one JSON object
  --help                print this

A message lands there when the stitcher failed five times, which is a fault of the store or of the stitcher: damaged segments
are set aside instead (GET /v1/segments/poison). Mend the cause first. Needs sqs:StartMessageMoveTask, sqs:ListMessageMoveTasks,
sqs:GetQueueAttributes, sqs:ReceiveMessage and sqs:DeleteMessage on this queue, sqs:SendMessage on the stitcher's.

Exit code: 0 done, 1 failed, 2 wrong arguments.
`;

/** Body of `alastor redrive`. Resolves to the exit code. */
export async function runRedrive(argv: string[]): Promise<number> {
  const { values } = UsageError.guard(HELP, () =>
    parseArgs({
      args: argv,
      options: {
        'dead-letters': { type: 'string' },
        endpoint: { type: 'string' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }),
  );
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const url = values['dead-letters'];
  if (url === undefined) throw new UsageError('--dead-letters is missing: the stack output <id>DeadLettersUrl', HELP);
  const endpoint = values.endpoint ?? process.env.AWS_ENDPOINT_URL;
  const sqs = new SQSClient(endpoint === undefined ? {} : { endpoint });
  const moved = await new Progress().stage('moving messages back', (note) => redrive(sqs, url, note));
  if (values.json) process.stdout.write(`${JSON.stringify({ moved })}\n`);
  else process.stdout.write(`${moved} messages were given back to the stitcher.\n`);
  return 0;
}

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
