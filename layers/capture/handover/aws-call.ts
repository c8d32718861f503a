import type { ExchangeReader } from './http-exchange.ts';

export interface AwsCall {
  /** Signing name: `sqs`, `s3`, `lambda`, `events`, `states`, … */
  readonly service: string;
  readonly operation: string;
}

/** Prefixes of X-Amz-Target that tell the service where the signature does not (unsigned or stripped requests). */
const TARGETS: Readonly<Record<string, string>> = {
  AmazonSQS: 'sqs',
  AmazonSimpleNotificationService: 'sns',
  AWSEvents: 'events',
  DynamoDB_20120810: 'dynamodb',
  DynamoDBStreams_20120810: 'dynamodb',
  Kinesis_20131202: 'kinesis',
  AWSStepFunctions: 'states',
};
/** Smithy RPC v2 names service and operation in the path: https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html */
const RPC_V2 = /\/service\/(?:[^/]*\.)?(\w{1,100})\/operation\/(\w{1,100})$/;

/**
 * Service in a SigV4 credential scope, `AKID/20260101/eu-west-1/sqs/aws4_request` (SigV4A has no region). It is right
 * whatever host the request is sent to, so endpoint overrides (LocalStack, the local engine) change nothing.
 */
const inScope = (scope: string | null | undefined): string | undefined => /\/([a-z0-9-]+)\/aws4_request/.exec(scope ?? '')?.[1];

/** `sqs.eu-west-1.amazonaws.com`, `bucket.s3.eu-west-1.amazonaws.com`: for public objects and the like, which nobody signed. */
function inHost(host: string): string | undefined {
  const name = /^(.+)\.amazonaws\.com(\.cn)?$/.exec(host)?.[1];
  if (name === undefined) return undefined;
  if (/(^|\.)s3(express)?([.-]|$)/.test(name)) return 's3';
  const labels = name.split('.').filter((label) => !/^(dualstack|[a-z]{2}(-[a-z]+)+-\d)$/.test(label));
  return labels.at(-1);
}

/** Lambda's REST paths start with the date of an API version. */
const LAMBDA_INVOKE = /^\/20\d\d-\d\d-\d\d\/functions\/[^/]+\/(invocations|invoke-async|response-streaming-invocations)\/?$/;
const LAMBDA_OPERATIONS: Readonly<Record<string, string>> = {
  invocations: 'Invoke',
  'invoke-async': 'InvokeAsync',
  'response-streaming-invocations': 'InvokeWithResponseStream',
};
/** REST-JSON of EventBridge Scheduler: the method alone tells what is done to a schedule. */
const SCHEDULE = /^\/schedules\/[^/]+\/?$/;
const SCHEDULE_OPERATIONS: Readonly<Record<string, string>> = {
  POST: 'CreateSchedule',
  PUT: 'UpdateSchedule',
  GET: 'GetSchedule',
  DELETE: 'DeleteSchedule',
};

function inPath(service: string, { path, exchange }: ExchangeReader): string | undefined {
  if (service === 'lambda') return LAMBDA_OPERATIONS[LAMBDA_INVOKE.exec(path)?.[1] ?? ''];
  return service === 'scheduler' && SCHEDULE.test(path) ? SCHEDULE_OPERATIONS[exchange.method] : undefined;
}

/** S3 by its other signing names: Express One Zone and Object Lambda speak the same protocol. */
const isS3 = (service: string): boolean => service === 's3' || service === 's3express' || service === 's3-object-lambda';

/** Names the AWS call that an exchange is, or undefined when it is none. */
export function identify(reader: ExchangeReader, s3Operation: (reader: ExchangeReader) => string): AwsCall | undefined {
  const rpc = reader.sent('smithy-protocol')?.startsWith('rpc-v2') ? RPC_V2.exec(reader.path) : null;
  const [target = '', targetOperation] = rpc?.slice(1) ?? (reader.sent('x-amz-target') ?? '').split('.');
  const service =
    inScope(reader.sent('authorization')) ??
    inScope(reader.query.get('X-Amz-Credential')) ??
    TARGETS[target] ??
    inHost(reader.exchange.host);
  if (service === undefined) return undefined;
  if (isS3(service)) return { service: 's3', operation: s3Operation(reader) };
  const operation = targetOperation ?? reader.form.get('Action') ?? inPath(service, reader) ?? reader.exchange.method;
  return { service, operation: /^\w{1,100}$/.test(operation) ? operation : reader.exchange.method };
}
