import { readFileSync } from 'node:fs';
import { posix } from 'node:path';
import type { FileChangeObservation, Observation, Peer, ProcessId } from '../../record/types.ts';
import { type Line, parseCall, parseLine, readFd, readString, readStrings } from './call.ts';

/** Which arguments name a path: one string (or descriptor), or a directory and a string. */
type Place = readonly [number, number?];
interface Change {
  readonly op: FileChangeObservation['op'];
  readonly at: Place;
  readonly to?: Place;
  readonly mode?: number;
}
// biome-ignore format: a table, read by its columns
const CHANGES: Readonly<Record<string, Change>> = {
  rename: { op: 'rename', at: [0], to: [1] }, renameat: { op: 'rename', at: [0, 1], to: [2, 3] },
  renameat2: { op: 'rename', at: [0, 1], to: [2, 3] }, link: { op: 'link', at: [0], to: [1] },
  linkat: { op: 'link', at: [0, 1], to: [2, 3] }, symlink: { op: 'symlink', at: [0], to: [1] },
  symlinkat: { op: 'symlink', at: [0], to: [1, 2] }, unlink: { op: 'unlink', at: [0] }, unlinkat: { op: 'unlink', at: [0, 1] },
  rmdir: { op: 'rmdir', at: [0] }, mkdir: { op: 'mkdir', at: [0], mode: 1 }, mkdirat: { op: 'mkdir', at: [0, 1], mode: 2 },
  chmod: { op: 'chmod', at: [0], mode: 1 }, fchmod: { op: 'chmod', at: [0], mode: 1 },
  fchmodat: { op: 'chmod', at: [0, 1], mode: 2 }, chown: { op: 'chown', at: [0] }, lchown: { op: 'chown', at: [0] },
  fchown: { op: 'chown', at: [0] }, fchownat: { op: 'chown', at: [0, 1] }, truncate: { op: 'truncate', at: [0] },
  ftruncate: { op: 'truncate', at: [0] },
};
interface Open {
  readonly at: Place;
  readonly from: number;
  readonly flags?: string;
}
const OPENS: Readonly<Record<string, Open>> = {
  open: { at: [0], from: 1 },
  creat: { at: [0], from: 1, flags: 'O_WRONLY|O_CREAT|O_TRUNC' },
  openat: { at: [0, 1], from: 2 },
  openat2: { at: [0, 1], from: 2 },
};
/** What the shim would have said about the same: without the totals per descriptor, which would need a stop per read and write. */
export const TRACED: readonly string[] = [
  ...[
    'execve',
    'execveat',
    'fork',
    'vfork',
    'clone',
    'clone3',
    'chdir',
    'fchdir',
    'socket',
    'connect',
    'accept',
    'accept4',
    'bind',
  ],
  ...Object.keys(OPENS),
  ...Object.keys(CHANGES),
];

/** Sockets whose protocol is remembered. */
const SOCKETS_MOST = 4096;

type Call = Extract<Line, { kind: 'call' }>;
interface Process {
  readonly id: ProcessId;
  readonly pid: number;
  readonly parent: ProcessId | null;
  cwd: string;
  exe: string;
}

/** Lines of a thread nobody has named as a child yet, kept until its parent's call has returned. */
const EARLY_MOST = 4096;
const SIGNALS: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGILL: 4,
  SIGABRT: 6,
  SIGBUS: 7,
  SIGFPE: 8,
  SIGKILL: 9,
  SIGSEGV: 11,
  SIGPIPE: 13,
  SIGALRM: 14,
  SIGTERM: 15,
};

/** Turns strace's output, fed as it comes, into observations. Keeps what the lines do not say: threads, directories, sockets. */
export class StraceParser {
  #rest = '';
  readonly #threads = new Map<number, Process>();
  readonly #unfinished = new Map<number, string>();
  readonly #early = new Map<number, Line[]>();
  #earlyLines = 0;
  readonly #sockets = new Map<string, 'tcp' | 'udp'>();
  #out: Observation[] = [];
  #first = true;
  readonly #cwd: string;
  /** Lines that could not be understood, since the last call of {@link feed}. */
  damaged = 0;

  /** @param cwd directory in which the first program was started */
  constructor(cwd: string) {
    this.#cwd = cwd;
  }

  feed(text: string): Observation[] {
    this.#out = [];
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      const parsed = parseLine(line);
      if (parsed !== undefined) this.#take(parsed);
      else if (/^\d+\s+\d+\.\d{6} \w+\(/.test(line)) this.damaged++;
    }
    return this.#out;
  }

