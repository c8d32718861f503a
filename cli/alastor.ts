#!/usr/bin/env node
/** The `alastor` command: hands over to one of its subcommands. */
import { helpOf, listed, usageOf } from './command.ts';
import { commands, find } from './commands.ts';
import { safe } from './screen.ts';
import { UsageError } from './usage.ts';

function overview(): string {
  const names = Object.keys(commands);
  const width = Math.max(...names.map((name) => name.length));
  return `alastor: reconstructs serverless intrusions

Usage: alastor <command> [options]

Commands:
${names.flatMap((name) => listed(name, commands[name]?.summary ?? '', width)).join('\n')}

alastor <command> --help tells the options of one.
From a checkout: npm run -s alastor -- <command> [options]
`;
}

/** What was said of progress is wiped away. */
function interrupted(): void {
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[2K');
  process.exit(130);
}

async function main([name, ...rest]: readonly string[]): Promise<number> {
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    process.stdout.write(overview());
    return name === undefined ? 2 : 0;
  }
  const named = await find(name);
  if (named === undefined) {
    const all = Object.keys(commands).join(', ');
    process.stderr.write(`alastor: there is no command "${safe(name, 100)}". Commands: ${all}.\n`);
    return 2;
  }
  // A reader that has seen enough (`| head`) is no failure.
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
  if (named.command.endsItself !== true) process.once('SIGINT', interrupted);
  try {
    const code = await named.command.start(rest);
    if (code === undefined) process.stdout.write(helpOf(named));
    return code ?? 0;
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    const lines = said.split('\n').map((line) => safe(line));
    process.stderr.write(`alastor ${name}: ${lines.join('\n')}\n`);
    if (!(error instanceof UsageError)) return 1;
    process.stderr.write(`\n${usageOf(named)}\n\nalastor ${name} --help tells more.\n`);
    return 2;
  }
}

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    process.exitCode = 1;
    console.error(error);
  },
);
