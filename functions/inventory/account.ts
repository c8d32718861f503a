/**
 * What is configured: functions as Lambda has them, with what invokes them. What a function polls stands in its event source
 * mappings; what pushes is asked of the services themselves, and compared with whom the function's resource policy lets in.
 */
import type { APIGatewayClient } from '@aws-sdk/client-api-gateway';
import type { ApiGatewayV2Client } from '@aws-sdk/client-apigatewayv2';
import type { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import {
  type EventSourceMappingConfiguration,
  type FunctionConfiguration,
  GetPolicyCommand,
  type LambdaClient,
  ListEventSourceMappingsCommand,
  ListFunctionsCommand,
  ListFunctionUrlConfigsCommand,
} from '@aws-sdk/client-lambda';
import type { S3Client } from '@aws-sdk/client-s3';
import type { SNSClient } from '@aws-sdk/client-sns';
import type { ConfiguredFunction, ExpectedSource } from '../store/inventory.ts';
import { environment } from '../store/schema.ts';
import { inParallel } from '../store/table.ts';
import { readNotifications } from './notifications.ts';
import { readPolicy, withIdle } from './policy.ts';
import { readRoutes } from './routes.ts';
import { readRules } from './rules.ts';
import { readSubscriptions } from './subscriptions.ts';
import { type Own, pages, readTriggers } from './triggers.ts';
import { wiringOf } from './wiring.ts';

/** Functions of a region that are read; an account starts with room for some thousands. */
const MAX_FUNCTIONS = 5000;
const MAX_MAPPINGS = 20_000;
/** Of one function, so that its row stays small. */
const MAX_SOURCES = 200;
/** Functions with more, by name. */
const MAX_NAMED = 100;
/** The control plane takes about 15 calls a second; the client waits and tries again when it is told to. */
const WIDTH = 4;

export interface Clients {
  readonly lambda: LambdaClient;
  readonly httpApis: ApiGatewayV2Client;
  readonly restApis: APIGatewayClient;
  readonly events: EventBridgeClient;
  readonly s3: S3Client;
  readonly sns: SNSClient;
}

export interface AccountRead {
  readonly functions: readonly ConfiguredFunction[];
  /** What was not read, and why, one line each. */
  readonly unread: readonly string[];
}

export async function readAccount({ lambda: client, httpApis, restApis, events, s3, sns }: Clients): Promise<AccountRead> {
  const found = await pages<FunctionConfiguration>(MAX_FUNCTIONS, async (Marker) => {
    const page = await client.send(new ListFunctionsCommand({ Marker }));
    return { items: page.Functions, next: page.NextMarker };
  });
  const mappings = await pages<EventSourceMappingConfiguration>(MAX_MAPPINGS, async (Marker) => {
    const page = await client.send(new ListEventSourceMappingsCommand({ Marker }));
    return { items: page.EventSourceMappings, next: page.NextMarker };
  });
  const own = ownOf(found.items);
  const { triggers, complete, unread } = await readTriggers([
    { service: 'apigateway', read: () => readRoutes(httpApis, restApis, own) },
    { service: 'events', read: () => readRules(events, own) },
    { service: 's3', read: () => readNotifications(s3, own) },
    { service: 'sns', read: () => readSubscriptions(sns, own) },
  ]);
  const byFunction = Map.groupBy(mappings.items, ({ FunctionArn = '' }) => FunctionArn.split(':').slice(0, 7).join(':'));
  const more: string[] = [];
  const functions = await inParallel(found.items, WIDTH, async (one): Promise<readonly ConfiguredFunction[]> => {
    const { FunctionName: name, FunctionArn: arn } = one;
    const variables = one.Environment?.Variables ?? {};
    // Alastor's own functions are not audited, or they would audit themselves for ever.
    if (name === undefined || arn === undefined || variables[environment.links] !== undefined) return [];
    const direct = triggers.get(name) ?? [];
    // What pushes stands in the policy, too, so that of very many ways in the routes and rules are those to leave out.
    const sources = [
      ...(byFunction.get(arn) ?? []).flatMap(ofMapping),
      ...(await urlsOf(client, name)),
      ...withIdle(await policyOf(client, name), direct, complete, own),
      ...direct,
    ];
    if (sources.length > MAX_SOURCES)
      more.push(`lambda: ${name} has ${sources.length} ways in, of which ${MAX_SOURCES} are kept`);
    const layers = (one.Layers ?? []).flatMap(({ Arn }) => Arn ?? []);
    return [
      {
        ...{ name, arn, layers, sources: sources.slice(0, MAX_SOURCES) },
        ...(one.Runtime === undefined ? {} : { runtime: one.Runtime }),
        ...(one.Role === undefined ? {} : { role: one.Role }),
        ...(one.CodeSha256 === undefined ? {} : { codeSha256: one.CodeSha256 }),
        ...(one.LastModified === undefined ? {} : { modified: one.LastModified }),
        audited: wiringOf(one).problems.length === 0,
      },
    ];
  });
  const cut = [
    ...(found.cut ? [`lambda: there are more than ${MAX_FUNCTIONS} functions`] : []),
    ...(mappings.cut ? [`lambda: there are more than ${MAX_MAPPINGS} event source mappings`] : []),
  ];
  return { functions: functions.flat(), unread: [...cut, ...more.sort().slice(0, MAX_NAMED), ...unread] };
}

/** Partition, region and account, as every function's ARN has them. */
function ownOf([one]: readonly FunctionConfiguration[]): Own {
  const [, partition = 'aws', , region = '', account = ''] = (one?.FunctionArn ?? '').split(':');
  return { partition, region, account };
}

function ofMapping({ EventSourceArn: source, State }: EventSourceMappingConfiguration): readonly ExpectedSource[] {
  if (source === undefined || State === 'Disabled') return [];
  return [{ by: 'mapping', who: source.split(':')[2] ?? '', source }];
}

async function policyOf(client: LambdaClient, name: string): Promise<readonly ExpectedSource[]> {
  try {
    const { Policy } = await client.send(new GetPolicyCommand({ FunctionName: name }));
    return readPolicy(Policy ?? '{}');
  } catch (error) {
    // No policy, or a function that was deleted in between.
    if (error instanceof Error && error.name === 'ResourceNotFoundException') return [];
    throw error;
  }
}

async function urlsOf(client: LambdaClient, name: string): Promise<readonly ExpectedSource[]> {
  const { FunctionUrlConfigs: urls } = await client.send(new ListFunctionUrlConfigsCommand({ FunctionName: name }));
  return (urls ?? []).map(({ AuthType, FunctionUrl }) => ({
    ...{ by: 'url', who: AuthType ?? '' },
    ...(FunctionUrl === undefined ? {} : { source: FunctionUrl }),
  }));
}
