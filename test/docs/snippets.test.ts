import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { expect, it } from 'vitest';
import { blocks } from './blocks.ts';

const root = join(import.meta.dirname, '../..');

it('TypeScript in the documentation compiles', () => {
  const pages = ['README.md', ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`)].filter((name) =>
    name.endsWith('.md'),
  );
  const snippets = pages.flatMap((page) => blocks(page, 'ts'));
  expect(snippets.length).toBeGreaterThan(4);
  // Inside the package, so that it finds itself by its name.
  mkdirSync(join(root, 'build'), { recursive: true });
  const folder = mkdtempSync(join(root, 'build/snippets-'));
  try {
    const places = new Map<string, string>();
    for (const [i, { where, text }] of snippets.entries()) {
      places.set(`${i}.ts`, where);
      writeFileSync(join(folder, `${i}.ts`), text);
    }
    const options = {
      extends: relative(folder, join(root, 'tsconfig.json')),
      compilerOptions: { noEmit: true },
      include: ['*.ts'],
    };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(options));
    const tsc = join(root, 'node_modules/.bin/tsc');
    const { status, stdout } = spawnSync(tsc, ['-p', folder, '--pretty', 'false'], { encoding: 'utf8', cwd: folder });
    const told = stdout.replace(/^(\d+\.ts)\((\d+),/gm, (_, file: string, line: string) => {
      const [page, first] = (places.get(file) ?? file).split(':');
      return `${page}:${Number(first) + Number(line) - 1}(`;
    });
    expect(told).toBe('');
    expect(status).toBe(0);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}, 120_000);
