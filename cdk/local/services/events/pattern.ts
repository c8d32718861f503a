/**
 * Event patterns of EventBridge; filters of event source mappings and of SNS speak the same language.
 * https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
 */
export type Pattern = Readonly<Record<string, unknown>>;

/** A pattern that EventBridge would refuse, or an operator that the engine does not know. */
export class PatternError extends Error {
  constructor(path: string, problem: string) {
    super(`event pattern at ${path === '' ? 'its top' : path}: ${problem}`);
    this.name = 'PatternError';
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** `*` stands for any characters; `\*` and `\\` for themselves. */
function wildcard(text: string): RegExp {
  const source = text.replace(/\\[*\\]|[*]|[^*\\]+|\\/g, (piece) => {
    if (piece === '*') return '[\\s\\S]*';
    const plain = piece === '\\*' ? '*' : piece === '\\\\' ? '\\' : piece;
    return plain.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  });
  return new RegExp(`^${source}$`);
}

const fold = (text: unknown): string => String(text).toLowerCase();

/** `prefix` and `suffix` take text or `{equals-ignore-case: text}`. */
function affix(operand: unknown, value: unknown, side: 'startsWith' | 'endsWith'): boolean {
  if (typeof value !== 'string') return false;
  return isObject(operand) ? value.toLowerCase()[side](fold(operand['equals-ignore-case'])) : value[side](String(operand));
}

function numeric(operand: unknown, value: unknown): boolean {
  if (typeof value !== 'number' || !Array.isArray(operand)) return false;
  for (let index = 0; index < operand.length; index += 2) {
    const bound = Number(operand[index + 1]);
    const holds =
      operand[index] === '='
        ? value === bound
        : operand[index] === '<'
          ? value < bound
          : operand[index] === '<='
            ? value <= bound
            : operand[index] === '>'
              ? value > bound
              : value >= bound;
    if (!holds) return false;
  }
  return true;
}

function some(operand: unknown, test: (one: unknown) => boolean): boolean {
  return (Array.isArray(operand) ? operand : [operand]).some(test);
}

function anythingBut(operand: unknown, value: unknown): boolean {
  if (!isObject(operand)) return !some(operand, (one) => one === value);
  const [[name, inner] = ['', null]] = Object.entries(operand);
  return !some(inner, (one) => OPERATORS[name]?.(one, value) ?? false);
}

/** Operators on a value that is there; `exists` is apart because it can match what is not. */
const OPERATORS: Readonly<Record<string, (operand: unknown, value: unknown) => boolean>> = {
  prefix: (operand, value) => affix(operand, value, 'startsWith'),
  suffix: (operand, value) => affix(operand, value, 'endsWith'),
  'equals-ignore-case': (operand, value) => typeof value === 'string' && fold(value) === fold(operand),
  wildcard: (operand, value) => typeof value === 'string' && wildcard(String(operand)).test(value),
  numeric,
  'anything-but': anythingBut,
};

function matchesOne(matcher: unknown, value: unknown): boolean {
  if (!isObject(matcher)) return matcher === value;
  return Object.entries(matcher).every(([name, operand]) =>
    name === 'exists' ? operand === true : (OPERATORS[name]?.(operand, value) ?? false),
  );
}

function matchesLeaf(matchers: readonly unknown[], value: unknown): boolean {
  if (value === undefined) return matchers.some((one) => isObject(one) && one.exists === false);
  const values = Array.isArray(value) ? value : [value];
  // An object is no leaf: a matcher on one never matches, but it exists.
  return matchers.some((matcher) =>
    values.some((one) => !(isObject(matcher) && matcher.exists === false) && matchesOne(matcher, one)),
  );
}

/** True when `event` satisfies every field of `pattern`. */
export function matches(pattern: Pattern, event: unknown): boolean {
  return Object.entries(pattern).every(([key, expected]) => {
    if (key === '$or' && Array.isArray(expected)) return expected.some((one) => isObject(one) && matches(one, event));
    const value = isObject(event) ? event[key] : undefined;
    if (Array.isArray(expected)) return matchesLeaf(expected, value);
    if (!isObject(expected)) return false;
    return Array.isArray(value) ? value.some((one) => matches(expected, one)) : matches(expected, value);
  });
}

function checkMatcher(matcher: unknown, path: string): void {
  if (Array.isArray(matcher)) throw new PatternError(path, 'a list inside a list');
  if (!isObject(matcher)) return;
  for (const [name, operand] of Object.entries(matcher)) {
    if (name !== 'exists' && !Object.hasOwn(OPERATORS, name))
      throw new PatternError(
        path,
        `operator ${name} is not known to the local engine; it has exists, ${Object.keys(OPERATORS).join(', ')}`,
      );
    if (name === 'exists' && typeof operand !== 'boolean') throw new PatternError(path, 'exists takes true or false');
    if (
      name === 'numeric' &&
      !(
        Array.isArray(operand) &&
        operand.length % 2 === 0 &&
        operand.every((one, at) => (at % 2 === 0 ? /^[<>]?=$|^[<>]$/.test(String(one)) : typeof one === 'number'))
      )
    )
      throw new PatternError(path, 'numeric takes pairs such as [">", 0, "<=", 5]');
    if (name === 'anything-but' && isObject(operand)) checkMatcher(operand, path);
  }
}

/** Throws PatternError, with the path of the field, for anything that `matches` would not understand. */
export function checkPattern(pattern: unknown, path = ''): asserts pattern is Pattern {
  if (!isObject(pattern)) throw new PatternError(path, 'must be an object');
  for (const [key, expected] of Object.entries(pattern)) {
    const at = path === '' ? key : `${path}.${key}`;
    if (key === '$or' && Array.isArray(expected)) for (const one of expected) checkPattern(one, at);
    else if (Array.isArray(expected)) for (const one of expected) checkMatcher(one, at);
    else if (isObject(expected)) checkPattern(expected, at);
    else throw new PatternError(at, 'a value must stand in a list, e.g. ["x"]');
  }
}
