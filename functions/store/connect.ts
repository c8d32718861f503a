import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { Baselines } from './baselines.ts';
import { Findings } from './findings.ts';
import { Forgotten } from './forgotten.ts';
import { Gaps } from './gaps.ts';
import { Inventory } from './inventory.ts';
import { Lists } from './lists.ts';
import { type Objects, S3Objects, s3Client } from './objects.ts';
import { DynamoSource } from './read.ts';
import { environment } from './schema.ts';
import { Table } from './table.ts';
import { type DeadLetters, deadLettersOf } from './witness-losses.ts';
import { Witnesses } from './witnesses.ts';
import { DynamoWriter } from './write.ts';

const CONNECTIONS = 128;

export interface Store {
  readonly writer: DynamoWriter;
  readonly source: DynamoSource;
  readonly lists: Lists;
  readonly objects: Objects;
  readonly witnesses: Witnesses;
  readonly gaps: Gaps;
  readonly inventory: Inventory;
  readonly baselines: Baselines;
  /** What the witness function gave up on. */
  readonly deadLetters: DeadLetters;
  readonly findings: Findings;
  /** What was deleted on purpose. */
  readonly forgotten: Forgotten;
}

/** The store that the environment names, with the usual AWS configuration (region, credentials, AWS_ENDPOINT_URL). */
export function storeFromEnvironment(env: NodeJS.ProcessEnv = process.env): Store {
  const wanted = (name: string) => {
    const value = env[name];
    if (value === undefined || value === '') throw new Error(`environment variable ${name} is not set`);
    return value;
  };
  const days = wholeDays(env, environment.retentionDays, 90);
  const benignDays = wholeDays(env, environment.benignRetentionDays, days);
  // A walk has so many queries under way; the client's own bound of 50 would let some wait for others.
  const dynamo = new DynamoDBClient({
    requestHandler: { httpsAgent: { maxSockets: CONNECTIONS }, httpAgent: { maxSockets: CONNECTIONS } },
  });
  const shards = new Table(dynamo, wanted(environment.shards));
  const links = new Table(dynamo, wanted(environment.links));
  const deadLetters = deadLettersOf(env[environment.witnessDeadLetters]);
  return openStore(shards, links, new S3Objects(s3Client(env), wanted(environment.bucket)), days, deadLetters, benignDays);
}

function wholeDays(env: NodeJS.ProcessEnv, name: string, otherwise: number): number {
  const days = Number(env[name] ?? otherwise);
  if (!Number.isInteger(days) || days < 1) throw new Error(`${name} must be a whole number of days above 0`);
  return days;
}

export function openStore(
  shards: Table,
  links: Table,
  objects: Objects,
  retentionDays = 90,
  deadLetters: DeadLetters = deadLettersOf(undefined),
  benignRetentionDays = retentionDays,
): Store {
  const source = new DynamoSource(shards, links, objects);
  const findings = new Findings(links, retentionDays);
  const forgotten = new Forgotten(links, retentionDays);
  const lists = new Lists(shards, links);
  const inventory = new Inventory(links, retentionDays);
  const witnesses = new Witnesses(links, retentionDays);
  return {
    writer: new DynamoWriter({ shards, links, objects, retentionDays, benignRetentionDays }),
    ...{ source, lists, objects, witnesses, inventory, deadLetters, findings, forgotten },
    baselines: new Baselines(links),
    gaps: new Gaps(source, { lists, witnesses, inventory, deadLetters, findings, forgotten }),
  };
}
