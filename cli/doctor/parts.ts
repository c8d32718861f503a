import { GetFunctionConfigurationCommand, type LambdaClient, ListEventSourceMappingsCommand } from '@aws-sdk/client-lambda';
import { GetQueueAttributesCommand, GetQueueUrlCommand, type SQSClient } from '@aws-sdk/client-sqs';
import { plural } from '../screen.ts';
import { type Finding, look, ok, unknown, warning, wrong } from './finding.ts';
import type { Installation } from './survey.ts';

const DEPLOY = 'deploy the stack of Alastor again';

/** Whether Alastor's own functions are there and can run. */
export async function ownFunctions(lambda: LambdaClient, { parts }: Installation): Promise<readonly Finding[]> {
  const wanted: readonly (readonly [part: string, without?: string, prop?: string])[] = [
    ['stitcher'],
    ['query'],
    ['inventory', 'functions that lose their audit are not noticed', 'inventory'],
    ['witness', 'invocations without a record are not noticed', 'witness'],
    ['verify', 'altered evidence is noticed only when somebody runs `alastor verify`', 'verification'],
  ];
  const found = wanted.map(async ([part, without, prop]) => {
    const fn = parts.get(part);
    if (fn === undefined) {
      if (without === undefined) return [wrong(part, 'there is no such function', DEPLOY)];
      return [warning(part, `is switched off: ${without}`, `deploy with the prop \`${prop}\` left out or true`)];
    }
    return await look(part, 'lambda:GetFunctionConfiguration', async () => {
      const now = await lambda.send(new GetFunctionConfigurationCommand({ FunctionName: fn.FunctionName }));
      if (now.State !== 'Active') return wrong(part, `${fn.FunctionName} is ${now.State}: ${now.StateReason ?? ''}`, DEPLOY);
      if (now.LastUpdateStatus !== 'Successful')
        return wrong(part, `its last update is ${now.LastUpdateStatus}: ${now.LastUpdateStatusReason ?? ''}`, DEPLOY);
      return ok(part, `${fn.FunctionName} can run`);
    });
  });
  return (await Promise.all(found)).flat();
}

/** The stitcher's queue and its dead letters. Resolves to the queue's name, too, for its metrics. */
export async function queues(
  lambda: LambdaClient,
  sqs: SQSClient,
  { parts }: Installation,
): Promise<{ readonly findings: readonly Finding[]; readonly queueArn: string | undefined }> {
  const stitcher = parts.get('stitcher')?.FunctionName;
  if (stitcher === undefined)
    return { findings: [unknown('queue', 'not checked: there is no stitcher', DEPLOY)], queueArn: undefined };
  let queueArn: string | undefined;
  const findings = await look('queue', 'lambda:ListEventSourceMappings, sqs:GetQueueUrl, sqs:GetQueueAttributes', async () => {
    const { EventSourceMappings = [] } = await lambda.send(new ListEventSourceMappingsCommand({ FunctionName: stitcher }));
    const mapping = EventSourceMappings.find(({ EventSourceArn }) => EventSourceArn?.split(':')[2] === 'sqs');
    queueArn = mapping?.EventSourceArn;
    if (mapping === undefined || queueArn === undefined)
      return wrong('queue', 'nothing hands segments to the stitcher: it has no event source mapping', DEPLOY);
    const { Attributes: queue = {} } = await attributesOf(sqs, queueArn);
    const waiting = Number(queue.ApproximateNumberOfMessages ?? 0);
    const working = Number(queue.ApproximateNumberOfMessagesNotVisible ?? 0);
    const says = `${plural(waiting, 'message')} waiting, ${working} in work`;
    const enabled = mapping.State === 'Enabled' || mapping.State === undefined;
    return [
      enabled
        ? ok('queue', says)
        : wrong(
            'queue',
            `the stitcher takes nothing from it (${mapping.State}); ${says}`,
            `enable the mapping ${mapping.UUID}, or ${DEPLOY}`,
          ),
      ...(await deadLetters(sqs, queue.RedrivePolicy)),
    ];
  });
  return { findings, queueArn };
}

async function deadLetters(sqs: SQSClient, policy: string | undefined): Promise<readonly Finding[]> {
  const what = 'dead letters';
  const arn = policy === undefined ? undefined : (JSON.parse(policy) as { deadLetterTargetArn?: string }).deadLetterTargetArn;
  if (arn === undefined)
    return [wrong(what, 'the queue has no dead-letter queue: what fails is tried for 14 days, then lost', DEPLOY)];
  return await look(what, 'sqs:GetQueueUrl and sqs:GetQueueAttributes on the dead-letter queue', async () => {
    const { Attributes = {}, url } = await attributesOf(sqs, arn);
    const count =
      Number(Attributes.ApproximateNumberOfMessages ?? 0) + Number(Attributes.ApproximateNumberOfMessagesNotVisible ?? 0);
    if (count === 0) return ok(what, 'none');
    const mend = `read the stitcher's log, mend the cause, then: alastor redrive --dead-letters ${url}`;
    return wrong(what, `the stitcher gave up on ${plural(count, 'message')}`, mend);
  });
}

async function attributesOf(sqs: SQSClient, arn: string) {
  const [, , , , owner, name] = arn.split(':');
  const { QueueUrl: url } = await sqs.send(new GetQueueUrlCommand({ QueueName: name, QueueOwnerAWSAccountId: owner }));
  const { Attributes } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ['All'] }));
  return { url, Attributes };
}
