import { parseArgs } from 'node:util';

export const HELP = `alastor demo: audits Hello, Retail!, attacks it twice, and explains both attacks

Usage: npm run demo -- [options]        (npm run -s demo -- --json for JSON alone)

  --json            print one JSON object instead of the report
  --keep            leave everything running afterwards, until Ctrl-C
  --disorder        deliver S3 notifications twice, late and out of order
  --visitors <n>    ordinary visitors besides the attacks, 6 to 500 (default 12)
  --seed <n>        repeat the random choices of an earlier run
  --log <file>      write what the functions print to a file
  --help            print this

Exit code: 0 when both paths are complete and nothing was lost, 1 when not, 2 for wrong arguments, 130 after Ctrl-C.
`;

export interface DemoOptions {
  readonly json: boolean;
  readonly keep: boolean;
  readonly disorder: boolean;
  readonly visitors: number;
  readonly seed: number;
  readonly log: string | undefined;
}

/** @throws Error naming the wrong option. `undefined`: help was asked for. */
export function readOptions(argv: string[]): DemoOptions | undefined {
  const { values } = parseArgs({
    args: argv,
    options: {
      json: { type: 'boolean', default: false },
      keep: { type: 'boolean', default: false },
      disorder: { type: 'boolean', default: false },
      visitors: { type: 'string', default: '12' },
      seed: { type: 'string' },
      log: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return undefined;
  return {
    json: values.json,
    keep: values.keep,
    disorder: values.disorder,
    visitors: whole('--visitors', values.visitors, 6, 500),
    seed: values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : whole('--seed', values.seed, 0, 2 ** 31),
    log: values.log,
  };
}

function whole(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < least || value > most) {
    throw new Error(`${name} must be a whole number from ${least} to ${most}, not "${text}"`);
  }
  return value;
}
