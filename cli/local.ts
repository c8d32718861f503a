import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Engine } from '../cdk/local/engine.ts';
import { command } from './command.ts';
import { announce } from './local-engine.ts';
import { UsageError, whole } from './usage.ts';

export default command({
  usage: ['--app <command> [options]', '--assembly <directory> [options]', '--supported'],
  options: {
    app: { type: 'string', value: 'command', says: 'command that runs the CDK app, e.g. "node app.ts"' },
    assembly: { type: 'string', value: 'directory', says: 'what `cdk synth` wrote (cdk.out), instead of --app' },
    stack: { type: 'string', value: 'name', says: 'stack to run, when the app has several; or several: a,b' },
    port: { type: 'string', value: 'number', says: 'port of the endpoint (default: one that is free)' },
    supported: { type: 'boolean', says: 'print what of CloudFormation runs locally, as Markdown' },
  },
  text: `Functions run as sandboxed processes; Ctrl-C stops everything. As long as it runs, the other commands ask it unless they are
given another endpoint.`,
  examples: ['--app "node app.ts"'],
  exits: '0 stopped by Ctrl-C, 1 it cannot run, 2 wrong arguments',
  endsItself: true,
  async run({ app, assembly, stack, port: asked, supported }) {
    if (supported) {
      process.stdout.write((await import('../cdk/local/supported.ts')).supportedResources());
      return 0;
    }
    if ((app === undefined) === (assembly === undefined)) throw new UsageError('give either --app or --assembly');
    return run({ app, assembly, stack: stack?.split(','), port: asked === undefined ? 0 : whole('--port', asked, 0, 65_535) });
  },
});

/** Prints how to reach what runs. */
function tell(engine: Engine): void {
  const lines = [`Endpoint  ${engine.endpoint}   (export AWS_ENDPOINT_URL=${engine.endpoint} AWS_REGION=${engine.region})`];
  const width = Math.max(0, ...Object.keys(engine.outputs).map((name) => name.length));
  for (const [name, value] of Object.entries(engine.outputs)) lines.push(`${name.padEnd(width)}  ${value}`);
  process.stdout.write(`${lines.join('\n')}\nRunning. Ctrl-C stops it.\n`);
}

interface Asked {
  readonly app: string | undefined;
  readonly assembly: string | undefined;
  readonly stack: readonly string[] | undefined;
  readonly port: number;
}

async function run({ app, assembly, stack, port }: Asked): Promise<number> {
  const [{ startEngine }, { synthesise }] = await Promise.all([
    import('../cdk/local/engine.ts'),
    import('../cdk/local/synth.ts'),
  ]);
  const stop = new AbortController();
  const asked = () => stop.abort();
  process.on('SIGINT', asked).on('SIGTERM', asked);
  const directory = assembly ?? mkdtempSync(join(tmpdir(), 'alastor-assembly-'));
  let engine: Engine | null = null;
  let forget: () => void = () => undefined;
  try {
    if (app !== undefined) {
      process.stdout.write(`Synthesising \`${app}\`\n`);
      await synthesise(app, directory, stop.signal);
    }
    engine = await startEngine({ assembly: directory, stack, port, log: (line) => process.stdout.write(`${line}\n`) });
    if (!stop.signal.aborted) {
      forget = announce(engine);
      tell(engine);
      await new Promise<void>((resolve) => stop.signal.addEventListener('abort', () => resolve(), { once: true }));
    }
    return 0;
  } catch (cause) {
    if (stop.signal.aborted) return 0;
    throw cause;
  } finally {
    forget();
    await engine?.stop();
    if (assembly === undefined) rmSync(directory, { recursive: true, force: true });
    process.off('SIGINT', asked).off('SIGTERM', asked);
  }
}
