import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';

const lambda = new LambdaClient();

export const handler = async ({ path, command, call }) => {
  if (path !== undefined) writeFileSync(path, 'x');
  if (command !== undefined) execFileSync('/bin/sh', ['-c', command]);
  if (call !== undefined) {
    const { name, event } = call;
    await lambda.send(new InvokeCommand({ FunctionName: name, Payload: JSON.stringify(event) }));
  }
  return { greeting: process.env.GREETING, task: readdirSync('/var/task').sort(), opt: existsSync('/opt/alastor/node') };
};
