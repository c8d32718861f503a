import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import { findPrice } from '../contract/prices.ts';

/** GET /product/{id} */
export async function handler(event: APIGatewayProxyEventV2): Promise<APIGatewayProxyStructuredResultV2> {
  const id = event.pathParameters?.id ?? '';
  const found = await findPrice(id);
  const [statusCode, body] = found.found
    ? [200, { product: found.product, name: found.name, price: found.price }]
    : [404, { error: `there is no product ${id}` }];
  return { statusCode, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}
