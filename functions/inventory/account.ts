/**
 * What Lambda says is configured. Who may invoke a function stands in its resource policy (S3, SNS, EventBridge, API Gateway all
 * need it there), what it polls in its event source mappings: so these and the URLs are all there is to read.
 */
import {
  type EventSourceMappingConfiguration,
  type FunctionConfiguration,
  GetPolicyCommand,
  type LambdaClient,
  ListEventSourceMappingsCommand,
  ListFunctionsCommand,
  ListFunctionUrlConfigsCommand,
} from '@aws-sdk/client-lambda';
import type { ConfiguredFunction, ExpectedSource } from '../store/inventory.ts';
import { environment } from '../store/schema.ts';
import { inParallel } from '../store/table.ts';
import { wiringOf } from './wiring.ts';

/** Functions of a region that are read; an account starts with room for some thousands. */
const MAX_FUNCTIONS = 5000;
const MAX_MAPPINGS = 20_000;
/** Of one function, so that its row stays small. */
const MAX_SOURCES = 200;
/** The control plane takes about 15 calls a second; the client waits and tries again when it is told to. */
const WIDTH = 4;

export async function readAccount(
  client: LambdaClient,
): Promise<{ readonly functions: readonly ConfiguredFunction[]; readonly cut: boolean }> {
  const found = await pages<FunctionConfiguration>(MAX_FUNCTIONS, async (Marker) => {
    const page = await client.send(new ListFunctionsCommand({ Marker }));
    return { items: page.Functions, next: page.NextMarker };
  });
  const mappings = await pages<EventSourceMappingConfiguration>(MAX_MAPPINGS, async (Marker) => {
    const page = await client.send(new ListEventSourceMappingsCommand({ Marker }));
    return { items: page.EventSourceMappings, next: page.NextMarker };
  });
  const byFunction = Map.groupBy(mappings.items, ({ FunctionArn = '' }) => FunctionArn.split(':').slice(0, 7).join(':'));
  const functions = await inParallel(found.items, WIDTH, async (one): Promise<readonly ConfiguredFunction[]> => {
    const { FunctionName: name, FunctionArn: arn } = one;
    const variables = one.Environment?.Variables ?? {};
    // Alastor's own functions are not audited, or they would audit themselves for ever.
    if (name === undefined || arn === undefined || variables[environment.links] !== undefined) return [];
    const sources = [
      ...(byFunction.get(arn) ?? []).flatMap(ofMapping),
      ...(await policyOf(client, name)),
      ...(await urlsOf(client, name)),
    ];
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
  return { functions: functions.flat(), cut: found.cut || mappings.cut };
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

type Statement = Readonly<Record<string, unknown>>;

/** Shape: docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html */
export function readPolicy(policy: string): readonly ExpectedSource[] {
  const { Statement: statements } = JSON.parse(policy) as { readonly Statement?: Statement | readonly Statement[] };
  return [statements ?? []].flat().flatMap((statement): ExpectedSource[] => {
    if (statement.Effect !== 'Allow') return [];
    const principal = statement.Principal as string | Readonly<Record<string, string | readonly string[]>> | undefined;
    const who = typeof principal === 'string' ? [principal] : Object.values(principal ?? {}).flat();
    const conditions = Object.values(
      (statement.Condition ?? {}) as Readonly<Record<string, Readonly<Record<string, unknown>>>>,
    );
    const source = conditions
      .flatMap((one) => Object.entries(one))
      .find(([key, value]) => key.toLowerCase() === 'aws:sourcearn' && typeof value === 'string')?.[1];
    return who.map((one) => ({ by: 'policy', who: one, ...(source === undefined ? {} : { source: String(source) }) }));
  });
}

async function urlsOf(client: LambdaClient, name: string): Promise<readonly ExpectedSource[]> {
  const { FunctionUrlConfigs: urls } = await client.send(new ListFunctionUrlConfigsCommand({ FunctionName: name }));
  return (urls ?? []).map(({ AuthType, FunctionUrl }) => ({
    ...{ by: 'url', who: AuthType ?? '' },
    ...(FunctionUrl === undefined ? {} : { source: FunctionUrl }),
  }));
}

async function pages<T>(
  most: number,
  read: (marker: string | undefined) => Promise<{ items: readonly T[] | undefined; next: string | undefined }>,
): Promise<{ readonly items: readonly T[]; readonly cut: boolean }> {
  const items: T[] = [];
  let marker: string | undefined;
  do {
    const page = await read(marker);
    items.push(...(page.items ?? []));
    marker = page.next;
  } while (marker !== undefined && items.length < most);
  return { items: items.slice(0, most), cut: marker !== undefined || items.length > most };
}
