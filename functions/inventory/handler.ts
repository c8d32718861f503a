import { LambdaClient } from '@aws-sdk/client-lambda';
import { type Store, storeFromEnvironment } from '../store/connect.ts';
import { readAccount } from './account.ts';

let store: Store | undefined;
let lambda: LambdaClient | undefined;

/** Looks at all functions of the region, on a schedule and when something about them was changed. */
export async function handler(): Promise<void> {
  store ??= storeFromEnvironment();
  lambda ??= new LambdaClient({});
  await lookAround(lambda, store);
}

async function lookAround(client: LambdaClient, { inventory }: Store): Promise<void> {
  const { functions, cut } = await readAccount(client);
  await inventory.put(functions, Date.now() * 1000);
  const audited = functions.filter((one) => one.audited).length;
  console.info(JSON.stringify({ level: cut ? 'warn' : 'info', functions: functions.length, audited, cut }));
}
