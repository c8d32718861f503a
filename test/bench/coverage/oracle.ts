import { Edges, Totals } from './edges.ts';
import { FILE_CALLS, type FileChange } from './file-calls.ts';
import type { Loader } from './mappings.ts';
import { optionalLibrary, optionalRead } from './optional.ts';
import { Names } from './oracle-files.ts';
import { type Process, Processes } from './oracle-process.ts';
import { peerIn, resolve, Sockets } from './oracle-sockets.ts';
import { type Line, nameOf, unquote } from './strace-lines.ts';

const RECEIVES = new Set(['read', 'readv', 'pread64', 'preadv', 'preadv2', 'recvfrom', 'recvmsg']);
const SENDS = new Set(['write', 'writev', 'pwrite64', 'pwritev', 'pwritev2', 'sendto', 'sendmsg']);
const STARTS = new Set(['clone', 'clone3', 'fork', 'vfork']);
const NAMES = new Set(['socket', 'socketpair', 'connect', 'accept', 'accept4', 'bind', 'getsockname', 'getpeername']);
const SIGNALS: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGABRT: 6,
  SIGKILL: 9,
  SIGSEGV: 11,
  SIGPIPE: 13,
  SIGTERM: 15,
};

/** The null device; semaphores, which libc keeps as files but which carry nothing (sem_overview(7)). */
const IGNORED = /^\/dev\/(null$|shm\/sem\.)/;

export interface OracleResult {
  readonly edges: Edges;
  /** May be reported and need not be. */
  readonly optional: Edges;
}

/** Reduces a system call trace to edges. Knows nothing of the shim but the address range of its own code. */
class Oracle {
  readonly edges = new Edges();
  readonly optional = new Edges();
  readonly #bytes = new Totals();
  readonly #sockets = new Sockets(this.edges, this.optional, this.#bytes);
  readonly #processes: Processes;
  readonly #names: Names;
  readonly #shim: string;
  /** Bare handles (O_PATH) by process and number: libc changes modes through them, as /proc/self/fd/<n>. */
  readonly #handles = new Map<string, string>();
  #begun = false;

  constructor(loader: Loader, shim: string, cwd: string, startedMs: number) {
    this.#processes = new Processes(loader, shim, cwd);
    this.#shim = shim;
    this.#names = new Names(startedMs);
  }

  take(lines: readonly Line[]): void {
    for (const line of lines) this.#see(line, this.#processes.of(line.tid));
    this.#sockets.finish();
    this.#bytes.into(this.edges);
  }

