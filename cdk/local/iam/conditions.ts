import { fill, matches } from './pattern.ts';
import { PolicyError } from './policy-error.ts';

/** What is known about a request, by condition key in lower case. A key with a list has several values. */
export type Context = Readonly<Record<string, string | readonly string[] | undefined>>;

/** One line of a Condition block. */
export interface Condition {
  readonly operator: string;
  /** `any`, `all`: ForAnyValue, ForAllValues. */
  readonly set: 'any' | 'all' | null;
  readonly ifExists: boolean;
  /** In lower case: names of condition keys have no case. */
  readonly key: string;
  readonly values: readonly string[];
}

type Test = (actual: string, wanted: string) => boolean;

const same: Test = (actual, wanted) => actual === wanted;
const sameWord: Test = (actual, wanted) => actual.toLowerCase() === wanted.toLowerCase();
const number =
  (compare: (a: number, b: number) => boolean): Test =>
  (actual, wanted) =>
    compare(Number(actual), Number(wanted));

/** "IAM JSON policy elements: Condition operators". In negated ones a value must equal none of those given. */
const OPERATORS: Readonly<Record<string, { readonly test: Test; readonly negated?: true }>> = {
  StringEquals: { test: same },
  StringNotEquals: { test: same, negated: true },
  StringEqualsIgnoreCase: { test: sameWord },
  StringNotEqualsIgnoreCase: { test: sameWord, negated: true },
  StringLike: { test: matches },
  StringNotLike: { test: matches, negated: true },
  ArnEquals: { test: matches },
  ArnLike: { test: matches },
  ArnNotEquals: { test: matches, negated: true },
  ArnNotLike: { test: matches, negated: true },
  Bool: { test: sameWord },
  NumericEquals: { test: number((a, b) => a === b) },
  NumericNotEquals: { test: number((a, b) => a === b), negated: true },
  NumericLessThan: { test: number((a, b) => a < b) },
  NumericLessThanEquals: { test: number((a, b) => a <= b) },
  NumericGreaterThan: { test: number((a, b) => a > b) },
  NumericGreaterThanEquals: { test: number((a, b) => a >= b) },
  // Asks only whether the key is there.
  Null: { test: same },
};

/** @throws PolicyError for an operator that is not understood */
export function readConditions(block: unknown, where: string): readonly Condition[] {
  return Object.entries((block ?? {}) as Record<string, Record<string, unknown>>).flatMap(([name, keys]) => {
    const [, set, operator = '', ifExists] = /^(?:(ForAnyValue|ForAllValues):)?([A-Za-z]+?)(IfExists)?$/.exec(name) ?? [];
    if (!Object.hasOwn(OPERATORS, operator)) {
      throw new PolicyError(`${where}: the condition operator ${name} is not understood.`);
    }
    return Object.entries(keys).map(([key, value]) => ({
      operator,
      set: set === undefined ? null : set === 'ForAnyValue' ? ('any' as const) : ('all' as const),
      ifExists: ifExists !== undefined,
      key: key.toLowerCase(),
      values: [value].flat().map(String),
    }));
  });
}

export function holds({ operator, set, ifExists, key, values }: Condition, context: Context): boolean {
  const found = context[key];
  if (operator === 'Null') return values.includes(String(found === undefined));
  const { test, negated = false } = OPERATORS[operator] ?? { test: () => false };
  if (found === undefined) return ifExists || negated || set === 'all';
  // A variable that has no value matches nothing.
  const wanted = values.flatMap((value) => fill(value, context) ?? []);
  const one = (actual: string) => wanted.some((value) => test(actual, value)) !== negated;
  const actual = [found].flat();
  return set === 'all' ? actual.every(one) : actual.some(one);
}
