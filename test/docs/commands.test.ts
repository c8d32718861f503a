import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import * as s3 from '@aws-sdk/client-s3';
import { describe, expect, it } from 'vitest';
import { find } from '../../cli/commands.ts';
import { blocks } from './blocks.ts';

const root = resolve(import.meta.dirname, '../..');
const pages = ['README.md', 'docs/operations.md'];

describe('command lines in README and docs/operations.md', () => {
  const scripts = (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> }).scripts;
  const lines = pages
    .flatMap((page) => blocks(page, 'sh'))
    .flatMap(({ where, text }) => text.split('\n').map((line) => [where, (line.split(/\s#\s/)[0] ?? '').trim()] as const))
    .filter(([, line]) => line !== '');

  it('are there', () => {
    expect(lines.filter(([, line]) => line.startsWith('alastor ')).length).toBeGreaterThan(4);
  });

  it.each(lines)('%s: %s', async (_where, text) => {
    const [program, ...words] = text.match(/"[^"]*"|'[^']*'|[^\s"']+/g) ?? [];
    if (program === 'npm') {
      const name = words[0] === 'run' ? words.find((word, i) => i > 0 && !word.startsWith('-')) : words[0];
      expect(['install', ...Object.keys(scripts)]).toContain(name);
      return;
    }
    if (program === 'aws') {
      const [service, operation = ''] = words;
      expect(service).toBe('s3api');
      const pascal = operation.replace(/(?:^|-)([a-z])/g, (_, letter: string) => letter.toUpperCase());
      expect(Object.keys(s3)).toContain(`${pascal}Command`);
      return;
    }
    expect(program).toBe('alastor');
    const [name = '', ...rest] = words;
    const named = await find(name);
    expect(named, `alastor ${name}`).toBeDefined();
    const options = rest.filter((word) => word.startsWith('--')).map((word) => word.slice(2).replace(/=.*/, ''));
    expect(Object.keys(named?.command.options ?? {})).toEqual(expect.arrayContaining(options));
  });
});

it('links in the documentation lead to pages and headings that are there', () => {
  const slug = (heading: string) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-');
  const all = [
    'README.md',
    ...readdirSync(join(root, 'docs')).flatMap((name) => (name.endsWith('.md') ? [`docs/${name}`] : [])),
  ];
  const broken = all.flatMap((page) => {
    const text = readFileSync(join(root, page), 'utf8');
    return [...text.matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)/g)].flatMap(([link, path = '', anchor]) => {
      const target = path === '' ? join(root, page) : resolve(root, dirname(page), path);
      if (!existsSync(target)) return [`${page}: ${link}`];
      if (anchor === undefined) return [];
      const headings = [...readFileSync(target, 'utf8').matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => slug(heading));
      return headings.includes(anchor) ? [] : [`${page}: ${link}`];
    });
  });
  expect(broken).toEqual([]);
});
