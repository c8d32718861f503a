import { APIGatewayClient } from '@aws-sdk/client-api-gateway';
import { ApiGatewayV2Client } from '@aws-sdk/client-apigatewayv2';
import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { SNSClient } from '@aws-sdk/client-sns';
import { type Store, storeFromEnvironment } from '../store/connect.ts';
import { s3Client } from '../store/objects.ts';
import { type Clients, readAccount } from './account.ts';

let store: Store | undefined;
let clients: Clients | undefined;

/** Looks at all functions of the region, on a schedule and when something about them was changed. */
export async function handler(): Promise<void> {
  store ??= storeFromEnvironment();
  clients ??= {
    lambda: new LambdaClient({}),
    ...{ httpApis: new ApiGatewayV2Client({}), restApis: new APIGatewayClient({}) },
    ...{ events: new EventBridgeClient({}), s3: s3Client(), sns: new SNSClient({}) },
  };
  await lookAround(clients, store);
}

async function lookAround(from: Clients, { inventory }: Store): Promise<void> {
  const { functions, unread } = await readAccount(from);
  await inventory.put(functions, Date.now() * 1000, unread);
  const audited = functions.filter((one) => one.audited).length;
  console.info(JSON.stringify({ level: unread.length > 0 ? 'warn' : 'info', functions: functions.length, audited, unread }));
}
