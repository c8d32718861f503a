import { BOUNDS } from './bounds.ts';

/**
 * Checks of parsed JSON, written by hand because the stitcher runs them on every record of every function.
 * A check returns what is wrong, or undefined. It never throws and never follows a value deeper than its own shape.
 * `plain` tells it that no text in the value has a lone surrogate or a control character: to look for those takes as long as all
 * else, and of most segments one look at their bytes tells it.
 */
export type Check = (value: unknown, plain: boolean) => string | undefined;
interface OptionalCheck {
  readonly ifThere: Check;
}

/** One check for every field of T, so that a field added to a type cannot be forgotten here. */
export type Shape<T> = { readonly [K in keyof T]-?: Record<never, never> extends Pick<T, K> ? OptionalCheck : Check };

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;

/** Text from the instance: paths, arguments. Anything that is well-formed Unicode. */
export const text: Check = (value, plain) => {
  if (typeof value !== 'string') return 'is not text';
  if (value.length > BOUNDS.text) return `is longer than ${BOUNDS.text} characters`;
  return plain || value.isWellFormed() ? undefined : 'contains a lone surrogate';
};

/** A name that is compared, indexed or printed: not empty, no control characters. */
export const id: Check = (value, plain) => {
  if (typeof value !== 'string' || value === '') return 'is not an identifier';
  if (value.length > BOUNDS.id) return `is longer than ${BOUNDS.id} characters`;
  if (plain) return undefined;
  if (!value.isWellFormed()) return 'contains a lone surrogate';
  return CONTROL.test(value) ? 'contains control characters' : undefined;
};

export const bool: Check = (value) => (typeof value === 'boolean' ? undefined : 'is not a boolean');

export function int(min: number, max: number = Number.MAX_SAFE_INTEGER): Check {
  return (value) =>
    Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max && !Object.is(value, -0)
      ? undefined
      : `is not a whole number from ${min} to ${max}`;
}

export function like(pattern: RegExp, what: string): Check {
  // Records in a row name the same request and process: comparing is cheaper than matching.
  let last: unknown;
  return (value) => {
    if (value === last && last !== undefined) return undefined;
    if (typeof value !== 'string' || value.length > BOUNDS.id || !pattern.test(value)) return `is not ${what}`;
    last = value;
    return undefined;
  };
}

/** 1 for the codes of lower-case hexadecimal digits. */
const HEX = Uint8Array.from({ length: 128 }, (_, code) => (/[0-9a-f]/.test(String.fromCharCode(code)) ? 1 : 0));

/** So many lower-case hexadecimal digits. Digests are in most records; a pattern takes twice as long, as does comparing each code. */
export function hex(digits: number, what: string): Check {
  const problem = `is not ${what}`;
  return (value) => {
    if (typeof value !== 'string' || value.length !== digits) return problem;
    let all = 1;
    for (let i = 0; i < digits; i++) all &= HEX[value.charCodeAt(i)] ?? 0;
    return all === 1 ? undefined : problem;
  };
}

export function oneOf<T extends string>(...allowed: readonly T[]): Check {
  const known = new Set<unknown>(allowed);
  return (value) => (known.has(value) ? undefined : `is none of ${allowed.join(', ')}`);
}

export function nullOr(check: Check): Check {
  return (value, plain) => (value === null ? undefined : check(value, plain));
}

export function optional(check: Check): OptionalCheck {
  return { ifThere: check };
}

export function list(check: Check): Check {
  return (value, plain) => {
    if (!Array.isArray(value)) return 'is not a list';
    if (value.length > BOUNDS.list) return `has more than ${BOUNDS.list} elements`;
    for (let i = 0; i < value.length; i++) {
      const problem = check(value[i], plain);
      if (problem !== undefined) return `[${i}] ${problem}`;
    }
    return undefined;
  };
}

/** An object with exactly these fields. Unknown ones are refused: they would be carried along unread (`__proto__` among them). */
export function object<T>(shape: Shape<T>): Check {
  const names = Object.keys(shape as object);
  const fields = Object.values<Check | OptionalCheck>(shape as Record<string, Check | OptionalCheck>);
  const isRequired = fields.map((field) => typeof field === 'function');
  const checks = fields.map((field) => (typeof field === 'function' ? field : field.ifThere));
  const places = new Map(names.map((name, i) => [name, i]));
  const required = names.filter((_, i) => isRequired[i]);
  return (value, plain) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'is not an object';
    const fields = value as Record<string, unknown>;
    let found = 0;
    let next = 0;
    // What JSON.parse makes inherits nothing that could be enumerated.
    for (const name in fields) {
      // Our own recorder writes fields in one order; only what stands elsewhere is looked for.
      const place = names[next] === name ? next : places.get(name);
      if (place === undefined) return `has an unknown field ${JSON.stringify(name.slice(0, 64))}`;
      next = place + 1;
      const problem = checks[place]?.(fields[name], plain);
      if (problem !== undefined) return `.${name} ${problem}`;
      if (isRequired[place] === true) found++;
    }
    if (found === required.length) return undefined;
    return `lacks the field ${required.find((name) => !Object.hasOwn(fields, name))}`;
  };
}

/** Whether a parsed value is nested more than `limit` levels deep (a bare object is one level); counted without recursion. */
export function deeperThan(value: unknown, limit: number): boolean {
  let level: readonly object[] = typeof value === 'object' && value !== null ? [value] : [];
  for (let depth = 1; level.length > 0; depth++) {
    if (depth > limit) return true;
    const below: object[] = [];
    for (const outer of level) {
      for (const inner of Object.values(outer)) if (typeof inner === 'object' && inner !== null) below.push(inner);
    }
    level = below;
  }
  return false;
}
