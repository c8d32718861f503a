/** GET /customers of the inner API, which only people of the house should reach: all customers, or one. */
import { DynamoDBClient, GetItemCommand, ScanCommand } from '@aws-sdk/client-dynamodb';

const dynamodb = new DynamoDBClient({});
const TableName = process.env.CUSTOMERS;

export async function handler(event) {
  const user = event.queryStringParameters?.user;
  const { Item, Items = Item === undefined ? [] : [Item] } =
    user === undefined
      ? await dynamodb.send(new ScanCommand({ TableName }))
      : await dynamodb.send(new GetItemCommand({ TableName, Key: { user: { S: user } } }));
  return { statusCode: 200, body: JSON.stringify(Items) };
}
