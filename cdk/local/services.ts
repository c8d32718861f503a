import type { Destinations } from './destinations.ts';
import type { Environment } from './environment.ts';
import type { Functions } from './functions.ts';
import type { Iam } from './iam/account.ts';
import type { ApiGatewayService } from './services/apigateway/service.ts';
import type { DynamoDbService } from './services/dynamodb/service.ts';
import type { EventBridgeService } from './services/events/service.ts';
import type { LambdaConfiguration } from './services/lambda-configuration.ts';
import type { LogsService } from './services/logs/service.ts';
import type { S3Service } from './services/s3/service.ts';
import type { SnsService } from './services/sns/service.ts';
import type { SqsService } from './services/sqs/service.ts';
import type { Topology } from './services/topology.ts';
import type { EventSources } from './sources/event-sources.ts';

/** All services of the account, for the resource types to create things in. */
export interface Services {
  readonly env: Environment;
  readonly iam: Iam;
  readonly functions: Functions;
  readonly destinations: Destinations;
  readonly s3: S3Service;
  readonly sqs: SqsService;
  readonly sns: SnsService;
  readonly dynamodb: DynamoDbService;
  readonly events: EventBridgeService;
  readonly logs: LogsService;
  readonly apis: ApiGatewayService;
  readonly sources: EventSources;
  readonly topology: Topology;
  readonly configuration: LambdaConfiguration;
  /** Directories of layer versions by their ARN. */
  readonly layers: Map<string, string>;
  /** Values in Parameter Store by name. */
  readonly parameters: Map<string, string>;
  /** Parts of APIs that several resources of a template share while it is created. */
  readonly drafts: Map<string, unknown>;
}
