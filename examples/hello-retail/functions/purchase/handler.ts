import { DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb';
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import { required } from '../contract/environment.ts';
import { invoke } from '../contract/invoke.ts';
import type {
  Announcement,
  AuthorizationAnswer,
  AuthorizationQuery,
  Order,
  PriceAnswer,
  PriceQuery,
} from '../contract/messages.ts';
import { FormError, type OrderForm, orderIdOf, readOrderForm } from './order-form.ts';

const dynamodb = new DynamoDBClient({});

/** POST /purchase: price it, authorise the card, keep the order, announce it. */
export async function handler(event: APIGatewayProxyEventV2): Promise<APIGatewayProxyStructuredResultV2> {
  try {
    return await purchase(readOrderForm(bodyOf(event)));
  } catch (error) {
    if (error instanceof FormError) return answer(400, { error: error.message });
    console.error(error);
    return answer(500, { error: 'the order could not be placed' });
  }
}

async function purchase(form: OrderForm): Promise<APIGatewayProxyStructuredResultV2> {
  const price = await invoke<PriceAnswer>(required('GET_PRICE_FUNCTION'), { product: form.product } satisfies PriceQuery);
  if (!price.found) return answer(404, { error: `there is no product ${form.product}` });

  const orderId = orderIdOf(form);
  const total = price.price * form.quantity;
  const authorization = await authorize(form, orderId, total);
  if (!authorization.approved) return answer(402, { error: authorization.reason, orderId });

  const order: Order = {
    orderId,
    user: form.user,
    product: form.product,
    productName: price.name,
    quantity: form.quantity,
    total,
    charged: authorization.charged,
    authorization: authorization.code,
  };
  await keep(order);
  await invoke<unknown>(required('PUBLISH_FUNCTION'), {
    type: 'order.placed',
    detail: { ...order },
    ...(form.notify !== undefined && { notify: form.notify }),
  } satisfies Announcement);
  return answer(201, { orderId, status: 'accepted', total, charged: authorization.charged });
}

/** Orders from a till arrive with the authorization that the till's terminal obtained; all others are authorised here. */
async function authorize(form: OrderForm, orderId: string, amount: number): Promise<AuthorizationAnswer> {
  // Vulnerability of attack 2, stage 1: whoever says it is a till is believed.
  if (form.channel === 'till' && form.authorization) {
    return { approved: true, code: form.authorization.code, charged: 0 };
  }
  return invoke<AuthorizationAnswer>(required('AUTHORIZE_CC_FUNCTION'), {
    orderId,
    user: form.user,
    amount,
    ...(form.card && { card: form.card }),
  } satisfies AuthorizationQuery);
}

async function keep(order: Order): Promise<void> {
  await dynamodb.send(
    new PutItemCommand({
      TableName: required('ORDERS_TABLE'),
      Item: {
        orderId: { S: order.orderId },
        user: { S: order.user },
        product: { S: order.product },
        productName: { S: order.productName },
        quantity: { N: String(order.quantity) },
        total: { N: String(order.total) },
        charged: { N: String(order.charged) },
        authorization: { S: order.authorization },
      },
    }),
  );
}

function bodyOf(event: APIGatewayProxyEventV2): string | undefined {
  return event.isBase64Encoded && event.body !== undefined ? Buffer.from(event.body, 'base64').toString('utf8') : event.body;
}

function answer(statusCode: number, body: unknown): APIGatewayProxyStructuredResultV2 {
  return { statusCode, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}