  #take(line: Line): void {
    let process = this.#threads.get(line.tid);
    if (process === undefined && this.#first) {
      this.#first = false;
      process = this.#adopt(line.tid, line.t, null);
    }
    if (process === undefined) return void this.#keepEarly(line);
    if (line.kind === 'unfinished') {
      this.#unfinished.set(line.tid, line.text);
      return;
    }
    if (line.kind === 'resumed') {
      const call = parseCall(`${this.#unfinished.get(line.tid) ?? ''}${line.rest}`);
      this.#unfinished.delete(line.tid);
      if (call === undefined) this.damaged++;
      else this.#call({ kind: 'call', tid: line.tid, t: line.t, ...call }, process);
      return;
    }
    if (line.kind === 'exited') return void this.#exited(line, process);
    this.#call(line, process);
  }

  #keepEarly(line: Line): void {
    if (this.#earlyLines >= EARLY_MOST) {
      this.damaged++;
      return;
    }
    this.#earlyLines++;
    const kept = this.#early.get(line.tid);
    if (kept === undefined) this.#early.set(line.tid, [line]);
    else kept.push(line);
  }

  #adopt(pid: number, t: number, parent: Process | null, how: 'fork' | 'vfork' | 'runtime' = 'runtime'): Process {
    const process: Process = {
      id: `${pid}@${startOf(pid, t)}`,
      pid,
      parent: parent?.id ?? null,
      cwd: parent?.cwd ?? this.#cwd,
      exe: parent?.exe ?? '',
    };
    this.#threads.set(pid, process);
    if (parent !== null) {
      this.#say(process, t, { kind: 'process-start', parent: parent.id, exe: process.exe, how });
    }
    return process;
  }

  #replay(tid: number): void {
    const kept = this.#early.get(tid) ?? [];
    this.#early.delete(tid);
    this.#earlyLines -= kept.length;
    for (const line of kept) this.#take(line);
  }

  #exited(line: Extract<Line, { kind: 'exited' }>, process: Process): void {
    this.#threads.delete(line.tid);
    this.#unfinished.delete(line.tid);
    if (line.tid !== process.pid) return;
    const signal = line.signal === undefined ? undefined : (SIGNALS[line.signal] ?? 0);
    this.#say(process, line.t, {
      kind: 'process-exit',
      ...(line.code === undefined ? {} : { code: line.code }),
      ...(signal === undefined ? {} : { signal }),
    });
  }

  #say(process: Process, t: number, what: Said): void {
    this.#out.push({ t, proc: process.id, ...what } as Observation);
  }

  #call(call: Call, process: Process): void {
    const { name, args, result, t } = call;
    const ok = !/^(?:-1|\?)/.test(result);
    const change = CHANGES[name];
    if (change !== undefined) return void (ok && this.#changed(process, t, args, change));
    const open = OPENS[name];
    if (open !== undefined)
      return void this.#opened(process, t, this.#place(process, args, open.at), open.flags ?? args[open.from], result);
    if (name === 'execve') return void this.#exec(process, t, this.#place(process, args, [0]), readStrings(args[1]), ok);
    if (name === 'execveat') return void this.#exec(process, t, this.#place(process, args, [0, 1]), readStrings(args[2]), ok);
    if (/fork|clone/.test(name)) return void this.#forked(call, process);
    if (name === 'chdir' || name === 'fchdir') return void (ok && this.#moved(process, args));
    this.#network(call, process, ok);
  }

  #moved(process: Process, args: readonly string[]): void {
    process.cwd = readFd(args[0])?.path ?? this.#place(process, args, [0]) ?? process.cwd;
  }

  #changed(process: Process, t: number, args: readonly string[], { op, at, to, mode }: Change): void {
    const other = to === undefined ? undefined : this.#place(process, args, to);
    const what = args.includes('AT_REMOVEDIR') ? 'rmdir' : op;
    let path = this.#place(process, args, at);
    if (op === 'symlink') {
      // The text of a symbolic link counts from the folder of the link.
      const text = readString(args[0]);
      path = text === undefined || other === undefined ? undefined : posix.resolve(posix.dirname(other), text);
    }
    if (path === undefined) return;
    this.#say(process, t, {
      kind: 'file-change',
      op: what,
      path,
      ...(other === undefined ? {} : { to: other }),
      ...(mode === undefined ? {} : { mode: Number.parseInt(args[mode] ?? '0', 8) || 0 }),
    });
  }

  /** The path that arguments name: a string, a directory and a string, or a descriptor alone. */
  #place(process: Process, args: readonly string[], [first, second]: Place): string | undefined {
    const dir = readFd(args[first])?.path;
    const path = readString(args[second ?? first]);
    if (path === undefined) return second === undefined ? dir : undefined;
    return posix.resolve(second === undefined ? process.cwd : (dir ?? process.cwd), path);
  }

  #exec(process: Process, t: number, path: string | undefined, argv: string[], ok: boolean): void {
    if (path === undefined) return;
    const first = process.exe === '';
    if (!first) this.#say(process, t, { kind: 'process-exec', path, argv, cwd: process.cwd, ok });
    if (!ok) return;
    process.exe = path;
    const how = first ? 'runtime' : 'exec';
    this.#say(process, t, { kind: 'process-start', parent: process.parent, exe: path, how });
  }

  #forked({ name, args, result, t }: Call, process: Process): void {
    const child = Number(/^\d+/.exec(result)?.[0] ?? 0);
    if (child === 0) return;
    const flags = args.join(',');
    if (flags.includes('CLONE_THREAD')) this.#threads.set(child, process);
    else this.#adopt(child, t, process, name === 'vfork' || flags.includes('CLONE_VFORK') ? 'vfork' : 'fork');
    this.#replay(child);
  }

  #opened(process: Process, t: number, path: string | undefined, flags: string | undefined, result: string): void {
    const fd = readFd(result);
    const opened = fd?.path ?? path;
    if (fd === undefined || fd.fd < 0 || opened === undefined || flags === undefined) return;
    const mode = flags.includes('O_RDWR') ? 'rw' : flags.includes('O_WRONLY') ? 'w' : 'r';
    // Whether a file was there before is not in the trace, unless the program insisted that it was not.
    const created = flags.includes('O_CREAT') && flags.includes('O_EXCL');
    const truncated = flags.includes('O_TRUNC') && !created;
    this.#say(process, t, { kind: 'file-open', path: path ?? opened, mode, created, truncated, fd: fd.fd });
  }

  #network({ name, args, result, t }: Call, process: Process, ok: boolean): void {
    const socket = readFd(args[0]);
    if (name === 'socket') return void this.#made(readFd(result)?.path, args[1] ?? '');
    if (socket === undefined) return;
    const { fd } = socket;
    const peer = readPeer(args[1] ?? '', this.#sockets.get(socket.path ?? '') ?? 'tcp');
    if (name.startsWith('accept')) {
      const accepted = readFd(result);
      const from = peer ?? { addr: '', port: 0, proto: 'unix' };
      if (ok && accepted !== undefined)
        this.#say(process, t, { kind: 'socket-accept', peer: from, fd: accepted.fd, localPort: 0 });
    } else if (peer !== undefined && name === 'bind') {
      if (ok) this.#say(process, t, { kind: 'socket-bind', peer, fd });
    } else if (peer !== undefined) {
      const failed = ok || /EINPROGRESS|EALREADY/.test(result) ? undefined : (ERRNO[/^-1 (\w+)/.exec(result)?.[1] ?? ''] ?? 0);
      const errno = failed === undefined ? {} : { errno: failed };
      this.#say(process, t, { kind: 'socket-connect', peer, fd, localPort: 0, steered: false, ...errno });
    }
  }

  #made(inode: string | undefined, type: string): void {
    if (inode !== undefined) this.#sockets.set(inode, type.includes('SOCK_DGRAM') ? 'udp' : 'tcp');
    const [oldest] = this.#sockets.keys();
    if (this.#sockets.size > SOCKETS_MOST && oldest !== undefined) this.#sockets.delete(oldest);
  }
}