  #see(line: Line, process: Process): void {
    const { pid } = process;
    if (line.name === '+exited' || line.name === '+killed') {
      const [what = ''] = line.args;
      if (line.tid === pid) this.edges.add('exit', pid, line.name === '+exited' ? `code ${what}` : `signal ${SIGNALS[what]}`);
      return;
    }
    if (!(line.result >= 0)) {
      this.#failed(line, process);
      return;
    }
    process.maps.see(line);
    if (STARTS.has(line.name)) this.#started(line, process);
    else if (line.name === 'execve' || line.name === 'execveat') this.#execed(line, process);
    // The shim asks for names too; what the kernel answers is true whoever asked.
    else if (line.name === 'getsockname' || line.name === 'getpeername') this.#sockets.see(line, pid);
    else if (process.maps.ofShim(line)) return;
    else if (process.maps.ofLoader(line)) this.#loaded(line, process);
    else if (NAMES.has(line.name)) this.#sockets.see(line, pid);
    else if (RECEIVES.has(line.name) || SENDS.has(line.name)) this.#moved(line, pid);
    else this.#file(line, process);
  }

  #failed(line: Line, process: Process): void {
    // A connection under way is not a failure; strace prints -1 EINPROGRESS.
    if (line.name === 'connect' && line.error === 'EINPROGRESS') this.#sockets.see(line, process.pid);
  }

  #started(line: Line, process: Process): void {
    const thread = line.args.some((a) => a.includes('CLONE_THREAD'));
    this.#processes.cloned(process, line.result, thread);
    if (!thread) this.edges.add('fork', process.pid, `${line.result}`);
  }

  #execed(line: Line, process: Process): void {
    const [first = '', second = ''] = line.args;
    process.maps.execed();
    // The program that the trace begins with was started by strace.
    const begins = !this.#begun;
    this.#begun = true;
    if (begins) return;
    const path =
      line.name === 'execve'
        ? unquote(first)
        : unquote(second) === ''
          ? nameOf(first)
          : resolve(nameOf(first), unquote(second));
    this.edges.add('exec', process.pid, resolve(process.cwd, path));
  }

  /** The dynamic loader's own calls: what it opens are libraries. */
  #loaded(line: Line, { pid, cwd }: Process): void {
    if (line.name !== 'openat') return;
    const [dir = '', path = ''] = line.args;
    const library = resolve(dir.startsWith('AT_FDCWD<') ? nameOf(dir) : cwd, unquote(path));
    if (library === this.#shim) return;
    (optionalLibrary(library) ? this.optional : this.edges).add('read', pid, library);
  }

  #moved(line: Line, pid: number): void {
    const name = nameOf(line.args[0] ?? '');
    const inward = RECEIVES.has(line.name);
    this.#through(pid, name, inward ? line.result : 0, inward ? 0 : line.result, peerIn(this.#address(line), 'udp'));
  }

  #address(line: Line): string | undefined {
    if (line.name === 'sendto' || line.name === 'recvfrom') return line.args[4];
    return line.name === 'sendmsg' || line.name === 'recvmsg' ? /msg_name=\{[^}]*\}/.exec(line.args[1] ?? '')?.[0] : undefined;
  }

  #through(pid: number, name: string, received: number, sent: number, address?: string): void {
    if (name.startsWith('socket:[')) this.#sockets.moved(pid, name, received, sent, address);
    if (!name.startsWith('pipe:[')) return;
    if (received > 0) this.edges.add('pipe', pid, `from ${name}`);
    if (sent > 0) this.edges.add('pipe', pid, `to ${name}`);
  }

  #file(line: Line, process: Process): void {
    const { pid } = process;
    const [a = '', b = '', c = ''] = line.args;
    const at = (dir: string, path: string) => resolve(dir.startsWith('AT_FDCWD') ? process.cwd : nameOf(dir), unquote(path));
    const here = (path: string) => resolve(process.cwd, unquote(path));
    // strace shows the working folder with every AT_FDCWD: no need to have seen each chdir.
    if (a.startsWith('AT_FDCWD<')) process.cwd = nameOf(a);
    const known = FILE_CALLS[line.name];
    if (known !== undefined) for (const change of known({ at, here, args: line.args })) this.#changed(change, process);
    else if (line.name === 'open') this.#open(line, pid, here(a), b);
    else if (line.name === 'creat') this.#open(line, pid, here(a), 'O_WRONLY|O_CREAT|O_TRUNC');
    else if (line.name === 'openat' || line.name === 'openat2') this.#open(line, pid, at(a, b), c);
    else if (line.name === 'memfd_create')
      this.#open(line, pid, line.resultName.replace(/^(?!\/)/, '/'), 'O_RDWR|O_CREAT|O_EXCL');
    else if (line.name === 'sendfile') this.#between(pid, nameOf(b), nameOf(a), line.result);
    else if (line.name === 'tee') this.#between(pid, nameOf(a), nameOf(b), line.result);
    else if (line.name === 'splice' || line.name === 'copy_file_range') this.#between(pid, nameOf(a), nameOf(c), line.result);
    else if (line.name === 'sendmmsg' || line.name === 'recvmmsg') this.#datagrams(line, pid);
  }

  #datagrams(line: Line, pid: number): void {
    const [a = '', b = ''] = line.args;
    for (const [, header = '', size = '0'] of b.matchAll(/msg_hdr=(\{.*?\}), msg_len=(\d+)\}/g)) {
      const address = peerIn(/msg_name=\{[^}]*\}/.exec(header)?.[0], 'udp');
      const bytes = Number(size);
      const inward = line.name === 'recvmmsg';
      this.#through(pid, nameOf(a), inward ? bytes : 0, inward ? 0 : bytes, address);
    }
  }

  #changed({ kind, path, to }: FileChange, process: Process): void {
    if (kind === 'chdir') process.cwd = path;
    else if (IGNORED.test(to ?? path)) return;
    else if (to !== undefined) {
      if (kind === 'rename') this.#names.renamed(path, to);
      this.#names.set(to, true);
      this.edges.add(kind, process.pid, `${path} -> ${to}`);
    } else {
      if (kind === 'unlink' || kind === 'rmdir') this.#names.set(path, false);
      if (kind === 'mkdir' || kind === 'symlink') this.#names.set(path, true);
      this.edges.add(kind, process.pid, this.#handles.get(`${process.pid} ${path}`) ?? path);
    }
  }

  #open(line: Line, pid: number, named: string, flags: string): void {
    if (flags.includes('O_PATH')) this.#handles.set(`${pid} /proc/self/fd/${line.result}`, line.resultName);
    if (flags.includes('O_PATH') || (flags.includes('O_DIRECTORY') && !flags.includes('O_TMPFILE'))) return;
    const path = flags.includes('O_TMPFILE') ? line.resultName : named;
    if (IGNORED.test(path)) return;
    const writes = /O_WRONLY|O_RDWR/.test(flags);
    const existed = !flags.includes('O_TMPFILE') && !flags.includes('O_EXCL') && this.#names.exists(path);
    const created = /O_CREAT|O_TMPFILE/.test(flags) && !existed;
    if (!flags.includes('O_WRONLY')) (!writes && optionalRead(path) ? this.optional : this.edges).add('read', pid, path);
    if (writes) this.edges.add('write', pid, path);
    if (created) this.edges.add('create', pid, path);
    if (flags.includes('O_TRUNC') && !created) this.edges.add('truncate', pid, path);
    if (!flags.includes('O_TMPFILE')) this.#names.set(path, true);
  }

  #between(pid: number, from: string, to: string, bytes: number): void {
    this.#through(pid, from, bytes, 0);
    this.#through(pid, to, 0, bytes);
  }
}

/** `cwd`: folder the first program was started in; `startedMs`: since 1970, just before. */
export function oracleEdges(
  lines: readonly Line[],
  loader: Loader,
  shim: string,
  cwd: string,
  startedMs: number,
): OracleResult {
  const oracle = new Oracle(loader, shim, cwd, startedMs);
  oracle.take(lines);
  return { edges: oracle.edges, optional: oracle.optional };
}
