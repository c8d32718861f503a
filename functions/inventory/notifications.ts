/** Notifications of buckets that go to functions. */
import {
  type FilterRule,
  GetBucketNotificationConfigurationCommand,
  ListBucketsCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { inParallel } from '../store/table.ts';
import { functionIn, type Own, pages, type Read } from './triggers.ts';

/** Buckets of a region that are looked at; an account has room for 10,000. */
const MAX_BUCKETS = 2000;
const WIDTH = 8;
const NOTHING: { readonly LambdaFunctionConfigurations?: undefined } = {};

export async function readNotifications(client: S3Client, own: Own): Promise<Read> {
  const buckets = await pages(MAX_BUCKETS, async (ContinuationToken) => {
    const page = await client.send(new ListBucketsCommand({ BucketRegion: own.region, MaxBuckets: 1000, ContinuationToken }));
    return { items: page.Buckets, next: page.ContinuationToken };
  });
  let denied = false;
  const read = await inParallel(buckets.items, WIDTH, async ({ Name: Bucket }) => {
    const asked = new GetBucketNotificationConfigurationCommand({ Bucket, ExpectedBucketOwner: own.account });
    const { LambdaFunctionConfigurations = [] } = await client.send(asked).catch((error: unknown) => {
      if (!(error instanceof Error)) throw error;
      // One whose own policy lets nobody look says nothing of all others.
      if (error.name === 'AccessDenied') denied = true;
      // Deleted in between: then it notifies nobody.
      else if (error.name !== 'NoSuchBucket') throw error;
      return NOTHING;
    });
    return LambdaFunctionConfigurations.flatMap(({ LambdaFunctionArn, Events = [], Filter }) => {
      const fn = functionIn(LambdaFunctionArn, own);
      const detail = [...Events, ...(Filter?.Key?.FilterRules ?? []).map(said)].join(' ');
      const source = {
        by: 'notification',
        who: 's3.amazonaws.com',
        source: `arn:${own.partition}:s3:::${Bucket}`,
        detail,
      } as const;
      return fn === undefined ? [] : [[fn, source] as const];
    });
  });
  return { found: read.flat(), cut: buckets.cut || denied };
}

const said = ({ Name, Value }: FilterRule) => `${Name?.toLowerCase()}=${Value}`;
