import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Engine, startEngine } from './engine.ts';
import { supportedResources } from './supported.ts';
import { synthesise } from './synth.ts';

const HELP = `alastor local: runs a CDK app on this machine

Usage: alastor local --app <command> [options]
       alastor local --assembly <directory> [options]

  --app <command>         command that runs the CDK app, e.g. "node app.ts"
  --assembly <directory>  what \`cdk synth\` wrote (cdk.out), instead of --app
  --stack <name>          stack to run, when the app has several; repeat it to run more than one
  --port <number>         port of the endpoint (default: one that is free)
  --supported             print what of CloudFormation runs locally, as Markdown
  --help                  print this

Functions run as sandboxed processes; Ctrl-C stops everything.
`;

function parse(argv: string[]) {
  const { values } = parseArgs({
    args: argv,
    options: {
      app: { type: 'string' },
      assembly: { type: 'string' },
      stack: { type: 'string', multiple: true },
      port: { type: 'string' },
      supported: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  return values;
}

/** Prints how to reach what runs. */
function announce(engine: Engine): void {
  const lines = [`Endpoint  ${engine.endpoint}   (export AWS_ENDPOINT_URL=${engine.endpoint} AWS_REGION=${engine.region})`];
  const width = Math.max(0, ...Object.keys(engine.outputs).map((name) => name.length));
  for (const [name, value] of Object.entries(engine.outputs)) lines.push(`${name.padEnd(width)}  ${value}`);
  process.stdout.write(`${lines.join('\n')}\nRunning. Ctrl-C stops it.\n`);
}

/** Body of `alastor local`. Resolves to the exit code: 0 stopped on request, 2 wrong arguments. Throws what keeps it from running. */
export async function runLocal(argv: string[]): Promise<number> {
  let options: ReturnType<typeof parse>;
  try {
    options = parse(argv);
  } catch (cause) {
    process.stderr.write(`alastor local: ${cause instanceof Error ? cause.message : String(cause)}\n\n${HELP}`);
    return 2;
  }
  if (options.help === true || options.supported === true) {
    process.stdout.write(options.help === true ? HELP : supportedResources());
    return 0;
  }
  const port = Number(options.port ?? 0);
  if (
    (options.app === undefined) === (options.assembly === undefined) ||
    !Number.isInteger(port) ||
    port < 0 ||
    port > 65_535
  ) {
    process.stderr.write(`alastor local: give either --app or --assembly; --port is a number from 0 to 65535.\n\n${HELP}`);
    return 2;
  }
  return run(options.app, options.assembly, options.stack, port);
}

async function run(
  app: string | undefined,
  assembly: string | undefined,
  stack: readonly string[] | undefined,
  port: number,
): Promise<number> {
  const stop = new AbortController();
  const asked = () => stop.abort();
  process.on('SIGINT', asked).on('SIGTERM', asked);
  const directory = assembly ?? mkdtempSync(join(tmpdir(), 'alastor-assembly-'));
  let engine: Engine | null = null;
  try {
    if (app !== undefined) {
      process.stdout.write(`Synthesising \`${app}\`\n`);
      await synthesise(app, directory, stop.signal);
    }
    engine = await startEngine({ assembly: directory, stack, port, log: (line) => process.stdout.write(`${line}\n`) });
    if (!stop.signal.aborted) {
      announce(engine);
      await new Promise<void>((resolve) => stop.signal.addEventListener('abort', () => resolve(), { once: true }));
    }
    return 0;
  } catch (cause) {
    if (stop.signal.aborted) return 0;
    throw cause;
  } finally {
    await engine?.stop();
    if (assembly === undefined) rmSync(directory, { recursive: true, force: true });
    process.off('SIGINT', asked).off('SIGTERM', asked);
  }
}
