import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ring } from '../../../layers/capture/ring.ts';
import type { Observation } from '../../../layers/record/types.ts';
import { type EdgeKind, type Edges, KINDS, type Score, score } from './edges.ts';
import type { Loader } from './mappings.ts';
import { observedEdges } from './observed.ts';
import { oracleEdges } from './oracle.ts';
import { readLines } from './strace-lines.ts';

const CALLS =
  '%process,%network,open,openat,openat2,creat,memfd_create,rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,' +
  'rmdir,mkdir,mkdirat,chmod,fchmod,fchmodat,chown,lchown,fchown,fchownat,truncate,ftruncate,chdir,fchdir,read,readv,pread64,preadv,' +
  'preadv2,write,writev,pwrite64,pwritev,pwritev2,sendfile,splice,tee,copy_file_range,mmap,brk';

export interface Traced {
  readonly status: number | null;
  readonly output: string;
  readonly seen: readonly Observation[];
  readonly edges: Edges;
  readonly oracle: Edges;
  readonly optional: Edges;
  readonly scores: ReadonlyMap<EdgeKind, Score>;
}

export interface TraceOptions {
  readonly command: readonly string[];
  /** Folder of this run; the program works in `work` below it, which is made. */
  readonly dir: string;
  readonly shim: string;
  readonly loader: Loader;
  readonly limitMs?: number;
}

/**
 * Runs a program once, with the shim inside and strace watching from outside, so that both see the very same run. strace
 * starts it with LD_PRELOAD set (`-E`) and is not itself under the shim.
 */
export async function trace({ command, dir, shim, loader, limitMs = 120_000 }: TraceOptions): Promise<Traced> {
  const cwd = join(dir, 'work');
  mkdirSync(cwd, { recursive: true });
  const ring = Ring.create(join(dir, 'ring'), 64 << 20);
  const prefix = join(dir, 'trace');
  const inside = ['-E', `LD_PRELOAD=${shim}`, '-E', `ALASTOR_RING=${ring.path}`];
  const args = [
    '-ff',
    '--seccomp-bpf',
    '-q',
    '-ttt',
    '-i',
    '-y',
    '-s',
    '64',
    '-o',
    prefix,
    '-e',
    `trace=${CALLS}`,
    ...inside,
    ...command,
  ];
  const env = { PATH: process.env.PATH, HOME: cwd, TMPDIR: cwd, LANG: 'C.UTF-8', TRACE_NODE: process.execPath };
  const startedMs = Date.now();
  // Into a file: Node's pipes are socket pairs, whose maker is not part of the run.
  const said = openSync(join(dir, 'output'), 'w');
  const child = spawn('strace', args, { cwd, env, stdio: ['ignore', said, said], timeout: limitMs, killSignal: 'SIGKILL' });
  const seen: Observation[] = [];
  const timer = setInterval(() => seen.push(...ring.drain()), 20);
  try {
    await once(child, 'close');
  } finally {
    clearInterval(timer);
  }
  closeSync(said);
  const output = readFileSync(join(dir, 'output'), 'utf8');
  seen.push(...ring.drain());
  ring.close();
  const oracle = oracleEdges(readLines(prefix), loader, shim, cwd, startedMs);
  const edges = observedEdges(seen);
  const scores = new Map(KINDS.map((kind) => [kind, score(kind, oracle.edges, oracle.optional, edges)] as const));
  return { status: child.exitCode, output, seen, edges, oracle: oracle.edges, optional: oracle.optional, scores };
}
