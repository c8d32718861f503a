import { randomBytes, randomInt, randomUUID } from 'node:crypto';

const BASE32 = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const LOWER = 'abcdefghijklmnopqrstuvwxyz0123456789';
const UPPER = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';

function pick(alphabet: string, length: number): string {
  return Array.from({ length }, () => alphabet.charAt(randomInt(alphabet.length))).join('');
}

/** `x-amzn-requestid` of the JSON and query services, and ids of messages, events and REST API requests. */
export const uuid = (): string => randomUUID();
/** `x-amz-request-id` of S3: 16 characters, e.g. `79104EXAMPLEB723`. */
export const s3RequestId = (): string => pick(BASE32, 16);
/** `x-amz-id-2` of S3. */
export const s3HostId = (): string => randomBytes(57).toString('base64');
/** `x-amz-apigw-id` of REST APIs, `apigw-requestid` of HTTP APIs: e.g. `JKJaXmPLvHcESHA=`. */
export const gatewayRequestId = (): string => randomBytes(11).toString('base64').replaceAll('+', 'x').replaceAll('/', 'y');
/** Ids of APIs and of the things inside them. */
export const apiId = (): string => pick(LOWER.slice(0, 26), 1) + pick(LOWER, 9);
/** Tail that CloudFormation puts behind generated names. */
export const nameSuffix = (): string => pick(UPPER, 12);

/** `X-Amzn-Trace-Id` as API Gateway makes it when the caller sent none. */
export function traceHeader(): string {
  return `Root=1-${Math.floor(Date.now() / 1000).toString(16)}-${randomBytes(12).toString('hex')}`;
}
