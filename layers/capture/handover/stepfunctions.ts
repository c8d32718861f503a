import { createHash } from 'node:crypto';
import type { AwsCall } from './aws-call.ts';
import type { Findings } from './findings.ts';
import type { ExchangeReader } from './http-exchange.ts';
import { isObject, type Json, text } from './json.ts';
import { payloadDigest } from './payload.ts';

const EXECUTION = /^arn:aws[a-z-]*:states:[a-z0-9-]+:\d{12}:(execution|express):([^:]+):\S+$/;
/** Task tokens are opaque base64 of some hundred characters; the field is named by the state machine's author. */
const TOKEN_NAME = /token$/i;
const TOKEN = /^[A-Za-z0-9+/=_-]{100,2048}$/;
/** An author may pass the context object on under a name of its own. */
const MAX_DEPTH = 4;
const MAX_FIELDS = 400;

/** A task that waits for its token to come back. Hashed: whoever has the token can answer the task. */
const taskOf = (token: string): string => `sfn-task:${createHash('sha256').update(token).digest('hex').slice(0, 32)}`;

export function readStatesCall(call: AwsCall, reader: ExchangeReader, found: Findings): void {
  const { input, output, succeeded } = reader;
  switch (call.operation) {
    case 'StartExecution':
    case 'StartSyncExecution': {
      // A version or an alias may follow the name.
      const machine = /:stateMachine:([^:]+)/.exec(text(input.stateMachineArn) ?? '')?.[1];
      if (machine !== undefined) found.resource('other', `sfn:${machine}`, 'call');
      if (!succeeded) return;
      found.exact('sfn', output.executionArn);
      // The first state gets the input as it is, unless the machine reshapes it.
      found.inferred('payload', payloadDigest(input.input));
      return;
    }
    case 'SendTaskSuccess':
    case 'SendTaskFailure':
    case 'SendTaskHeartbeat': {
      const token = text(input.taskToken);
      if (token !== undefined) found.resource('other', taskOf(token), 'call');
      if (succeeded) found.inferred('payload', payloadDigest(input.output));
      return;
    }
    case 'GetActivityTask': {
      const token = text(output.taskToken);
      if (token !== undefined) found.resource('other', taskOf(token), 'read');
      if (succeeded) found.inferred('payload', payloadDigest(output.input));
      return;
    }
  }
}

/**
 * A state's input names its execution, or the token of its task, only if the state machine's author passes `$$.Execution.Id` or
 * `$$.Task.Token` on, under a name of their choice. That somebody put it there is a strong hint, not the service's word.
 * @returns the state machine's name.
 */
export function readStateInput(event: Json, found: Findings): string | undefined {
  let machine: string | undefined;
  let seen = 0;
  const level: (readonly [name: string, value: unknown, depth: number])[] = Object.entries(event).map(([n, v]) => [n, v, 1]);
  for (let next = level.shift(); next !== undefined && ++seen <= MAX_FIELDS; next = level.shift()) {
    const [name, value, depth] = next;
    if (isObject(value) && depth < MAX_DEPTH) {
      for (const [inner, one] of Object.entries(value).slice(0, MAX_FIELDS)) level.push([inner, one, depth + 1]);
    }
    const field = text(value)?.slice(0, 2049);
    if (field === undefined) continue;
    const execution = EXECUTION.exec(field.slice(0, 500))?.[2];
    if (execution !== undefined) {
      found.inferred('sfn', field);
      machine ??= execution;
    } else if (TOKEN_NAME.test(name) && TOKEN.test(field)) {
      found.resource('other', taskOf(field), 'read');
    }
  }
  return machine;
}
