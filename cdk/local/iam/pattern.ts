import type { Context } from './conditions.ts';

/** Stands for a character that is meant as it is, not as a wildcard. */
const LITERAL = { '*': '\u{e000}', '?': '\u{e001}', $: '\u{e002}' } as const;

/** `*` matches any text, `?` one character. */
export function matches(text: string, pattern: string): boolean {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    // Runs of stars are one star, or hostile patterns would take exponential time.
    .replace(/\*+/g, '[^]*')
    .replaceAll('?', '[^]')
    .replaceAll(LITERAL['*'], '\\*')
    .replaceAll(LITERAL['?'], '\\?')
    .replaceAll(LITERAL.$, '\\$');
  return new RegExp(`^${source}$`).test(text);
}

/** Policy variables (`${aws:PrincipalTag/team}`) replaced by what the request has; null when it has no value for one. */
export function fill(pattern: string, context: Context): string | null {
  let missing = false;
  const filled = pattern.replace(/\$\{([^}]*)\}/g, (_, name: string) => {
    if (name === '*' || name === '?' || name === '$') return LITERAL[name];
    const [key = '', fallback] = name.split(',').map((part) => part.trim());
    const value = context[key.toLowerCase()] ?? fallback?.replace(/^'(.*)'$/, '$1');
    if (typeof value !== 'string') missing = true;
    // What a request brings is never a wildcard.
    return typeof value === 'string' ? value.replaceAll('*', LITERAL['*']).replaceAll('?', LITERAL['?']) : '';
  });
  return missing ? null : filled;
}
