import { randomUUID } from 'node:crypto';
import { TemplateError } from '../template/problem.ts';
import { objects, type ResourceType } from '../template/resource-type.ts';
import { createTable, INDEX } from './dynamodb-table.ts';
import { ENCRYPTION, NO_AUTHORISATION, NO_CAPACITY, NO_METRICS, SHORT_LIVED, TAGS } from './reasons.ts';

/** What CDK's TableV2 becomes. One replica, in the region of the stack, is an ordinary table. */
export const globalTable: ResourceType = {
  type: 'AWS::DynamoDB::GlobalTable',
  properties: {
    TableName: true,
    AttributeDefinitions: true,
    KeySchema: true,
    GlobalSecondaryIndexes: [INDEX],
    LocalSecondaryIndexes: [INDEX],
    StreamSpecification: { StreamViewType: true },
    TimeToLiveSpecification: { AttributeName: true, Enabled: true },
    Replicas: [
      {
        Region: true,
        ContributorInsightsSpecification: NO_METRICS,
        DeletionProtectionEnabled: SHORT_LIVED,
        GlobalSecondaryIndexes: NO_CAPACITY,
        PointInTimeRecoverySpecification: SHORT_LIVED,
        ReadOnDemandThroughputSettings: NO_CAPACITY,
        ReadProvisionedThroughputSettings: NO_CAPACITY,
        ResourcePolicy: NO_AUTHORISATION,
        SSESpecification: ENCRYPTION,
        TableClass: 'it only sets a price',
        Tags: TAGS,
      },
    ],
    BillingMode: NO_CAPACITY,
    SSESpecification: ENCRYPTION,
    WarmThroughput: NO_CAPACITY,
    WriteOnDemandThroughputSettings: NO_CAPACITY,
    WriteProvisionedThroughputSettings: NO_CAPACITY,
  },
  async create(resource) {
    if (objects(resource.properties.Replicas).length > 1)
      throw new TemplateError(
        resource.at('Replicas'),
        'there is one region locally; leave the other replicas out for local runs.',
      );
    const created = await createTable(resource);
    return { ...created, attributes: { ...created.attributes, TableId: randomUUID() } };
  },
};
