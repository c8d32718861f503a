/** Reads Dockerfiles as far as it takes to know what an image starts, and to make a simple one without Docker. */

export interface Instruction {
  /** Of its first line, from 1. */
  readonly line: number;
  /** In capitals. */
  readonly name: string;
  /** `--from=build` → `from: build`; a flag without a value has ''. */
  readonly flags: Readonly<Record<string, string>>;
  /** What follows name and flags, on one line; variables are as they were written. */
  readonly text: string;
  /** Text of its here-documents, if it has any. */
  readonly documents: readonly string[];
}

export interface Stage {
  readonly line: number;
  readonly name: string | undefined;
  /** Another stage, or an image. Variables are replaced. */
  readonly from: string;
  readonly instructions: readonly Instruction[];
}

export class DockerfileError extends Error {
  override readonly name = 'DockerfileError';
  /** @param line 0: the file as a whole */
  constructor(line: number, problem: string) {
    super(line === 0 ? problem : `line ${line}: ${problem}`);
  }
}

/** https://docs.docker.com/reference/dockerfile/: parser directives, comments, continued lines, here-documents. */
export function readDockerfile(text: string): Instruction[] {
  const mark = /^(?:\s*#[^\n]*\n)*?\s*#\s*escape\s*=\s*`/i.test(text) ? '`' : '\\';
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  const found: Instruction[] = [];
  for (let at = 0; at < lines.length; at++) {
    const line = at + 1;
    if (isBlank(lines[at])) continue;
    let whole = '';
    for (; ; at++) {
      const part = lines[at];
      if (part === undefined) throw new DockerfileError(line, 'the file ends within an instruction');
      // Comments and empty lines within an instruction are no part of it.
      if (whole !== '' && isBlank(part)) continue;
      const continued = part.trimEnd().endsWith(mark);
      whole += continued ? part.trimEnd().slice(0, -1) : part;
      if (!continued) break;
    }
    const [, name = '', flagText = '', rest = ''] = /^\s*([A-Za-z]+)((?:\s+--[\w-]+(?:=\S*)?)*)\s*(.*)$/s.exec(whole) ?? [];
    if (name === '') throw new DockerfileError(line, `this is no instruction: ${whole.trim().slice(0, 80)}`);
    const documents: string[] = [];
    const upper = name.toUpperCase();
    if (upper === 'RUN' || upper === 'COPY' || upper === 'ADD') {
      for (const [, dash, , end] of rest.matchAll(/<<(-?)(["']?)(\w+)\2/g)) {
        const from = at + 1;
        const ends = (one: string): boolean => (dash === '-' ? one.replace(/^\t+/, '') : one) === end;
        const until = lines.findIndex((one, i) => i >= from && ends(one));
        if (until < 0) throw new DockerfileError(line, `its here-document has no end: ${end}`);
        documents.push(lines.slice(from, until).join('\n'));
        at = until;
      }
    }
    found.push({ line, name: upper, flags: flagsOf(flagText), text: rest.trim(), documents });
  }
  return found;
}

const isBlank = (line = ''): boolean => /^\s*(#|$)/.test(line);

function flagsOf(text: string): Record<string, string> {
  return Object.fromEntries([...text.matchAll(/--([\w-]+)(?:=(\S*))?/g)].map(([, name = '', value = '']) => [name, value]));
}

/**
 * The stages of a Dockerfile.
 * @param args what is given for `ARG`s before the first stage
 */
export function stagesOf(instructions: readonly Instruction[], args: Readonly<Record<string, string>> = {}): Stage[] {
  const variables: Record<string, string> = {};
  const stages: { line: number; name: string | undefined; from: string; instructions: Instruction[] }[] = [];
  for (const one of instructions) {
    const stage = stages.at(-1);
    if (one.name === 'FROM') {
      const [, from = '', name] = /^(\S+)(?:\s+as\s+(\S+))?$/i.exec(one.text) ?? [];
      if (from === '') throw new DockerfileError(one.line, 'FROM needs an image');
      stages.push({ line: one.line, name: name?.toLowerCase(), from: expand(from, variables), instructions: [] });
    } else if (stage !== undefined) stage.instructions.push(one);
    else if (one.name === 'ARG') Object.assign(variables, argument(one.text, variables, args));
    else throw new DockerfileError(one.line, `${one.name} before the first FROM`);
  }
  if (stages.length === 0) throw new DockerfileError(0, 'there is no FROM');
  return stages;
}

/** The stage that is built: the one named, or the last. */
export function targetStage(stages: readonly Stage[], target: string | undefined): Stage {
  const found = target === undefined ? stages.at(-1) : stages.find(({ name }) => name === target.toLowerCase());
  if (found !== undefined) return found;
  const names = stages.flatMap(({ name }) => name ?? []).join(', ') || 'none';
  throw new DockerfileError(0, `there is no stage ${target}; named are ${names}`);
}

/** The stage before `stage` that its FROM means; undefined when it means an image. */
export function baseStage(stages: readonly Stage[], stage: Stage): Stage | undefined {
  return stages.slice(0, stages.indexOf(stage)).findLast(({ name }) => name === stage.from.toLowerCase());
}

/** What an ARG defines: as given, else its default. */
export function argument(
  text: string,
  variables: Readonly<Record<string, string>>,
  given: Readonly<Record<string, string>>,
): Record<string, string> {
  const [, name = '', , value] = /^(\w+)(=(.*))?$/s.exec(text) ?? [];
  const set = given[name] ?? (value === undefined ? variables[name] : expand(value, variables));
  return set === undefined ? {} : { [name]: set };
}

/** `A=1 B="2 3"`, and the old `A 1`. */
export function assignments(text: string, variables: Readonly<Record<string, string>>): Record<string, string> {
  if (!/^[\w.-]+=/.test(text)) {
    const [, name = '', value = ''] = /^(\S+)\s+(.*)$/s.exec(text) ?? [];
    return { [name]: expand(value, variables) };
  }
  return Object.fromEntries(
    shellWords(text).map((word) => {
      const at = word.indexOf('=');
      return [word.slice(0, at), expand(word.slice(at + 1), variables)];
    }),
  );
}

/** `["a", "b"]` → its words; undefined for the shell form. */
export function execForm(text: string): string[] | undefined {
  if (!text.startsWith('[')) return undefined;
  try {
    const listed: unknown = JSON.parse(text);
    return Array.isArray(listed) && listed.every((word) => typeof word === 'string') ? listed : undefined;
  } catch {
    return undefined;
  }
}

/** Words of COPY, ADD and the like. */
export function words(text: string, variables: Readonly<Record<string, string>>): string[] {
  return (execForm(text) ?? shellWords(text)).map((word) => expand(word, variables));
}

/** Split at spaces that are neither quoted nor escaped; quotes stay. */
function shellWords(text: string): string[] {
  return text.match(/(?:"(?:[^"\\]|\\.)*"|'[^']*'|\\.|[^\s"'\\]|["'\\])+/gs) ?? [];
}

/**
 * A word as the builder understands it: without quotes, with `$NAME`, `${NAME}`, `${NAME:-else}` and `${NAME:+then}` replaced
 * but in single quotes. What is not defined is ''.
 */
export function expand(word: string, variables: Readonly<Record<string, string>>): string {
  return word.replace(
    /'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)|\$(\w+)|\$\{(\w+)(?::([-+])([^}]*))?\}/gs,
    (_match, single, double, escaped, plain, braced, how, other: string) => {
      if (single !== undefined) return single;
      if (double !== undefined) return inDoubleQuotes(double, variables);
      if (escaped !== undefined) return escaped;
      const value = variables[plain ?? braced] ?? '';
      if (how === undefined) return value;
      return (value === '') === (how === '-') ? expand(other, variables) : how === '-' ? value : '';
    },
  );
}

/** There a backslash means something before a few characters only, and single quotes nothing. */
const inDoubleQuotes = (text: string, variables: Readonly<Record<string, string>>): string =>
  text.replace(/\\(["\\$])|\$(?:\w+|\{\w+(?::[-+][^}]*)?\})/gs, (match, escaped) => escaped ?? expand(match, variables));
