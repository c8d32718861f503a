/** One sandbox: bubblewrap with our pid 1 in it, which starts programs when told. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { killBelow, signal } from './freezer.ts';
import { LineReader, withWriter } from './output.ts';
import { type SandboxLayout, sandboxArguments } from './sandbox-arguments.ts';

export interface SandboxEvents {
  /** A program ended; `code` as a shell's `$?`. */
  readonly onExit: (program: string, code: number) => void;
  readonly onLine: (source: 'function' | 'extension', line: string) => void;
  /** The sandbox as a whole is gone without having been asked to go. `detail` is what bubblewrap said. */
  readonly onLost: (detail: string) => void;
}

export type Program = {
  readonly name: string;
  readonly log: 'function' | 'extension';
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly command: readonly string[];
};

const run = promisify(execFile);
const BUBBLEWRAP_EXIT_MS = 1000;
/** Processes that are killed together do not end at the same instant. */
const CHECK_DELAY_MS = 25;
const FD = { jsonStatus: 3, functionLog: 4, extensionLog: 5, seccomp: 6 } as const;

export class Sandbox {
  /** Host pid of the sandbox's pid 1. Signals to it and below reach everything inside. */
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #logs: readonly LineReader[];
  readonly #gone: Promise<void>;
  /** Process group by program name. */
  readonly #groups = new Map<string, number>();
  /** What the running start of a program is called in the talk with pid 1: name and number. */
  readonly #current = new Map<string, string>();
  #starts = 0;
  #closing = false;

  private constructor(
    child: ChildProcess,
    pid: number,
    logs: readonly LineReader[],
    events: SandboxEvents,
    stderr: () => string,
  ) {
    this.#child = child;
    this.pid = pid;
    this.#logs = logs;
    this.#gone = new Promise((resolve) => {
      const onGone = () => {
        for (const log of logs) log.close();
        if (!this.#closing) events.onLost(stderr());
        resolve();
      };
      child.once('close', onGone);
    });
    child.stdin?.on('error', () => {}); // pid 1 is gone; its exit tells
    if (child.stdout !== null) {
      createInterface({ input: child.stdout }).on('line', (line) => {
        const [what, id = '', value = ''] = line.split(' ');
        const name = id.slice(0, id.lastIndexOf('#'));
        if (this.#current.get(name) !== id) return; // of an earlier start of the program
        if (what === 'pid') this.#groups.set(name, Number(value));
        if (what === 'exit') {
          this.#current.delete(name);
          events.onExit(name, Number(value));
        }
      });
    }
  }

  /** Resolves when pid 1 runs. Rejects with what bubblewrap said when it could not make the sandbox. */
  static async launch(layout: SandboxLayout, scratch: string, events: SandboxEvents): Promise<Sandbox> {
    const dir = mkdtempSync(join(scratch, 'log-'));
    const fifos = [join(dir, 'function'), join(dir, 'extension')];
    try {
      await run('mkfifo', ['-m', '600', ...fifos]);
      const logs = fifos.map(
        (fifo, i) => new LineReader(fifo, (line) => events.onLine(i === 0 ? 'function' : 'extension', line)),
      );
      const child = withWriter(fifos, (fds) => spawnBubblewrap(layout, fds));
      const stderr = collect(child.stderr);
      try {
        const pid = await childPid(child);
        return new Sandbox(child, pid, logs, events, stderr);
      } catch (error) {
        child.kill('SIGKILL');
        for (const log of logs) log.close();
        throw new Error(`Cannot make a sandbox with bubblewrap: ${stderr() || (error as Error).message}`, { cause: error });
      }
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  }

  start(program: Program): void {
    const environment = Object.entries(program.environment).map(([name, value]) => quote(`${name}=${value}`));
    const words = ['/usr/bin/env', '-i', ...environment, ...program.command.map(quote)];
    const fd = program.log === 'function' ? FD.functionLog : FD.extensionLog;
    const id = `${program.name}#${++this.#starts}`;
    this.#current.set(program.name, id);
    this.#command(`launch ${quote(id)} ${fd} ${quote(program.cwd)} ${words.join(' ')}`);
  }

  /** Signals a program and its process group. Nothing happens when it has ended. */
  signal(program: string, name: 'TERM' | 'KILL'): void {
    const group = this.#groups.get(program);
    if (group !== undefined) this.#command(`kill -${name} -- -${group} 2>/dev/null`);
  }

  /** Makes pid 1 look whether programs have ended in a way that it could not notice. Call when there is a sign of that. */
  check(): void {
    setTimeout(() => this.#command('check'), CHECK_DELAY_MS).unref();
  }

  /** Kills everything but pid 1. The file system, /tmp with it, stays. */
  clear(): void {
    killBelow(this.pid);
    this.#groups.clear();
    this.#current.clear();
    this.drainLogs();
  }

  drainLogs(): void {
    for (const log of this.#logs) log.drain();
  }

  /** Kills everything and waits for its end. */
  async destroy(): Promise<void> {
    this.#closing = true;
    this.drainLogs();
    signal(this.pid, 'SIGKILL'); // the end of pid 1 is the end of all
    // bubblewrap collects it and ends by itself; killed, it would leave a zombie to whoever is init here.
    const impatience = setTimeout(() => this.#child.kill('SIGKILL'), BUBBLEWRAP_EXIT_MS);
    await this.#gone;
    clearTimeout(impatience);
  }

  #command(code: string): void {
    if (!this.#closing) this.#child.stdin?.write(`${code}\0`);
  }
}

function spawnBubblewrap(layout: SandboxLayout, logs: readonly number[]): ChildProcess {
  const seccomp = openSync(layout.shared.seccomp, 'r');
  try {
    const args = sandboxArguments(layout, { jsonStatus: FD.jsonStatus, seccomp: FD.seccomp });
    return spawn(layout.shared.bubblewrap, args, { stdio: ['pipe', 'pipe', 'pipe', 'pipe', ...logs, seccomp], env: {} });
  } finally {
    closeSync(seccomp);
  }
}

/** bubblewrap tells the host pid of its child as JSON lines (bwrap(1), --json-status-fd). */
function childPid(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    let text = '';
    child.once('error', reject);
    // Not `exit`: by `close` its explanation on stderr has been read.
    child.once('close', (code, signalName) => reject(new Error(`bwrap ended with ${code ?? signalName}`)));
    (child.stdio[FD.jsonStatus] as Readable).on('data', (data) => {
      text += String(data);
      const match = /"child-pid":\s*(\d+)/.exec(text);
      if (match !== null) resolve(Number(match[1]));
    });
  });
}

function collect(stream: Readable | null): () => string {
  let text = '';
  stream?.on('data', (data) => {
    if (text.length < 4096) text += String(data);
  });
  return () => text.trim();
}

/** One word of shell code. */
function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
