import { parseArgs } from 'node:util';

export const HELP = `eval: attacks two sample applications in many ways and holds Alastor's answers against what the attackers know

Usage: npm run eval -- [options]        (npm run -s eval -- --json for JSON alone)

  --only <a,b>      these scenarios; --list names them
  --list            names the scenarios
  --json            print one JSON object instead of the table
  --stories         print every story below the table
  --visitors <n>    ordinary visits of each application besides the attacks, 27 to 500 (default 60)
  --seed <n>        repeat the random choices of an earlier run
  --log <file>      write what the functions print to a file
  --help            print this

Goals, in every scenario: all steps of the attack are in the story (recall 1), at most one in twenty of the story's nodes has nothing
to do with it (precision 0.95), and it is told in at most 25 steps.

Exit code: 0 when all goals are met, 1 when not, 2 for wrong arguments, 130 after Ctrl-C.
`;

export interface EvalOptions {
  /** Undefined: all. */
  readonly only: readonly string[] | undefined;
  readonly list: boolean;
  readonly json: boolean;
  readonly stories: boolean;
  readonly visitors: number;
  readonly seed: number;
  readonly log: string | undefined;
}

/** @throws Error naming the wrong option. `undefined`: help was asked for. */
export function readOptions(argv: readonly string[], names: readonly string[]): EvalOptions | undefined {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      only: { type: 'string' },
      list: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      stories: { type: 'boolean', default: false },
      visitors: { type: 'string', default: '60' },
      seed: { type: 'string' },
      log: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return undefined;
  const only = values.only?.split(',').map((name) => name.trim());
  for (const name of only ?? []) {
    if (!names.includes(name)) throw new Error(`--only: there is no scenario "${name}"; there are ${names.join(', ')}`);
  }
  return {
    ...{ only, list: values.list, json: values.json, stories: values.stories, log: values.log },
    visitors: whole('--visitors', values.visitors, 27, 500),
    seed: values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : whole('--seed', values.seed, 0, 2 ** 31 - 1),
  };
}

function whole(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < least || value > most) {
    throw new Error(`${name} must be a whole number from ${least} to ${most}, not "${text}"`);
  }
  return value;
}
