#!/usr/bin/env node
/** The `alastor` command: names its subcommands and hands over to one. Exit codes: 0 done, 1 failed, 2 wrong arguments. */

import { UsageError } from './usage.ts';

const HELP = `alastor: reconstructs serverless intrusions

Usage: alastor <command> [options]

Commands:
  local     run a CDK app on this machine: Lambda, S3, SQS, DynamoDB, EventBridge, API Gateway
  demo      audit, attack and explain the sample application Hello, Retail!
  restitch  have stored segments stitched again, for instance after an upgrade
  redrive   give the stitcher another try at what it gave up on

alastor <command> --help tells the options of one.
From a checkout: npm run alastor -- <command> [options]
`;

const commands: Readonly<Record<string, () => Promise<(argv: string[]) => Promise<number>>>> = {
  local: async () => (await import('../cdk/local/main.ts')).runLocal,
  demo: async () => (await import('./demo/main.ts')).runDemo,
  restitch: async () => (await import('./restitch.ts')).runRestitch,
  redrive: async () => (await import('./redrive.ts')).runRedrive,
};

const [name, ...rest] = process.argv.slice(2);
if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
  process.stdout.write(HELP);
  process.exit(name === undefined ? 2 : 0);
}
const load = commands[name];
if (load === undefined) {
  process.stderr.write(`alastor: there is no command "${name}". Commands: ${Object.keys(commands).join(', ')}.\n`);
  process.exit(2);
}
try {
  process.exitCode = await (await load())(rest);
} catch (error) {
  process.stderr.write(`alastor ${name}: ${error instanceof Error ? error.message : String(error)}\n`);
  if (error instanceof UsageError) process.stderr.write(error.help === '' ? '' : `\n${error.help}`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
