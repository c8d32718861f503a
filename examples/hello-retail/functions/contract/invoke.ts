import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';

const lambda = new LambdaClient({});

/**
 * Calls another function and waits for its answer.
 * @throws Error with the callee's own message when it failed.
 */
export async function invoke<Answer>(functionName: string, event: unknown): Promise<Answer> {
  const output = await lambda.send(
    new InvokeCommand({ FunctionName: functionName, InvocationType: 'RequestResponse', Payload: JSON.stringify(event) }),
  );
  const text = output.Payload ? Buffer.from(output.Payload).toString('utf8') : 'null';
  if (output.FunctionError) throw new Error(`${functionName} failed (${output.FunctionError}): ${text}`);
  return JSON.parse(text) as Answer;
}
