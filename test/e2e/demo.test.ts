import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

/** Everything a demo makes lies below its TMPDIR, so whatever still names it afterwards was left behind. */
let temporary: string;

beforeEach(() => {
  temporary = mkdtempSync(join(tmpdir(), 'alastor-e2e-'));
});
afterEach(() => {
  rmSync(temporary, { recursive: true, force: true });
});

interface Output {
  readonly requests: number;
  readonly records: number;
  readonly segments: number;
  readonly gaps: number;
  readonly attacks: readonly {
    readonly name: string;
    readonly entryRequestId: string;
    readonly path: readonly { readonly node: string; readonly kind: string; readonly label: string; readonly at: number }[];
    readonly handOvers: readonly { readonly call: string; readonly by: string; readonly sure: string }[];
    readonly groundTruth: { readonly steps: number; readonly found: number; readonly missed: number; readonly extra: number };
  }[];
  readonly graphs: readonly {
    readonly scenario: string;
    readonly scope: string;
    readonly nodes: number;
    readonly edges: number;
  }[];
  readonly stages: readonly { readonly name: string; readonly ms: number }[];
}

function demo(...options: string[]): ChildProcess & { readonly out: () => string; readonly err: () => string } {
  const child = spawn(process.execPath, ['cli/alastor.ts', 'demo', ...options], {
    env: { ...process.env, TMPDIR: temporary },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let err = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    out += chunk.toString('utf8');
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    err += chunk.toString('utf8');
  });
  return Object.assign(child, { out: () => out, err: () => err });
}

const ended = (child: ChildProcess): Promise<number | null> => new Promise((done) => child.once('close', (code) => done(code)));

/** Command lines, environments and mounts of this machine's processes that name the demo's folder. */
function leftBehind(): string[] {
  const found: string[] = [];
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)) {
    for (const file of ['cmdline', 'environ', 'mountinfo']) {
      try {
        if (readFileSync(`/proc/${pid}/${file}`, 'utf8').includes(temporary)) found.push(`process ${pid}: ${file}`);
      } catch {
        // It ended while it was looked at, or is not ours to look at.
      }
    }
  }
  return found;
}

describe('the demo', () => {
  it('reconstructs both attacks completely although notifications come twice, late and out of order', {
    timeout: 240_000,
  }, async () => {
    const run = demo('--json', '--disorder', '--visitors', '6');
    const code = await ended(run);
    expect(code, run.err()).toBe(0);
    const output = JSON.parse(run.out()) as Output;
    expect(output.gaps).toBe(0);
    expect(output.requests).toBeGreaterThan(20);
    expect(output.segments).toBeGreaterThan(20);
    expect(output.records).toBeGreaterThan(output.segments);
    expect(output.attacks.map(({ name }) => name)).toEqual([
      'attack 1: exfiltration through container reuse',
      'attack 2: business logic manipulation',
    ]);
    for (const { groundTruth, path, entryRequestId } of output.attacks) {
      expect(groundTruth).toMatchObject({ missed: 0, extra: 0, found: groundTruth.steps });
      expect(groundTruth.steps).toBeGreaterThan(20);
      expect(path.some(({ kind, node }) => kind === 'request' && node.includes(entryRequestId))).toBe(true);
      expect(path.some(({ kind }) => kind === 'client')).toBe(true);
    }
    // The order that ships unpaid goes on through every kind of asynchronous hand-over, each joined by what both ends know.
    const exact = output.attacks[1]?.handOvers.filter(({ sure }) => sure === 'exact').map(({ by }) => by) ?? [];
    for (const carrier of ['event:', 'sqs:', 's3req:', 'ddb:hello-retail-orders@', 'lambda:'])
      expect(
        exact.some((by) => by.startsWith(carrier)),
        `${carrier} in ${exact.join()}`,
      ).toBe(true);
    const globals = output.graphs.filter(({ scope }) => scope === 'global').map(({ scenario }) => scenario);
    expect(globals).toEqual(['benign', 'attack 1', 'attack 2']);
    expect(output.stages.length).toBeGreaterThan(3);
    expect(leftBehind()).toEqual([]);
    expect(readdirSync(temporary)).toEqual([]);
  });

  it('stops at Ctrl-C in the middle of an attack and leaves nothing behind', { timeout: 120_000 }, async () => {
    const run = demo();
    const closed = ended(run);
    while (!run.err().includes('send visitors')) {
      await sleep(50);
      expect(run.exitCode, run.err()).toBeNull();
    }
    await sleep(3000);
    run.kill('SIGINT');
    expect(await closed, run.err()).toBe(130);
    expect(leftBehind()).toEqual([]);
    expect(readdirSync(temporary)).toEqual([]);
  });

  it.each([
    [['--visitors', '3'], '--visitors must be a whole number from 6 to 500, not "3"'],
    [['--sed', '3'], "Unknown option '--sed'"],
  ])('refuses %j with what is wrong', async (options, message) => {
    const run = demo(...options);
    expect(await ended(run)).toBe(2);
    expect(run.err()).toContain(message);
  });
});
