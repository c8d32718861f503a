import type { ResourceType } from '../template/resource-type.ts';
import { restMethod } from './apigateway-method.ts';
import { restResource } from './apigateway-resource.ts';
import { restApi } from './apigateway-restapi.ts';
import { restStage } from './apigateway-stage.ts';
import { httpApi } from './apigatewayv2-api.ts';
import { httpIntegration } from './apigatewayv2-integration.ts';
import { httpRoute } from './apigatewayv2-route.ts';
import { httpStage } from './apigatewayv2-stage.ts';
import { globalTable } from './dynamodb-globaltable.ts';
import { table } from './dynamodb-table.ts';
import { eventBus } from './events-eventbus.ts';
import { rule } from './events-rule.ts';
import { bucketPolicy, key, managedPolicy, policy, role } from './iam.ts';
import { alias } from './lambda-alias.ts';
import { eventInvokeConfig } from './lambda-eventinvokeconfig.ts';
import { eventSourceMapping } from './lambda-eventsourcemapping.ts';
import { lambdaFunction } from './lambda-function.ts';
import { layerVersion } from './lambda-layerversion.ts';
import { permission } from './lambda-permission.ts';
import { functionUrl } from './lambda-url.ts';
import { version } from './lambda-version.ts';
import { logGroup } from './logs-loggroup.ts';
import { subscriptionFilter } from './logs-subscriptionfilter.ts';
import { bucket } from './s3-bucket.ts';
import { bucketNotifications } from './s3-bucketnotifications.ts';
import { subscription } from './sns-subscription.ts';
import { topic } from './sns-topic.ts';
import { queue } from './sqs-queue.ts';
import { parameter } from './ssm-parameter.ts';

const TYPES: readonly ResourceType[] = [
  httpApi,
  httpIntegration,
  httpRoute,
  httpStage,
  restApi,
  restMethod,
  restResource,
  restStage,
  globalTable,
  table,
  eventBus,
  rule,
  alias,
  eventInvokeConfig,
  eventSourceMapping,
  lambdaFunction,
  layerVersion,
  functionUrl,
  permission,
  version,
  logGroup,
  subscriptionFilter,
  bucket,
  bucketNotifications,
  subscription,
  topic,
  queue,
  parameter,
  role,
  policy,
  managedPolicy,
  key,
  bucketPolicy,
];

/** Every resource type that the engine creates, by its CloudFormation name. */
export const RESOURCE_TYPES: ReadonlyMap<string, ResourceType> = new Map(TYPES.map((one) => [one.type, one]));

/** Custom resources of CDK that are applied without running the function behind them. */
export const NATIVE_CUSTOM_TYPES: ReadonlySet<string> = new Set([
  bucketNotifications.type,
  'Custom::S3AutoDeleteObjects',
  'Custom::LogRetention',
]);
