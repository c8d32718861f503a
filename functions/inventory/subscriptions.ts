/** Subscriptions of functions to SNS topics. */
import { ListSubscriptionsCommand, type SNSClient } from '@aws-sdk/client-sns';
import { functionIn, type Own, pages, type Read } from './triggers.ts';

/** Subscriptions of a region that are looked at, a hundred at a call. */
const MAX_SUBSCRIPTIONS = 20_000;

export async function readSubscriptions(client: SNSClient, own: Own): Promise<Read> {
  const { items, cut } = await pages(MAX_SUBSCRIPTIONS, async (NextToken) => {
    const page = await client.send(new ListSubscriptionsCommand({ NextToken }));
    return { items: page.Subscriptions, next: page.NextToken };
  });
  const found = items.flatMap(({ Protocol, Endpoint, TopicArn }) => {
    const fn = Protocol === 'lambda' ? functionIn(Endpoint, own) : undefined;
    const source = {
      by: 'subscription',
      who: 'sns.amazonaws.com',
      ...(TopicArn === undefined ? {} : { source: TopicArn }),
    } as const;
    return fn === undefined ? [] : [[fn, source] as const];
  });
  return { found, cut };
}
