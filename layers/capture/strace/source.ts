import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync, readSync, rmSync } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';
import type { Observation } from '../../record/types.ts';
import { StraceParser, TRACED } from './parser.ts';

const CHUNK = 64 * 1024;

/**
 * What strace says, as a source of events for the recorder. A traced process stands still until strace has written its line,
 * so a drain has everything that happened before it, as with the ring. Reading must keep up: a full pipe stops the tracees.
 */
export class StraceSource {
  readonly path: string;
  readonly #fd: number;
  readonly #parser: StraceParser;
  readonly #decoder = new StringDecoder('utf8');
  readonly #buffer = Buffer.alloc(CHUNK);
  #heard = false;
  #gone = false;

  /**
   * @param path where to make the pipe strace writes to
   * @throws Error when there is no `mkfifo`, or the pipe cannot be made
   */
  constructor(path: string, cwd: string) {
    rmSync(path, { force: true });
    execFileSync('mkfifo', ['-m', '600', path], { stdio: 'pipe' });
    this.path = path;
    this.#fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    this.#parser = new StraceParser(cwd);
  }

  /** strace has written before, and has closed its end: it died, or the last traced process did. */
  get gone(): boolean {
    return this.#gone;
  }

  drain(): Observation[] {
    const out: Observation[] = [];
    while (!this.#gone) {
      const length = this.#read();
      if (length === undefined) break;
      if (length === 0) {
        this.#gone = this.#heard;
        break;
      }
      this.#heard = true;
      out.push(...this.#parser.feed(this.#decoder.write(this.#buffer.subarray(0, length))));
    }
    if (this.#parser.damaged > 0) {
      const lost = this.#parser.damaged;
      out.push({ kind: 'gap', t: Date.now() * 1000, why: 'shim-lost', lost, detail: 'lines of strace not understood' });
      this.#parser.damaged = 0;
    }
    return out;
  }

  close(): void {
    closeSync(this.#fd);
    rmSync(this.path, { force: true });
  }

  #read(): number | undefined {
    try {
      return readSync(this.#fd, this.#buffer, 0, CHUNK, null);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return undefined;
      throw error;
    }
  }
}

/**
 * Command line that starts a program under strace. The tracer is a grandchild in a group of its own (`-DD`): pid, signals and
 * exit status are the program's. Only the calls in {@link TRACED} stop it (`--seccomp-bpf`). Names of descriptors are printed
 * (`-y`) but never those of sockets (`-yy`), which costs many times more.
 */
export function straceCommand(output: string, command: readonly string[]): string[] {
  const trace = TRACED.filter((name) => process.arch === 'x64' || !NOT_ON_ARM.has(name)).join(',');
  return [
    'strace',
    '-DD',
    '-f',
    '-q',
    '--seccomp-bpf',
    '-y',
    '-ttt',
    '-s',
    '4096',
    '-e',
    `trace=${trace}`,
    '-e',
    'signal=none',
    '-o',
    output,
    '--',
    ...command,
  ];
}

/** Calls that architectures younger than x86 never had. */
const NOT_ON_ARM = new Set<string>([
  'fork',
  'vfork',
  'open',
  'creat',
  'rename',
  'unlink',
  'link',
  'symlink',
  'mkdir',
  'rmdir',
  'chmod',
  'chown',
  'lchown',
]);
