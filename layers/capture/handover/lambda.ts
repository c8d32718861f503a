import type { JoinKey } from '../../record/types.ts';
import type { AwsCall } from './aws-call.ts';
import type { Findings } from './findings.ts';
import type { ExchangeReader } from './http-exchange.ts';

/** Effect side of an invocation: the id that the runtime is given is the one the caller got in x-amzn-requestid. */
export const requestKey = (reqId: string): JoinKey => ({ key: `lambda:${reqId}`, sure: 'exact' });

/** `name`, `name:alias`, `123456789012:function:name`, `arn:aws:lambda:…:function:name:alias` → `name`. */
export function functionName(reference: string): string {
  const parts = reference.split(':');
  const marker = parts.indexOf('function');
  return (marker === -1 ? parts[0] : parts[marker + 1]) ?? reference;
}

export function readLambdaCall(call: AwsCall, reader: ExchangeReader, found: Findings): void {
  if (!call.operation.startsWith('Invoke')) return;
  const segment = reader.path.split('/')[3];
  if (segment !== undefined) found.resource('function', `lambda:${functionName(decodeURIComponent(segment))}`, 'call');
  // 204 answers a dry run: nothing was invoked.
  if (reader.succeeded && reader.exchange.status !== 204) found.exact('lambda', reader.got('x-amzn-requestid'));
}
