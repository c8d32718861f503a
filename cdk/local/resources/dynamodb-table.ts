import { flag, object, objects, type Resource, type ResourceType } from '../template/resource-type.ts';
import { ENCRYPTION, NO_AUTHORISATION, NO_CAPACITY, NO_METRICS, SHORT_LIVED, TAGS } from './reasons.ts';

const CONTROL = 'DynamoDB_20120810';

/** Index without its throughput, which means nothing here. */
const index = ({ IndexName, KeySchema, Projection }: Record<string, unknown>) => ({ IndexName, KeySchema, Projection });

/** Creates the table in DynamoDB Local, on demand and without the things that only a service has. */
export async function createTable(resource: Resource): Promise<{ ref: string; attributes: Record<string, string> }> {
  const { properties, services } = resource;
  const name = resource.name(properties.TableName, 255);
  const stream = properties.StreamSpecification === undefined ? null : object(properties.StreamSpecification);
  const global = objects(properties.GlobalSecondaryIndexes).map(index);
  const local = objects(properties.LocalSecondaryIndexes).map(index);
  const output = await services.dynamodb.call(`${CONTROL}.CreateTable`, {
    TableName: name,
    AttributeDefinitions: properties.AttributeDefinitions,
    KeySchema: properties.KeySchema,
    BillingMode: 'PAY_PER_REQUEST',
    ...(global.length === 0 ? {} : { GlobalSecondaryIndexes: global }),
    ...(local.length === 0 ? {} : { LocalSecondaryIndexes: local }),
    ...(stream === null ? {} : { StreamSpecification: { StreamEnabled: true, StreamViewType: stream.StreamViewType } }),
  });
  const ttl = object(properties.TimeToLiveSpecification);
  if (flag(ttl.Enabled)) {
    const TimeToLiveSpecification = { Enabled: true, AttributeName: ttl.AttributeName };
    await services.dynamodb.call(`${CONTROL}.UpdateTimeToLive`, { TableName: name, TimeToLiveSpecification });
  }
  const { LatestStreamArn: streamArn } = object(output.TableDescription);
  const { region, accountId } = services.env;
  return {
    ref: name,
    attributes: {
      Arn: `arn:aws:dynamodb:${region}:${accountId}:table/${name}`,
      ...(typeof streamArn === 'string' ? { StreamArn: streamArn } : {}),
    },
  };
}

export const INDEX = {
  IndexName: true,
  KeySchema: true,
  Projection: true,
  ProvisionedThroughput: NO_CAPACITY,
  OnDemandThroughput: NO_CAPACITY,
  WarmThroughput: NO_CAPACITY,
  WriteProvisionedThroughputSettings: NO_CAPACITY,
  WriteOnDemandThroughputSettings: NO_CAPACITY,
  ContributorInsightsSpecification: NO_METRICS,
} as const;

export const table: ResourceType = {
  type: 'AWS::DynamoDB::Table',
  properties: {
    TableName: true,
    AttributeDefinitions: true,
    KeySchema: true,
    GlobalSecondaryIndexes: [INDEX],
    LocalSecondaryIndexes: [INDEX],
    StreamSpecification: { StreamViewType: true, ResourcePolicy: NO_AUTHORISATION },
    TimeToLiveSpecification: { AttributeName: true, Enabled: true },
    BillingMode: NO_CAPACITY,
    ProvisionedThroughput: NO_CAPACITY,
    OnDemandThroughput: NO_CAPACITY,
    WarmThroughput: NO_CAPACITY,
    ContributorInsightsSpecification: NO_METRICS,
    DeletionProtectionEnabled: SHORT_LIVED,
    PointInTimeRecoverySpecification: SHORT_LIVED,
    SSESpecification: ENCRYPTION,
    TableClass: 'it only sets a price',
    ResourcePolicy: NO_AUTHORISATION,
    Tags: TAGS,
  },
  create: createTable,
};
