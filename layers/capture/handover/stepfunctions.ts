import type { AwsCall } from './aws-call.ts';
import type { Findings } from './findings.ts';
import type { ExchangeReader } from './http-exchange.ts';
import { type Json, lastName, text } from './json.ts';

const EXECUTION = /^arn:aws[a-z-]*:states:[a-z0-9-]+:\d{12}:(execution|express):([^:]+):\S+$/;

export function readStatesCall(call: AwsCall, reader: ExchangeReader, found: Findings): void {
  if (call.operation !== 'StartExecution' && call.operation !== 'StartSyncExecution') return;
  const machine = lastName(reader.input.stateMachineArn);
  if (machine !== undefined) found.resource('other', `sfn:${machine}`, 'call');
  if (reader.succeeded) found.exact('sfn', reader.output.executionArn);
}

/**
 * A state's input names its execution only if the state machine's author passes `$$.Execution.Id` on, under a name of
 * their choice. That somebody put it there is a strong hint, not the service's word.
 * @returns the state machine's name.
 */
export function readStateInput(event: Json, found: Findings): string | undefined {
  for (const value of Object.values(event).slice(0, 100)) {
    const arn = text(value)?.slice(0, 500);
    const machine = arn === undefined ? undefined : EXECUTION.exec(arn)?.[2];
    if (machine === undefined) continue;
    found.inferred('sfn', arn);
    return machine;
  }
  return undefined;
}
