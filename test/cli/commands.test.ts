import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { describe, expect, it } from 'vitest';
import { helpOf } from '../../cli/command.ts';
import { commands, find } from '../../cli/commands.ts';
import { page } from '../../cli/docs.ts';
import { alastor, run } from './terminal.ts';

const all = Object.keys(commands);
const named = async (name: string) => {
  const found = await find(name);
  if (found === undefined) throw new Error(`no command ${name}`);
  return found;
};

describe('what commands say of themselves', () => {
  it.each(all)('%s: help of at most 130 columns, with examples whose options exist', async (name) => {
    const one = await named(name);
    const help = helpOf(one);
    expect(help.split('\n').filter((line) => line.length > 130)).toEqual([]);
    expect(one.command.examples.length).toBeGreaterThan(0);
    const examples = one.command.examples.join('\n').replace(/\|.*/g, '');
    for (const [, option = ''] of examples.matchAll(/ ?--([a-z0-9-]+)/g))
      expect(Object.keys(one.command.options)).toContain(option);
  });

  it('is what the overview and --help print, and what docs/cli.md holds (else: node cli/docs.ts)', async () => {
    const overview = await alastor(['--help']);
    expect(overview.code).toBe(0);
    for (const name of all) expect(overview.out).toMatch(new RegExp(`^  ${name} +\\w`, 'm'));
    expect(await alastor(['requests', '--help'])).toEqual({ code: 0, out: helpOf(await named('requests')), err: '' });
    expect(readFileSync('docs/cli.md', 'utf8')).toBe(await page());
  });
});

describe('docs/investigate.md', () => {
  const lines = readFileSync('docs/investigate.md', 'utf8').split('\n');

  it('asks with commands and options that exist (else: node test/e2e/investigation.ts)', async () => {
    const calls = lines.flatMap((line) => /^(?:\$| {3}) alastor (.*)$/.exec(line)?.[1] ?? []);
    expect(calls.length).toBeGreaterThan(8);
    for (const call of calls) {
      const [name = '', ...args] = call.split(' ');
      const { options, positionals = [0, 0] } = (await named(name)).command;
      const shapes = Object.fromEntries(Object.entries(options).map(([option, { type }]) => [option, { type }]));
      const read = parseArgs({ args, options: shapes, allowPositionals: true, strict: true });
      expect(read.positionals.length).toBeGreaterThanOrEqual(positionals[0]);
      expect(read.positionals.length).toBeLessThanOrEqual(positionals[1]);
    }
  });

  it('answers the three questions, and its story goes back to two requests from outside', () => {
    const text = lines.join('\n');
    expect(text).toMatch(/^request \S+: deviates in \d+ ways$/m);
    expect(text).toMatch(/^endpoint:\S+: yes\nfile \/tmp\/card-rules\/\S+, exact$/m);
    expect(text).toMatch(/^ +\d+ [ !][\d:.]{12} {2}endpoint \S+\n +the node asked about$/m);
    expect(text.match(/, by which it came in$/gm)).toHaveLength(2);
    expect(text).toContain('verified: the segment is as it was stitched');
  });
});

describe('completion', () => {
  const script = (shell: string) => alastor(['completion', shell]);

  it('completes commands, options, their values and files in bash', async () => {
    const { out } = await script('bash');
    const complete = async (...words: string[]): Promise<string[]> => {
      const ask = `${out}\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _alastor; printf '%s\\n' "\${COMPREPLY[@]}"`;
      const ran = await run('bash', ['-c', ask, 'bash', 'alastor', ...words], {});
      expect(ran.err).toBe('');
      return ran.out.trim().split('\n');
    };
    expect(await complete('re')).toEqual(expect.arrayContaining(['requests', 'reuse', 'restitch', 'redrive']));
    expect(await complete('requests', '--sta')).toEqual(['--status']);
    expect(await complete('requests', '--status', 'in')).toEqual(['init-error']);
    expect(await complete('requests', '--function', 'a')).toEqual(['']);
    expect(await complete('export', '--output', 'package.j')).toEqual(['package.json']);
    expect(await complete('completion', 'z')).toEqual(['zsh']);
    // Another shell's names, of a command that does not exist.
    expect(await complete('nothing', '--x')).toEqual(['']);
  });

  it.each(['zsh', 'fish'])('is a script that %s takes', async (shell) => {
    const { code, out } = await script(shell);
    expect(code).toBe(0);
    for (const name of all) expect(out).toContain(name);
    if (spawnSync(shell, ['--version']).status !== 0) return console.warn(`${shell} is missing: its completion is not run`);
    const checked = spawnSync(shell, ['-n'], { input: out, encoding: 'utf8' });
    expect({ status: checked.status, err: checked.stderr }).toEqual({ status: 0, err: '' });
  });

  it('knows three shells', async () => {
    expect(await script('tcsh')).toMatchObject({ code: 2, err: expect.stringContaining('bash, zsh, fish') });
  });
});
