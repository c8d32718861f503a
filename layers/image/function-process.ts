import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const PROBE_MS = 10;

export interface FunctionProcessOptions {
  readonly command: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

/** The user's server: one child process, whose streams, signals and exit status are the container's. */
export class FunctionProcess {
  readonly #child: ChildProcess;
  readonly exited: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  #running = true;

  /** A group of its own, so that it can be ended with all it has started. */
  constructor({ command: [program = '', ...args], env }: FunctionProcessOptions) {
    this.#child = spawn(program, args, { env, stdio: 'inherit', detached: true });
    this.exited = new Promise((resolve) => {
      this.#child.once('exit', (code, signal) => resolve({ code, signal }));
      this.#child.once('error', (error) => {
        process.stderr.write(`${program}: ${error.message}\n`);
        resolve({ code: 127, signal: null });
      });
    });
    void this.exited.then(() => {
      this.#running = false;
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Has not ended; also false when it has and nobody was told yet. */
  get running(): boolean {
    if (!this.#running || this.#child.pid === undefined) return false;
    try {
      const stat = readFileSync(`/proc/${this.#child.pid}/stat`, 'latin1');
      return !/^[ZX]$/.test(stat[stat.lastIndexOf(')') + 2] ?? '');
    } catch {
      return false;
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Ends it and everything in its group at once. */
  destroy(): void {
    try {
      if (this.#child.pid !== undefined) process.kill(-this.#child.pid, 'SIGKILL');
    } catch {
      // Gone already.
    }
  }

  /** Settles with true when something accepts connections on the port, with false when the process ended before. */
  async listening(port: number): Promise<boolean> {
    while (this.running) {
      if (await accepts(port)) return true;
      await sleep(PROBE_MS);
    }
    return false;
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ port, host: '127.0.0.1' });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