type Said<T = Observation> = T extends unknown ? Omit<T, 't' | 'proc'> : never;

/** errno(3) on Linux, for failures of connect worth telling apart. */
const ERRNO: Readonly<Record<string, number>> = {
  ENOENT: 2,
  EACCES: 13,
  ENETUNREACH: 101,
  ECONNREFUSED: 111,
  ETIMEDOUT: 110,
  EHOSTUNREACH: 113,
};

function readPeer(text: string, proto: 'tcp' | 'udp'): Peer | undefined {
  const port = Number(/sin6?_port=htons\((\d+)\)/.exec(text)?.[1] ?? 0);
  const v4 = /inet_addr\("([^"]+)"\)/.exec(text)?.[1];
  const v6 = /inet_pton\(AF_INET6, "([^"]+)"/.exec(text)?.[1];
  if (v4 !== undefined) return { addr: v4, port, proto };
  if (v6 !== undefined) return { addr: v6.replace(/^::ffff:(?=\d+\.)/, ''), port, proto };
  const [, abstract, path] = /sun_path=(@?)("(?:[^"\\]|\\.)*")/.exec(text) ?? [];
  const name = readString(path);
  return name === undefined ? undefined : { addr: `${abstract === '@' ? '@' : ''}${name}`, port: 0, proto: 'unix' };
}

/** Start in clock ticks since boot, from the kernel while the process lives; else from when it was first seen, at 100 Hz. */
function startOf(pid: number, t: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const start = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    if (start !== undefined) return start;
  } catch {
    // Gone already.
  }
  const boot = Date.now() * 1000 - Math.round(Number(process.hrtime.bigint() / 1000n));
  return String(Math.max(0, Math.floor((t - boot) / 10_000)));
}
