/** What a command is. Its help, the shell completion and docs/cli.md are made from this. */
import { parseArgs } from 'node:util';
import { UsageError } from './usage.ts';

export interface Option {
  readonly type: 'string' | 'boolean';
  readonly short?: string;
  /** What stands for its value in the help, e.g. `time`; of a string only. */
  readonly value?: string;
  readonly says: string;
  /** The only values that it takes. */
  readonly choices?: readonly string[];
}
export type Options = Readonly<Record<string, Option>>;

type Value<O extends Option> = O['type'] extends 'boolean'
  ? boolean
  : (O extends { readonly choices: readonly (infer Choice)[] } ? Choice : string) | undefined;
export type Values<O extends Options> = { readonly [Name in keyof O]: Value<O[Name]> };

export interface Described<O extends Options = Options> {
  /** What may stand behind `alastor <name>`, one line for each way. */
  readonly usage: readonly string[];
  /** How many arguments may stand beside the options; none when left out. */
  readonly positionals?: readonly [least: number, most: number];
  readonly options: O;
  /** Paragraphs behind the options, with empty lines between; lines that begin with spaces stay as they are. */
  readonly text?: string;
  /** What may stand behind `alastor <name>` in use, with a remark behind `#` where it needs one. */
  readonly examples: readonly string[];
  /** What the exit codes mean when they mean something else than usual. */
  readonly exits?: string;
  /** After Ctrl-C it ends by itself, in good order. */
  readonly endsItself?: true;
  /** Resolves to the exit code. @throws UsageError for wrong arguments, any other error for what went wrong */
  run(values: Values<O>, positionals: readonly string[]): Promise<number>;
}

export interface Command extends Omit<Described, 'run'> {
  /** Reads the arguments and runs. Resolves to the exit code, or to nothing when help is wanted. @throws UsageError */
  start(argv: readonly string[]): Promise<number | undefined>;
}

/** A command with its place in the list of all of them (commands.ts). */
export interface Named {
  readonly name: string;
  /** One line, without a full stop. */
  readonly summary: string;
  readonly command: Command;
}

/** Exit code of commands that look for something. */
export const NOTHING_FOUND = 3;
const EXITS = '0 found or done, 1 failed, 2 wrong arguments, 3 nothing found, 130 interrupted';
const HELP = { type: 'boolean', short: 'h', says: 'print this' } as const;

export function command<const O extends Options>({ run, ...described }: Described<O>): Command {
  const options: Options = { ...described.options, help: HELP };
  const [least, most] = described.positionals ?? [0, 0];
  return {
    ...described,
    options,
    async start(argv) {
      const { values, positionals } = UsageError.guard(() =>
        parseArgs({ args: [...argv], options: shapes(options), allowPositionals: true, strict: true }),
      );
      if (values.help === true) return undefined;
      for (const [name, { type, choices }] of Object.entries(options)) {
        const given = values[name];
        if (type === 'boolean') values[name] = given === true;
        if (choices !== undefined && given !== undefined && !choices.includes(String(given))) {
          throw new UsageError(`--${name} must be one of ${choices.join(', ')}, not "${String(given)}"`);
        }
      }
      const surplus = positionals[most];
      if (surplus !== undefined) throw new UsageError(`"${surplus}" is one argument too many`);
      if (positionals.length < least) throw new UsageError('an argument is missing');
      return run(values as Values<O>, positionals);
    },
  };
}

/** For parseArgs. */
function shapes(options: Options): Record<string, { type: 'string' | 'boolean'; short?: string }> {
  return Object.fromEntries(
    Object.entries(options).map(([name, { type, short }]) => [name, { type, ...(short === undefined ? {} : { short }) }]),
  );
}

/** Lines that say how it is called. */
export function usageOf({ name, command: { usage } }: Named): string {
  return usage.map((line, i) => `${i === 0 ? 'Usage: ' : '       '}alastor ${name} ${line}`.trimEnd()).join('\n');
}

/** Columns of a help: also read in files and pipes, so that it does not follow the terminal. */
const COLUMNS = 100;

export function helpOf(named: Named): string {
  const { name, summary, command: about } = named;
  const flags = Object.entries(about.options).map(([long, { short, type, value, choices, says }]) => ({
    flag: `${short === undefined ? '' : `-${short}, `}--${long}${type === 'string' ? ` <${value ?? 'text'}>` : ''}`,
    says: choices === undefined ? says : `${says}: ${choices.join(', ')}`,
  }));
  const width = Math.min(24, Math.max(...flags.map(({ flag }) => flag.length)));
  const parts = [
    `alastor ${name}: ${summary}`,
    usageOf(named),
    flags.flatMap(({ flag, says }) => listed(flag, says, width)).join('\n'),
    ...(about.text === undefined ? [] : [flowed(about.text)]),
    ...(about.examples.length === 0
      ? []
      : [`Examples:\n${about.examples.map((line) => `  alastor ${name} ${line}`.trimEnd()).join('\n')}`]),
    filled(`Exit code: ${about.exits ?? EXITS}.`, COLUMNS).join('\n'),
  ];
  return `${parts.join('\n\n')}\n`;
}

function flowed(text: string): string {
  const blocks = text.trim().split(/\n\n+/);
  const flow = (block: string) => (/^ /m.test(block) ? [block] : filled(block.replaceAll('\n', ' '), COLUMNS));
  return blocks.map((block) => flow(block).join('\n')).join('\n\n');
}

/** Lines of at most so many columns, where words allow. */
function filled(text: string, columns: number): readonly string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > columns) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}

/** `what`, and beside it, wrapped, what it is. */
export function listed(what: string, says: string, width: number): readonly string[] {
  const lines = filled(says, COLUMNS - width - 4);
  const indent = ' '.repeat(width + 4);
  const first = `  ${what.padEnd(width)}  `;
  if (what.length > width) return [first.trimEnd(), ...lines.map((line) => indent + line)];
  return lines.map((line, i) => (i === 0 ? first : indent) + line);
}
