import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';

export const handler = async ({ path, command }) => {
  if (path !== undefined) writeFileSync(path, 'x');
  if (command !== undefined) execFileSync('/bin/sh', ['-c', command]);
  return { greeting: process.env.GREETING, task: readdirSync('/var/task').sort(), opt: existsSync('/opt/alastor/node') };
};
