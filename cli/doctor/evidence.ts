import { DescribeTableCommand, DescribeTimeToLiveCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import {
  GetBucketNotificationConfigurationCommand,
  GetBucketVersioningCommand,
  GetObjectLockConfigurationCommand,
  GetPublicAccessBlockCommand,
  HeadBucketCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { linksTable, segmentPrefix, shardsTable } from '../../functions/store/schema.ts';
import { type Finding, look, ok, wrong } from './finding.ts';
import type { Installation } from './survey.ts';

const DEPLOY = 'somebody changed the bucket: look who (CloudTrail), then deploy the stack of Alastor again';

/** Whether the bucket is there, keeps what it is given, is closed to others and announces new segments. */
export async function bucketChecks(
  s3: S3Client,
  { bucket: Bucket }: Installation,
  queueArn: string | undefined,
): Promise<readonly Finding[]> {
  const there = await look('bucket', 's3:ListBucket', async () => {
    await s3.send(new HeadBucketCommand({ Bucket }));
    return ok('bucket', `${Bucket} is there`);
  });
  if (there[0]?.state !== 'ok') return there;
  const checks = [
    look('versioning', 's3:GetBucketVersioning', async () => {
      const { Status } = await s3.send(new GetBucketVersioningCommand({ Bucket }));
      if (Status === 'Enabled') return ok('versioning', 'on: an overwritten segment keeps its first version');
      return wrong('versioning', `is ${Status ?? 'off'}: evidence can be overwritten`, DEPLOY);
    }),
    look('object lock', 's3:GetBucketObjectLockConfiguration', async () => {
      const { ObjectLockConfiguration: lock } = await s3
        .send(new GetObjectLockConfigurationCommand({ Bucket }))
        .catch((error: Error) => {
          if (error.name === 'ObjectLockConfigurationNotFoundError') return { ObjectLockConfiguration: undefined };
          throw error;
        });
      const { Mode, Days, Years } = lock?.Rule?.DefaultRetention ?? {};
      if (lock?.ObjectLockEnabled === 'Enabled' && Mode !== undefined)
        return ok('object lock', `on, ${Mode.toLowerCase()}, ${Days === undefined ? `${Years} years` : `${Days} days`}`);
      return wrong(
        'object lock',
        'is off, or keeps nothing by default: who may delete in the bucket may delete evidence',
        DEPLOY,
      );
    }),
    look('public access', 's3:GetBucketPublicAccessBlock', async () => {
      const { PublicAccessBlockConfiguration: block = {} } = await s3.send(new GetPublicAccessBlockCommand({ Bucket }));
      const open = Object.entries(block).filter(([, on]) => on !== true);
      if (Object.keys(block).length === 4 && open.length === 0) return ok('public access', 'blocked');
      return wrong('public access', 'is not blocked in all four ways', DEPLOY);
    }),
    look('notifications', 's3:GetBucketNotification', async () => {
      const { QueueConfigurations = [] } = await s3.send(new GetBucketNotificationConfigurationCommand({ Bucket }));
      const own = QueueConfigurations.find(({ QueueArn }) => QueueArn === queueArn);
      const prefix = own?.Filter?.Key?.FilterRules?.find(({ Name }) => Name?.toLowerCase() === 'prefix')?.Value;
      if (own !== undefined && prefix === segmentPrefix) return ok('notifications', 'new segments are announced to the queue');
      const mend = `${DEPLOY}; then \`alastor restitch\` for what came meanwhile`;
      return wrong('notifications', 'new segments are not announced to the queue of the stitcher', mend);
    }),
  ];
  return [...there, ...(await Promise.all(checks)).flat()];
}

/** Whether both tables are there with the keys that this version uses, and forget what is over. */
export async function tableChecks(dynamo: DynamoDBClient, { shards, links }: Installation): Promise<readonly Finding[]> {
  const tables = [
    ['table of shards', shards, shardsTable],
    ['table of links', links, linksTable],
  ] as const;
  const found = tables.map(([what, TableName, { partitionKey, sortKey, ttl }]) =>
    look(what, 'dynamodb:DescribeTable, dynamodb:DescribeTimeToLive', async () => {
      const { Table } = await dynamo.send(new DescribeTableCommand({ TableName }));
      const keys = (Table?.KeySchema ?? []).map(({ AttributeName }) => AttributeName);
      if (keys.join() !== [partitionKey, sortKey].join())
        return wrong(
          what,
          `${TableName} has the keys ${keys.join(', ')}, not ${partitionKey}, ${sortKey}`,
          'upgrade: docs/operations.md',
        );
      if (Table?.TableStatus !== 'ACTIVE')
        return wrong(what, `${TableName} is ${Table?.TableStatus}`, 'wait until it is ACTIVE');
      const { TimeToLiveDescription: live } = await dynamo.send(new DescribeTimeToLiveCommand({ TableName }));
      if (live?.AttributeName !== ttl || !/^ENABL/.test(live.TimeToLiveStatus ?? ''))
        return wrong(
          what,
          `${TableName} keeps rows for ever: no time to live on \`${ttl}\``,
          'deploy the stack of Alastor again',
        );
      return ok(what, `${TableName} is active; rows end by \`${ttl}\``);
    }),
  );
  return (await Promise.all(found)).flat();
}
