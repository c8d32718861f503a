import type { AwsCall } from './aws-call.ts';
import type { Findings } from './findings.ts';
import type { ExchangeReader } from './http-exchange.ts';
import { at, text } from './json.ts';
import { functionName } from './lambda.ts';
import { payloadDigest } from './payload.ts';

/**
 * EventBridge Scheduler: a schedule hands its target the input that it was given when it was made, and no identifier of the
 * schedule. (An input with placeholders such as `<aws.scheduler.execution-id>` arrives changed and does not join.)
 */
export function readSchedulerCall(call: AwsCall, reader: ExchangeReader, found: Findings): void {
  if (call.operation !== 'CreateSchedule' && call.operation !== 'UpdateSchedule') return;
  const target = at(reader.input, 'Target');
  const arn = text(target.Arn);
  if (arn !== undefined && /:lambda:/.test(arn)) found.resource('function', `lambda:${functionName(arn)}`, 'call');
  if (reader.succeeded) found.inferred('payload', payloadDigest(target.Input));
}
