import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { vi } from 'vitest';
import { buildLayer } from '../../../layers/build.ts';
import { Ring } from '../../../layers/capture/ring.ts';
import type { Observation } from '../../../layers/record/types.ts';

/* Real compilers and interpreters on a machine that may be busy. */
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

export type Of<K extends Observation['kind']> = Extract<Observation, { kind: K }>;

export interface Run {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly seen: readonly Observation[];
  of<K extends Observation['kind']>(kind: K): readonly Of<K>[];
}

/** The layer's: built once for all test files, whenever a source has changed. */
const built = join(await buildLayer(), 'alastor', 'libalastor.so');

/** A directory with the shim and a ring, in which real programs are run and watched. */
export class Watched {
  readonly dir = mkdtempSync(join(tmpdir(), 'shim-'));
  readonly shim = join(this.dir, 'libalastor.so');
  readonly #rings: Ring[] = [];
  readonly #children: ChildProcess[] = [];

  constructor() {
    copyFileSync(built, this.shim);
  }

  ring(bytes?: number): Ring {
    const ring = Ring.create(join(this.dir, `ring${this.#rings.length}`), bytes);
    this.#rings.push(ring);
    return ring;
  }

  env(ring: { readonly path: string }, more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
    return { PATH: process.env.PATH, LD_PRELOAD: this.shim, ALASTOR_RING: ring.path, ...more };
  }

  start(command: string, args: readonly string[], env: NodeJS.ProcessEnv): ChildProcess {
    const child = spawn(command, args, { cwd: this.dir, env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#children.push(child);
    return child;
  }

  /** Runs a program to its end; drains as it goes, as the recorder does. */
  async run(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}, ring: Ring = this.ring()): Promise<Run> {
    const child = this.start(command, args, this.env(ring, env));
    let stdout = '';
    let stderr = '';
    child.stdout?.on('data', (bytes: Buffer) => {
      stdout += bytes;
    });
    child.stderr?.on('data', (bytes: Buffer) => {
      stderr += bytes;
    });
    const seen: Observation[] = [];
    const timer = setInterval(() => seen.push(...ring.drain()), 10);
    try {
      await once(child, 'close');
    } finally {
      clearInterval(timer);
    }
    seen.push(...ring.drain());
    return {
      status: child.exitCode,
      signal: child.signalCode,
      stdout,
      stderr,
      seen,
      of: <K extends Observation['kind']>(kind: K) => seen.filter((o): o is Of<K> => o.kind === kind),
    };
  }

  close(): void {
    for (const child of this.#children) if (child.exitCode === null) child.kill('SIGKILL');
    for (const ring of this.#rings) ring.close();
    rmSync(this.dir, { recursive: true, force: true });
  }
}
