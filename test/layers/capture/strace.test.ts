import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parseCall, readFd, readString } from '../../../layers/capture/strace/call.ts';
import { StraceParser } from '../../../layers/capture/strace/parser.ts';
import { straceCommand } from '../../../layers/capture/strace/source.ts';
import type { Observation } from '../../../layers/record/types.ts';

const said = (lines: readonly string[], cwd = '/work'): Observation[] => new StraceParser(cwd).feed(`${lines.join('\n')}\n`);
const T = '1795318061.414658';

describe('a line of strace', () => {
  it('is taken apart whatever its strings and names hold', () => {
    const text = String.raw`openat(AT_FDCWD</a, b)>, "x\", ) = \303\274\n", O_RDONLY) = 3</a, b)/x>`;
    const call = parseCall(text);
    expect(call?.args).toHaveLength(3);
    expect(readString(call?.args[1])).toBe('x", ) = ü\n');
    expect(readFd(call?.args[0])).toEqual({ fd: -100, path: '/a, b)' });
    expect(readFd(call?.result)?.fd).toBe(3);
    expect(readString('NULL')).toBeUndefined();
    expect(parseCall('broken("')).toBeUndefined();
  });

  it('that another interrupts is put together again, and a child heard before its parent is kept until it is known', () => {
    const out = said([
      `10 ${T} execve("/bin/sh", ["sh"], 0x7f /* 2 vars */) = 0`,
      `10 ${T} clone(child_stack=NULL, flags=SIGCHLD <unfinished ...>`,
      `11 ${T} openat(AT_FDCWD</work>, "out", O_WRONLY|O_CREAT|O_TRUNC, 0666) = 3</work/out>`,
      `11 ${T} +++ exited with 4 +++`,
      `10 ${T} <... clone resumed>, child_tidptr=0x7f) = 11`,
      `10 ${T} +++ killed by SIGKILL +++`,
    ]);
    expect(out.map(({ kind }) => kind)).toEqual([
      'process-start',
      'process-start',
      'file-open',
      'process-exit',
      'process-exit',
    ]);
    expect(out[0]).toMatchObject({ how: 'runtime', exe: '/bin/sh', t: 1795318061414658 });
    expect(out[1]).toMatchObject({ how: 'fork', parent: out[0]?.proc });
    expect(out[2]).toMatchObject({ proc: out[1]?.proc, path: '/work/out', mode: 'w', truncated: true });
    expect(out[3]).toMatchObject({ proc: out[1]?.proc, code: 4 });
    expect(out[4]).toMatchObject({ proc: out[0]?.proc, signal: 9 });
  });

  it('of a thread belongs to its process, and relative names to the directory that the process is in', () => {
    const out = said([
      `10 ${T} execve("/bin/app", ["app"], 0x7f /* 2 vars */) = 0`,
      `10 ${T} clone3({flags=CLONE_VM|CLONE_THREAD, exit_signal=0} => {parent_tid=[12]}, 88) = 12`,
      `12 ${T} chdir("/tmp/x") = 0`,
      `10 ${T} unlink("y") = 0`,
      `12 ${T} +++ exited with 0 +++`,
      `10 ${T} rename("a", "../b") = -1 ENOENT (No such file or directory)`,
    ]);
    expect(out).toHaveLength(2);
    expect(out[1]).toMatchObject({ kind: 'file-change', op: 'unlink', path: '/tmp/x/y', proc: out[0]?.proc });
  });

  it('that makes no sense is counted, not guessed', () => {
    const parser = new StraceParser('/');
    expect(parser.feed(`10 ${T} openat(AT_FDCWD, "x\nstrace: message\n10 ${T} --- SIGCHLD {} ---\n`)).toEqual([]);
    expect(parser.damaged).toBe(1);
  });
});

const strace = spawnSync('strace', ['--version']).error === undefined;
if (!strace) console.warn('strace is not installed: its real output is not tested');

it.skipIf(!strace)('understands every line that real programs leave', () => {
  const dir = mkdtempSync('/tmp/alastor-strace-');
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const script = `
import os, socket, subprocess, threading
os.mkdir("d"); os.chmod("d", 0o700); open("d/a", "w").write("x"); os.rename("d/a", "d/b"); os.link("d/b", "d/c")
os.symlink("b", "d/s"); os.truncate("d/b", 0); os.unlink("d/b")
t = threading.Thread(target=lambda: open("d/t", "w").close()); t.start(); t.join()
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(); c = socket.create_connection(s.getsockname()); s.accept()
u = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); u.connect(("::1", 53))
x = socket.socket(socket.AF_UNIX); x.bind("\\0name")
subprocess.run(["sh", "-c", "echo y > d/child; exit 5"])
`;
  const output = join(dir, 'trace');
  const [program = '', ...args] = straceCommand(output, ['/usr/bin/python3', '-c', script]);
  // Without -DD: the tracer itself is waited for, so that its output is whole.
  const { status, stderr } = spawnSync(
    program,
    args.filter((arg) => arg !== '-DD'),
    { cwd: dir, encoding: 'utf8' },
  );
  expect([status, stderr]).toEqual([0, '']);
  const parser = new StraceParser(dir);
  const out = parser.feed(readFileSync(output, 'utf8'));
  expect(parser.damaged).toBe(0);
  const changes = out.flatMap((o) =>
    o.kind === 'file-change' && o.path.startsWith(dir) ? [`${o.op} ${o.path.slice(dir.length)}`] : [],
  );
  expect(changes).toEqual(['mkdir /d', 'chmod /d', 'rename /d/a', 'link /d/b', 'symlink /d/b', 'truncate /d/b', 'unlink /d/b']);
  const written = out.flatMap((o) => (o.kind === 'file-open' && o.mode === 'w' && o.path.startsWith(dir) ? [o] : []));
  expect(written.map(({ path }) => path.slice(dir.length))).toEqual(['/d/a', '/d/t', '/d/child']);
  expect(written[1]?.proc).toBe(written[0]?.proc);
  expect(written[2]?.proc).not.toBe(written[0]?.proc);
  expect(out).toContainEqual(expect.objectContaining({ kind: 'process-exit', proc: written[2]?.proc, code: 5 }));
  const peers = out.flatMap((o) => ('peer' in o ? [`${o.kind} ${o.peer.proto} ${o.peer.addr}`] : []));
  for (const peer of [
    'socket-connect tcp 127.0.0.1',
    'socket-accept tcp 127.0.0.1',
    'socket-connect udp ::1',
    'socket-bind unix @name',
  ]) {
    expect(peers).toContain(peer);
  }
});
