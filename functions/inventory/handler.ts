import { LambdaClient } from '@aws-sdk/client-lambda';
import { type Store, storeFromEnvironment } from '../store/connect.ts';
import { emit, logger, nonZero } from '../telemetry/emit.ts';
import { readAccount } from './account.ts';
import { compare } from './drift.ts';
import { lookForMissing } from './watch.ts';

let store: Store | undefined;
let lambda: LambdaClient | undefined;

/** Looks at all functions of the region, on a schedule and when something about them was changed. */
export async function handler(event?: unknown): Promise<void> {
  store ??= storeFromEnvironment();
  lambda ??= new LambdaClient({});
  await lookAround(lambda, store);
  // Changes come in swarms while an app is deployed; what is missing is looked for on the schedule only.
  if ((event as { readonly source?: unknown } | null | undefined)?.source !== 'aws.lambda') await lookBack(store);
}

async function lookAround(client: LambdaClient, { inventory }: Pick<Store, 'inventory'>): Promise<void> {
  const now = Date.now() * 1000;
  const before = await inventory.functions(now);
  const { functions, cut } = await readAccount(client);
  const { audited, notAudited, drifted, fresh, functions: seen } = compare(before, functions, now);
  await inventory.put(seen, now);
  const names = { drifted: drifted.slice(0, 50), new: fresh.slice(0, 50) };
  logger[cut || drifted.length > 0 ? 'warn' : 'info']('looked at the account', { audited, notAudited, ...names, cut });
  emit({
    ...{ FunctionsAudited: audited, FunctionsNotAudited: notAudited },
    ...nonZero({ FunctionsDrifted: drifted.length, FunctionsNew: fresh.length }),
  });
}

/** Publishes what is missing from the record. */
export async function lookBack(store: Store): Promise<void> {
  const { silenced, segments, cut } = await lookForMissing(store, Date.now() * 1000);
  if (silenced + segments > 0 || cut) logger.warn('records are missing', { silenced, segments, cut });
  emit(nonZero({ MissingSegments: segments, SilencedInvocations: silenced }));
}
