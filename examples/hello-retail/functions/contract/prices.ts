import { DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb';
import { required } from './environment.ts';
import type { PriceAnswer } from './messages.ts';

const dynamodb = new DynamoDBClient({});

/** Looks a product up in the price list. */
export async function findPrice(product: string): Promise<PriceAnswer> {
  const { Item } = await dynamodb.send(
    new GetItemCommand({ TableName: required('PRICES_TABLE'), Key: { product: { S: product } } }),
  );
  if (!Item) return { found: false };
  return { found: true, product, name: Item.name?.S ?? product, price: Number(Item.price?.N ?? 0) };
}
