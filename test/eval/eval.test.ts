import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { compare } from '../../cli/demo/compare.ts';
import { seededRandom } from '../../examples/hello-retail/attack/random.ts';
import { named, Truth, WHOLE } from './desk/truth.ts';
import { interleave } from './turns.ts';

let temporary: string;
beforeEach(() => {
  temporary = mkdtempSync(join(tmpdir(), 'alastor-eval-test-'));
});
afterEach(() => {
  rmSync(temporary, { recursive: true, force: true });
});

async function evaluate(...options: string[]): Promise<{ code: number | null; out: string; err: string }> {
  const child = spawn(process.execPath, ['test/eval/main.ts', ...options], {
    env: { ...process.env, TMPDIR: temporary },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString('utf8')));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString('utf8')));
  const code = await new Promise<number | null>((done) => child.once('close', done));
  return { code, out, err };
}

describe('the evaluation', () => {
  it('attacks, asks and finds all goals met', { timeout: 400_000 }, async () => {
    const options = '--only path-traversal,s3-staging --visitors 27 --seed 1 --json';
    const { code, out, err } = await evaluate(...options.split(' '));
    expect(code, `${out}\n${err}`).toBe(0);
    const told = JSON.parse(out);
    expect(told).toMatchObject({ met: true, goals: { recall: 1, precision: 0.95, steps: 25 } });
    expect(told.scenarios.map(({ scenario }: { scenario: string }) => scenario)).toEqual(['path-traversal', 's3-staging']);
    for (const one of told.scenarios) {
      expect(one).toMatchObject({ met: true, recall: 1, missed: [] });
      expect(one.storyNodes).toBeLessThan(one.wholeNodes / 4);
      expect(one.storySteps).toBeLessThanOrEqual(one.storyNodes);
    }
    expect(readdirSync(temporary)).toEqual([]);
  });

  it.each([
    [['--only', 'ssfr'], 'there is no scenario "ssfr"; there are container-reuse, business-logic, command-injection'],
    [['--visitors', '3'], '--visitors must be a whole number from 27 to 500, not "3"'],
    [['--seeds', '3'], "Unknown option '--seeds'"],
  ])('refuses %j with what is wrong', async (options, message) => {
    const { code, err } = await evaluate(...options);
    expect(code).toBe(2);
    expect(err).toContain(message);
  });
});

describe('the judgement', () => {
  const answer = { requestId: 'A=' };
  const truth = new Truth()
    .asks('it', 'convert', answer, 'evil/1')
    .programs('convert', answer, 'curl -s')
    .file('convert', '/tmp/x');
  const node = (kind: string, label: string, requestId: string | undefined, fn = named('convert')) => {
    const place = { node: label, at: 0, reason: '', sure: 'exact' as const, evidence: [], role: 'carried', function: fn };
    return { ...place, kind, label, ...(requestId !== undefined && { requestId }) };
  };
  const attack = [
    node('client', '127.0.0.1 evil/1', undefined),
    node('request', 'desk-convert POST /convert r1', 'r1'),
    node('process', '/var/lang/bin/node (19)', 'r1'),
    node('process', 'curl -s https://x (30)', 'r1'),
    node('file', '/tmp/x', 'r1'),
  ];
  const judge = (path: typeof attack) => compare(truth, WHOLE, path, new Map([['A=', new Set(['r1'])]]));

  it('is without fault for just the attack', () => {
    expect(judge(attack)).toMatchObject({ steps: 5, found: 5, missed: [], extra: [] });
  });

  it('tells what is missing', () => {
    expect(judge(attack.slice(0, 4)).missed).toEqual([expect.stringContaining('/tmp/x')]);
  });

  it("counts the same doings of another client's request, function or file as no part of the attack", () => {
    const others = [
      node('client', '127.0.0.1 Mozilla/5.0', undefined),
      node('request', 'desk-convert POST /convert r2', 'r2'),
      node('process', '/var/lang/bin/node (19)', 'r2'),
      node('process', 'curl -s https://x (30)', 'r1', named('library')),
      node('file', '/tmp/xy', 'r1'),
    ];
    expect(judge([...attack, ...others]).extra).toHaveLength(5);
  });
});

describe('turns', () => {
  it('let every attack and every visitor go on to its end, in an order that a seed repeats', async () => {
    const run = async (seed: number) => {
      const said: string[] = [];
      const attack = (name: string, turns: number) => async (turn: () => Promise<void>) => {
        for (let i = 0; i <= turns; i++) {
          said.push(`${name}${i}`);
          if (i < turns) await turn();
        }
      };
      const visitors = [...Array(6).keys()].map((i) => async () => void said.push(`visitor${i}`));
      await interleave([attack('a', 3), attack('b', 0), attack('c', 5)], visitors, seededRandom(seed));
      return said;
    };
    const first = await run(7);
    expect(first).toHaveLength(4 + 1 + 6 + 6);
    expect(first.filter((one) => one.startsWith('c'))).toEqual(['c0', 'c1', 'c2', 'c3', 'c4', 'c5']);
    expect(await run(7)).toEqual(first);
    expect(await run(8)).not.toEqual(first);
  });
});
