import type { JoinKey, ResourceRef } from '../../record/types.ts';
import { type AwsCall, identify } from './aws-call.ts';
import { readDynamoCall } from './dynamodb.ts';
import { type EventReading, readEventUnguarded } from './event.ts';
import { readEventsCall } from './eventbridge.ts';
import { Findings } from './findings.ts';
import { readGatewayAnswer } from './gateway.ts';
import { decoded, ExchangeReader, type HttpExchange } from './http-exchange.ts';
import { readKinesisCall } from './kinesis.ts';
import { readLambdaCall } from './lambda.ts';
import { partsOf } from './parts.ts';
import { readS3Call, s3Operation } from './s3-call.ts';
import { readSchedulerCall } from './scheduler.ts';
import { readSnsCall } from './sns.ts';
import { readSqsCall } from './sqs.ts';
import { readStatesCall } from './stepfunctions.ts';

/**
 * Reads, out of what passes through an instance, the names under which a hand-over between two functions can be
 * recognised later: on the cause side from an HTTP exchange of the caller, on the effect side from the event of the
 * callee. Nothing is added to the traffic; nothing but identifiers, names and hashes is kept of it.
 */

export type { EventReading } from './event.ts';
export type { HttpExchange } from './http-exchange.ts';
export { requestKey } from './lambda.ts';
export { payloadDigest } from './payload.ts';

/** Digests of what a body consists of without its content encoding, see parts.ts. Never throws. */
export function contentParts(body: Buffer | undefined, encoding: string | undefined): string[] | undefined {
  return partsOf(decoded(body, encoding));
}

export interface ExchangeReading {
  /** Set when the exchange is a call of an AWS service. */
  readonly aws?: AwsCall;
  readonly keys: JoinKey[];
  readonly resources: ResourceRef[];
}

/** By signing name. */
const SERVICES: Readonly<Record<string, (call: AwsCall, reader: ExchangeReader, found: Findings) => void>> = {
  lambda: readLambdaCall,
  sqs: readSqsCall,
  sns: readSnsCall,
  events: readEventsCall,
  s3: readS3Call,
  dynamodb: readDynamoCall,
  kinesis: readKinesisCall,
  states: readStatesCall,
  scheduler: readSchedulerCall,
};

/**
 * Effect side: what invoked a function and by which keys its cause can be found. The key of the invocation itself is not
 * in the event, see {@link requestKey}. Never throws: what cannot be understood is an `invoke` without keys.
 * @param event the event as the Runtime API delivered it; undefined when it was not kept.
 */
export function readEvent(event: Buffer | undefined, _fnArn: string): EventReading {
  try {
    return readEventUnguarded(event);
  } catch {
    return { trigger: { type: 'invoke' }, keys: [], resources: [] };
  }
}

/**
 * Cause side: which AWS call an exchange is, what it touched, and the keys that its effects will show. Never throws;
 * bodies above 1 MiB are not looked at.
 */
export function readExchange(exchange: HttpExchange): ExchangeReading {
  const found = new Findings();
  let aws: AwsCall | undefined;
  try {
    const reader = new ExchangeReader(exchange);
    aws = identify(reader, s3Operation);
    // Calls of an API, signed or not, are plain HTTP; so is a function URL with IAM, signed as `lambda`.
    const isApi = aws === undefined || aws.service === 'execute-api' || /\.lambda-url\./.test(exchange.host);
    if (isApi) {
      readGatewayAnswer(reader, found);
      if (aws?.service === 'lambda') aws = undefined;
    } else if (aws !== undefined && Object.hasOwn(SERVICES, aws.service)) SERVICES[aws.service]?.(aws, reader, found);
  } catch {
    // Hostile or broken content: what was found until here is still true.
  }
  return { ...(aws === undefined ? {} : { aws }), keys: found.keys, resources: found.resources };
}
