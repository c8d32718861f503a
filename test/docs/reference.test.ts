import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { propsOf, withTables } from '../../cdk/reference-page.ts';

it('the tables of docs/reference.md are those of the sources (node cdk/reference-page.ts)', () => {
  const page = readFileSync('docs/reference.md', 'utf8');
  expect(withTables(page)).toBe(page);
});

it('a prop without a comment is refused, not left out', () => {
  expect(() => propsOf('export interface A {\n  readonly b?: string;\n}', 'A')).toThrow('A.b has no comment');
});
