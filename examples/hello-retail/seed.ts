/**
 * Fills the price list and the stored cards: `node examples/hello-retail/seed.ts`, with AWS_ENDPOINT_URL for anything but AWS.
 */
import { BatchWriteItemCommand, DynamoDBClient, type WriteRequest } from '@aws-sdk/client-dynamodb';
import { customers, products } from './catalog.ts';

export interface SeedTarget {
  /** Default: AWS itself, or what AWS_ENDPOINT_URL says. */
  readonly endpoint?: string;
  /** Default: what the environment says. The local engine takes any. */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string };
  readonly region?: string;
  readonly pricesTable?: string;
  readonly cardsTable?: string;
}

/** @throws Error when a table did not take everything. */
export async function seed(target: SeedTarget = {}): Promise<void> {
  const { endpoint, credentials, region, pricesTable = 'hello-retail-prices', cardsTable = 'hello-retail-cards' } = target;
  const dynamodb = new DynamoDBClient({
    ...(endpoint !== undefined && { endpoint }),
    ...(credentials && { credentials }),
    ...(region !== undefined && { region }),
  });
  const put = (Item: Record<string, string | number>): WriteRequest => ({
    PutRequest: {
      Item: Object.fromEntries(
        Object.entries(Item).map(([name, value]) => [name, typeof value === 'number' ? { N: String(value) } : { S: value }]),
      ),
    },
  });
  try {
    const { UnprocessedItems = {} } = await dynamodb.send(
      new BatchWriteItemCommand({ RequestItems: { [pricesTable]: products.map(put), [cardsTable]: customers.map(put) } }),
    );
    const refused = Object.keys(UnprocessedItems);
    if (refused.length > 0) throw new Error(`Not all rows were written to ${refused.join(', ')}: run the seed again.`);
  } finally {
    dynamodb.destroy();
  }
}

if (import.meta.main) await seed();
