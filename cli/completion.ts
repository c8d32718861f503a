/** Completion for shells: scripts that know every command and option, made from the registrations. */
import { command, type Option } from './command.ts';
import { UsageError } from './usage.ts';

interface Known {
  readonly name: string;
  readonly summary: string;
  readonly options: readonly (readonly [name: string, option: Option])[];
}

const shells = { bash, zsh, fish } as const;

export default command({
  usage: ['bash | zsh | fish'],
  positionals: [1, 1],
  options: {},
  text: `Prints a script for the shell. For good:

  bash   alastor completion bash > ~/.local/share/bash-completion/completions/alastor
  zsh    alastor completion zsh > "\${fpath[1]}/_alastor"
  fish   alastor completion fish > ~/.config/fish/completions/alastor.fish`,
  examples: ['bash'],
  exits: '0 done, 2 wrong arguments',
  async run(_, [shell = '']) {
    const script = Object.hasOwn(shells, shell) ? shells[shell as keyof typeof shells] : undefined;
    if (script === undefined) throw new UsageError(`the shell must be one of ${Object.keys(shells).join(', ')}`);
    // Here, for the list of commands names this one.
    const { commands, find } = await import('./commands.ts');
    const known: Known[] = [];
    for (const name of Object.keys(commands)) {
      const named = await find(name);
      if (named === undefined) continue;
      known.push({ name, summary: named.summary, options: Object.entries(named.command.options) });
    }
    process.stdout.write(script(known));
    return 0;
  },
});

/** Values that an option takes: its own, a file, or nothing that a shell could know. */
type Values = readonly string[] | 'file' | undefined;
const valuesOf = ({ choices, value }: Option): Values =>
  choices ?? (value === 'file' || value === 'directory' ? 'file' : undefined);
const takesValue = ({ type }: Option): boolean => type === 'string';

function bash(known: readonly Known[]): string {
  const cases = known.map(({ name, options }) => {
    const flags = options.map(([option]) => `--${option}`).join(' ');
    const values = options.flatMap(([option, about]) => {
      if (!takesValue(about)) return [];
      const given = valuesOf(about);
      if (given === 'file') return [`      --${option}) COMPREPLY=($(compgen -f -- "$cur")); return ;;`];
      return [`      --${option}) COMPREPLY=($(compgen -W "${given?.join(' ') ?? ''}" -- "$cur")); return ;;`];
    });
    const positional = name === 'completion' ? ` ${Object.keys(shells).join(' ')}` : '';
    return `    ${name})
      case "$prev" in
${values.join('\n')}${values.length > 0 ? '\n' : ''}      esac
      COMPREPLY=($(compgen -W "${flags}${positional}" -- "$cur")) ;;`;
  });
  return `# bash completion for alastor
_alastor() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}"
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${known.map(({ name }) => name).join(' ')} --help" -- "$cur"))
    return
  fi
  case "\${COMP_WORDS[1]}" in
${cases.join('\n')}
  esac
}
complete -F _alastor alastor
`;
}

/** In single quotes of a POSIX shell, and without what \`_arguments\` gives a meaning. */
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
const described = (text: string): string => text.replace(/[[\]\\:]/g, '\\$&');

function zsh(known: readonly Known[]): string {
  const cases = known.map(({ name, options }) => {
    const specs = options.map(([option, about]) => {
      const values = valuesOf(about);
      const action = values === 'file' ? '_files' : values === undefined ? ' ' : `(${values.join(' ')})`;
      const takes = takesValue(about) ? `:${about.value ?? 'text'}:${action}` : '';
      return quoted(`--${option}[${described(about.says)}]${takes}`);
    });
    const positional = name === 'completion' ? quoted(`1:shell:(${Object.keys(shells).join(' ')})`) : quoted('*: : ');
    return `    ${name}) _arguments ${[...specs, positional].join(' ')} ;;`;
  });
  return `#compdef alastor
# zsh completion for alastor
_alastor() {
  if (( CURRENT == 2 )); then
    local -a names=(${known.map(({ name, summary }) => quoted(`${name}:${summary.replaceAll(':', ' ')}`)).join(' ')})
    _describe command names
    return
  fi
  shift words
  (( CURRENT-- ))
  case "$words[1]" in
${cases.join('\n')}
  esac
}
if [ "$funcstack[1]" = _alastor ]; then _alastor "$@"; else compdef _alastor alastor; fi
`;
}

function fish(known: readonly Known[]): string {
  const escaped = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
  const lines = known.flatMap(({ name, summary, options }) => [
    `complete -c alastor -n __fish_use_subcommand -a ${name} -d ${escaped(summary)}`,
    ...options.map(([option, about]) => {
      const values = valuesOf(about);
      const takes = !takesValue(about)
        ? ''
        : values === 'file'
          ? ' -r -F'
          : ` -x${values === undefined ? '' : ` -a ${escaped(values.join(' '))}`}`;
      return `complete -c alastor -n '__fish_seen_subcommand_from ${name}' -l ${option}${takes} -d ${escaped(about.says)}`;
    }),
    ...(name === 'completion'
      ? [`complete -c alastor -n '__fish_seen_subcommand_from completion' -a ${escaped(Object.keys(shells).join(' '))}`]
      : []),
  ]);
  return `# fish completion for alastor\ncomplete -c alastor -f\n${lines.join('\n')}\n`;
}
