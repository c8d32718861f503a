import { APIGatewayClient } from '@aws-sdk/client-api-gateway';
import { ApiGatewayV2Client } from '@aws-sdk/client-apigatewayv2';
import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { SNSClient } from '@aws-sdk/client-sns';
import { type Store, storeFromEnvironment } from '../store/connect.ts';
import { s3Client } from '../store/objects.ts';
import { emit, logger, nonZero } from '../telemetry/emit.ts';
import { type Clients, readAccount } from './account.ts';
import { compare } from './drift.ts';
import { lookForMissing } from './watch.ts';

/** Control planes take few calls a second, which others of the account use up, too: it waits, rather than give up. */
const PATIENT = { retryMode: 'adaptive', maxAttempts: 10 } as const;

let store: Store | undefined;
let clients: Clients | undefined;

/** Looks at all functions of the region, on a schedule and when something about them was changed: once for all changes of a batch. */
export async function handler(event?: unknown): Promise<void> {
  store ??= storeFromEnvironment();
  clients ??= {
    lambda: new LambdaClient(PATIENT),
    ...{ httpApis: new ApiGatewayV2Client(PATIENT), restApis: new APIGatewayClient(PATIENT) },
    ...{ events: new EventBridgeClient(PATIENT), s3: s3Client(process.env, PATIENT), sns: new SNSClient(PATIENT) },
  };
  await lookAround(clients, store);
  // A queue tells of changes; what is missing is looked for on the schedule only.
  if ((event as { readonly Records?: unknown } | null | undefined)?.Records === undefined) await lookBack(store);
}

async function lookAround(from: Clients, { inventory }: Pick<Store, 'inventory'>): Promise<void> {
  const now = Date.now() * 1000;
  const { functions: before, cut } = await inventory.functions(now);
  const account = await readAccount(from);
  const { functions } = account;
  const unread = [...account.unread, ...(cut ? ['inventory: more functions than can be compared with the look before'] : [])];
  const { audited, notAudited, drifted, fresh, functions: seen } = compare(before, functions, now);
  await inventory.put(seen, now, unread);
  const names = { drifted: drifted.slice(0, 50), new: fresh.slice(0, 50) };
  logger[unread.length > 0 || drifted.length > 0 ? 'warn' : 'info']('looked at the account', {
    audited,
    notAudited,
    ...names,
    unread,
  });
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
