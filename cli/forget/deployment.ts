/** The installation that is meant, with all that `alastor forget` needs of it. */
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { LambdaClient, ListEventSourceMappingsCommand } from '@aws-sdk/client-lambda';
import { S3Client } from '@aws-sdk/client-s3';
import { GetQueueAttributesCommand, GetQueueUrlCommand, SQSClient } from '@aws-sdk/client-sqs';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { openStore, type Store } from '../../functions/store/connect.ts';
import { Erasure } from '../../functions/store/erasure.ts';
import { S3Objects } from '../../functions/store/objects.ts';
import { environment } from '../../functions/store/schema.ts';
import { Table } from '../../functions/store/table.ts';
import { S3Evidence } from '../../functions/verify/s3-source.ts';
import type { clientOf } from '../aws.ts';
import { choose, type Installation, survey } from '../doctor/survey.ts';

export interface Deployment {
  readonly name: string;
  readonly bucket: string;
  readonly s3: S3Client;
  readonly evidence: S3Evidence;
  readonly store: Store;
  readonly erasure: Erasure;
  /** ARN of who runs this. */
  caller(): Promise<string>;
  /** Messages that stitchers have in work; undefined when that cannot be told. */
  inWork(): Promise<number | undefined>;
  /** Messages of the two queues of dead letters, as far as they can be counted. */
  deadLetters(): Promise<{ readonly stitcher?: number; readonly witness?: number }>;
  close(): void;
}

const DEFAULT_RETENTION = 90;

/** @throws Error when none is deployed; UsageError when it must be said which is meant */
export async function findDeployment(client: ReturnType<typeof clientOf>, wanted: string | undefined): Promise<Deployment> {
  const lambda = new LambdaClient(client);
  const sqs = new SQSClient(client);
  const s3 = new S3Client({ ...client, forcePathStyle: client.endpoint !== undefined });
  const dynamo = new DynamoDBClient(client);
  const found = await survey(lambda);
  const chosen = choose(found.installations, wanted);
  if (chosen === undefined)
    throw new Error(`Alastor is not deployed here: none of ${found.functions.length} functions is one of its own`);
  const { name, bucket } = chosen;
  const days = Number(variable(chosen, 'stitcher', environment.retentionDays) ?? DEFAULT_RETENTION);
  const [shards, links] = [new Table(dynamo, chosen.shards), new Table(dynamo, chosen.links)];
  const queue = once(() => queueOf(lambda, sqs, chosen));
  return {
    ...{ name, bucket, s3, evidence: new S3Evidence(s3, bucket) },
    store: openStore(shards, links, new S3Objects(s3, bucket), days),
    erasure: new Erasure(shards, links, days),
    caller: async () => {
      const sts = new STSClient(client);
      const { Arn } = await sts.send(new GetCallerIdentityCommand({}));
      sts.destroy();
      if (Arn === undefined) throw new Error('sts:GetCallerIdentity does not say who you are');
      return Arn;
    },
    inWork: async () => {
      const url = await queue();
      return url === undefined ? undefined : await count(sqs, url, 'ApproximateNumberOfMessagesNotVisible');
    },
    deadLetters: async () => {
      const url = await queue();
      const arn = url === undefined ? undefined : await deadLettersOf(sqs, url);
      const own =
        arn === undefined
          ? undefined
          : await urlOf(sqs, arn).then(
              (address) => count(sqs, address),
              () => undefined,
            );
      const theirs = variable(chosen, 'query', environment.witnessDeadLetters);
      const witness = theirs === undefined ? undefined : await count(sqs, theirs);
      return { ...(own === undefined ? {} : { stitcher: own }), ...(witness === undefined ? {} : { witness }) };
    },
    close: () => {
      for (const one of [lambda, sqs, s3, dynamo]) one.destroy();
    },
  };
}

const variable = ({ parts }: Installation, part: string, name: string) => parts.get(part)?.Environment?.Variables?.[name];

/** Address of the queue that the stitcher takes from. What cannot be asked is not known. */
async function queueOf(lambda: LambdaClient, sqs: SQSClient, { parts }: Installation): Promise<string | undefined> {
  try {
    const mappings = new ListEventSourceMappingsCommand({ FunctionName: parts.get('stitcher')?.FunctionName });
    const { EventSourceMappings = [] } = await lambda.send(mappings);
    const arn = EventSourceMappings.find(({ EventSourceArn }) => EventSourceArn?.split(':')[2] === 'sqs')?.EventSourceArn;
    return arn === undefined ? undefined : await urlOf(sqs, arn);
  } catch {
    return undefined;
  }
}

async function urlOf(sqs: SQSClient, arn: string): Promise<string | undefined> {
  const [, , , , owner, name] = arn.split(':');
  return (await sqs.send(new GetQueueUrlCommand({ QueueName: name, QueueOwnerAWSAccountId: owner }))).QueueUrl;
}

async function count(
  sqs: SQSClient,
  url: string | undefined,
  attribute: 'ApproximateNumberOfMessages' | 'ApproximateNumberOfMessagesNotVisible' = 'ApproximateNumberOfMessages',
): Promise<number | undefined> {
  try {
    const asked = new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: [attribute] });
    const told = (await sqs.send(asked)).Attributes?.[attribute];
    return told === undefined ? undefined : Number(told);
  } catch {
    return undefined;
  }
}

async function deadLettersOf(sqs: SQSClient, url: string): Promise<string | undefined> {
  try {
    const { Attributes } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ['RedrivePolicy'] }));
    return (JSON.parse(Attributes?.RedrivePolicy ?? '{}') as { readonly deadLetterTargetArn?: string }).deadLetterTargetArn;
  } catch {
    return undefined;
  }
}

function once<T>(act: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined;
  return () => {
    result ??= act();
    return result;
  };
}
