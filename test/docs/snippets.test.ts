import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import * as s3 from '@aws-sdk/client-s3';
import { afterAll, describe, expect, it } from 'vitest';
import { find } from '../../cli/commands.ts';

const root = resolve(import.meta.dirname, '../..');
const pages = ['README.md', ...['operations', 'install', 'reference', 'images'].map((name) => `docs/${name}.md`)];

interface Snippet {
  readonly page: string;
  /** Line of its first line, from 1. */
  readonly line: number;
  readonly text: string;
}

/** Fenced blocks of a language. */
function snippets(language: string): readonly Snippet[] {
  return pages.flatMap((page) => {
    const text = readFileSync(join(root, page), 'utf8');
    return [...text.matchAll(new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\`$`, 'gm'))].map(({ 1: body = '', index }) => ({
      ...{ page, line: text.slice(0, index).split('\n').length + 1, text: body },
    }));
  });
}

const title = ({ page, line }: Snippet) => `${page}:${line}`;

/** What a reader's own app has; each only where the snippet does not say it itself. */
const READERS = {
  app: "declare const app: import('aws-cdk-lib').App;",
  stack: "declare const stack: import('aws-cdk-lib').Stack;",
  fn: "declare const fn: import('aws-cdk-lib/aws-lambda').Function;",
  otherFn: "declare const otherFn: import('aws-cdk-lib/aws-lambda').Function;",
};

describe('TypeScript in the documentation', () => {
  const folder = mkdtempSync(join(tmpdir(), 'alastor-snippets-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('compiles as a program of somebody who uses the package', () => {
    const found = snippets('ts');
    expect(found.length).toBeGreaterThan(1);
    mkdirSync(join(folder, 'node_modules'));
    for (const name of ['aws-cdk-lib', 'constructs', '@types'])
      symlinkSync(join(root, 'node_modules', name), join(folder, 'node_modules', name));
    const { compilerOptions } = JSON.parse(readFileSync(join(root, 'tsconfig.json'), 'utf8')) as { compilerOptions: object };
    const paths = { alastor: [join(root, 'cdk/index.ts')] };
    const options = { ...compilerOptions, paths, noEmit: true, skipLibCheck: true, noUnusedLocals: false };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: options, include: ['*.mts'] }));
    for (const [i, one] of found.entries()) {
      const declared = Object.entries(READERS).filter(([name]) => !new RegExp(`\\b(?:const|let) ${name}\\b`).test(one.text));
      writeFileSync(
        join(folder, `snippet-${i}.mts`),
        `${one.text}\n${declared.map(([, line]) => line).join('\n')}\nexport {};\n`,
      );
    }
    const { stdout, status } = spawnSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', folder], {
      encoding: 'utf8',
    });
    const named = stdout.replace(/[^ ]*snippet-(\d+)\.mts/g, (_, i: string) => title(found[Number(i)] as Snippet));
    expect({ status, named }).toEqual({ status: 0, named: '' });
  });
});

describe('command lines in the documentation', () => {
  const scripts = (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> }).scripts;
  const lines = snippets('sh').flatMap((one) =>
    one.text.split('\n').flatMap((text, i) => {
      const [said = ''] = text.split(/\s#\s/);
      return said.trim() === '' ? [] : [{ ...one, line: one.line + i, text: said.trim() }];
    }),
  );

  it('are there', () => {
    expect(lines.filter(({ text }) => text.startsWith('alastor ')).length).toBeGreaterThan(4);
  });

  it.each(lines.map((one) => [title(one), one.text]))('%s: %s', async (_where, text) => {
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
  const broken = pages.flatMap((page) => {
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
