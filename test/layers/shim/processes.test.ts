import { chmodSync, copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type Of, type Run, Watched } from './watched.ts';

const watched = new Watched();
afterAll(() => watched.close());

const PYTHON = '/usr/bin/python3';
const node = (code: string) => watched.run(process.execPath, ['--input-type=module', '-e', code]);
const python = (code: string) => watched.run(PYTHON, ['-c', code]);
const programs = (run: Run) =>
  run.of('process-exec').map((o: Of<'process-exec'>) => `${o.path.replace(/^.*\//, '')} ${o.argv.slice(1).join(' ')}`.trim());
const gaps = (run: Run) => run.of('gap');

describe('processes of a shell', () => {
  it('reports each member of a pipeline with its parent, its program and its exit', async () => {
    const run = await watched.run('/bin/bash', ['-c', 'cat /etc/hostname | wc -c; exit 3']);
    expect(run.status).toBe(3);
    expect(programs(run)).toEqual(expect.arrayContaining(['cat /etc/hostname', 'wc -c']));
    const [shell] = run.of('process-start');
    expect(shell).toMatchObject({ how: 'runtime', exe: expect.stringMatching(/bash$/) });
    const forked = run.of('process-start').filter((o) => o.how === 'fork');
    expect(forked.map((o) => o.parent)).toEqual([shell?.proc, shell?.proc]);
    expect(run.of('process-exit').find((o) => o.proc === shell?.proc)).toMatchObject({ code: 3 });
    expect(gaps(run)).toEqual([]);
  });

  it('ties the two ends of a pipe together by its name', async () => {
    const run = await watched.run('/bin/sh', ['-c', 'cat /etc/passwd | wc -c']);
    const pipes = run.of('file-close').filter((o) => o.path.startsWith('pipe:['));
    const written = pipes.find((o) => o.written > 100);
    expect(pipes.find((o) => o.path === written?.path && o.read === written?.written)?.proc).not.toBe(written?.proc);
  });

  it('finds its way into a program that is started with an empty environment', async () => {
    const run = await watched.run('/bin/sh', ['-c', "env -i /bin/sh -c 'exec env -u LD_PRELOAD /bin/cat /etc/hostname'"]);
    expect(run.of('file-open').map((o) => o.path)).toContain('/etc/hostname');
    expect(programs(run).filter((p) => p.startsWith('cat'))).toHaveLength(1);
  });

  it('keeps another preloaded library and the certificates the application has chosen', async () => {
    const run = await watched.run('/bin/sh', ['-c', 'LD_PRELOAD=libc.so.6 SSL_CERT_FILE=/mine env; env -i env'], {
      SSL_CERT_FILE: '/ours',
      ALASTOR_PROXY_PORT: '1',
    });
    expect(run.stdout).toContain(`LD_PRELOAD=${watched.shim}:libc.so.6\n`);
    expect(run.stdout).toContain('SSL_CERT_FILE=/mine\n');
    expect(run.stdout).toContain('SSL_CERT_FILE=/ours\n');
    expect(run.stdout.match(/^ALASTOR_PROXY_PORT=1$/gm)).toHaveLength(2);
  });
});

describe('processes of Node', () => {
  it('reports exec, execSync, spawn and fork', async () => {
    const run = await node(`
      import cp from 'node:child_process';
      import fs from 'node:fs';
      cp.execSync('echo one');
      cp.spawnSync('/bin/echo', ['two'], { env: {} });
      await new Promise((r) => cp.exec('echo three', r));
      fs.writeFileSync('child.mjs', 'process.disconnect()');
      await new Promise((r) => cp.fork('child.mjs', { execArgv: [] }).on('exit', r));`);
    expect(run).toMatchObject({ status: 0, stderr: '' });
    expect(programs(run)).toEqual(expect.arrayContaining(['sh -c echo one', 'echo two', 'sh -c echo three']));
    expect(run.of('process-start').filter((o) => o.how === 'exec')).toHaveLength(4);
    expect(gaps(run)).toEqual([]);
  });
});

describe('processes of Python', () => {
  it('reports subprocess, os.system, os.popen, posix_spawn, fork and exec', async () => {
    const run = await python(`
import os, subprocess, sys
subprocess.run(['/bin/echo', 'one'], env={})
subprocess.run('echo two', shell=True)
os.system('true three')
os.popen('true four').read()
child = os.posix_spawn('/bin/true', ['true', 'five'], {})
os.waitpid(child, 0)
forked = os.fork()
if forked == 0: os._exit(4)
os.waitpid(forked, 0)
os.execv('/bin/sh', ['sh', '-c', 'exit 6'])`);
    expect(run.status).toBe(6);
    expect(programs(run)).toEqual(
      expect.arrayContaining([
        'echo one',
        'sh -c echo two',
        'sh -c true three',
        'sh -c true four',
        'true five',
        'sh -c exit 6',
      ]),
    );
    const main = run.of('process-start')[0]?.proc;
    expect(run.of('process-start').every((o) => o.proc === main || o.parent === main)).toBe(true);
    expect(run.of('process-exec').find((o) => o.argv[1] === 'five')?.child).toBeGreaterThan(0);
    expect(run.of('process-start').filter((o) => o.how === 'spawn').length).toBeGreaterThanOrEqual(2);
    expect(run.of('process-exit').map((o) => o.code)).toEqual(expect.arrayContaining([4, 6]));
    expect(gaps(run)).toEqual([]);
  });

  it('reports what the child of vfork did under the name of the child, and leaves the parent its files', async () => {
    const run = await python(`
import subprocess
f = open('kept', 'w')
f.write('x' * 10); f.flush()
subprocess.run(['/bin/true'], close_fds=True)
f.write('y' * 5); f.close()`);
    const child = run.of('process-start').find((o) => o.how === 'vfork');
    expect(child?.parent).toBe(run.of('process-start')[0]?.proc);
    const closed = run.of('file-close').filter((o) => o.path.endsWith('/kept'));
    expect(closed).toEqual([expect.objectContaining({ written: 15, proc: child?.parent })]);
  });

  it('reports the end of a child that was killed', async () => {
    const run = await python(`
import subprocess
p = subprocess.Popen(['sleep', '60']); p.kill(); p.wait()`);
    expect(run.of('process-exit').find((o) => o.child !== undefined)).toMatchObject({ signal: 9 });
  });

  it('reinjects itself when the environment was cleared inside the process', async () => {
    const run = await python(`
import ctypes, os
libc = ctypes.CDLL(None)
libc.clearenv()
libc.system(b'cat /etc/hostname >/dev/null')
libc.execlp(b'sh', b'sh', b'-c', b'cat /etc/os-release >/dev/null', None)`);
    expect(run.of('file-open').map((o) => o.path)).toEqual(expect.arrayContaining(['/etc/hostname', '/etc/os-release']));
  });

  it('names a program that never had a file, and one that cannot be looked into', async () => {
    const fixed = join(watched.dir, 'static');
    writeFileSync(join(watched.dir, 'static.c'), 'int main(void) { return 5; }');
    await watched.run('gcc', ['-static', '-o', fixed, 'static.c']);
    const run = await python(`
import os, subprocess
fd = os.memfd_create('ghost')
os.write(fd, open('/bin/true', 'rb').read())
subprocess.run([f'/proc/self/fd/{fd}'], pass_fds=[fd])
print(subprocess.run(['./static']).returncode)`);
    expect(run.stdout).toBe('5\n');
    expect(run.of('process-exec')[0]?.path).toMatch(/^\/memfd:ghost/);
    expect(run.of('unobserved')).toEqual([
      expect.objectContaining({ what: 'program', detail: expect.stringMatching(/static$/) }),
    ]);
  });
});

describe('identity', () => {
  it('numbers the events of every process without a hole, over 200 short processes', async () => {
    const run = await watched.run('/bin/bash', [
      '-c',
      'for i in $(seq 200); do sh -c "cat /etc/hostname >/dev/null" & done; wait',
    ]);
    expect(gaps(run)).toEqual([]);
    expect(run.of('process-exec').filter((o) => o.argv[0] === 'sh')).toHaveLength(200);
    expect(run.of('file-open').filter((o) => o.path === '/etc/hostname')).toHaveLength(200);
    const alive = new Set(run.of('process-start').map((o) => o.proc));
    expect(run.of('process-exit').every((o) => alive.has(o.proc))).toBe(true);
  });

  it('keeps threads that report at the same time apart from lost events', async () => {
    const run = await python(`
import threading
def work(i):
    for k in range(200):
        with open(f't{i}', 'w') as f: f.write('x')
threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
[t.start() for t in threads]; [t.join() for t in threads]`);
    expect(run.of('file-close').filter((o) => /\/t\d$/.test(o.path))).toHaveLength(1600);
    expect(gaps(run)).toEqual([]);
  });

  it('names the script and its interpreter', async () => {
    const script = join(watched.dir, 'tool');
    writeFileSync(script, '#!/bin/sh\nexit 9\n');
    chmodSync(script, 0o755);
    copyFileSync(script, join(watched.dir, 'copy'));
    const run = await watched.run('/bin/bash', ['-c', './tool a b; ./copy; true']);
    expect(programs(run)).toEqual(['tool a b', 'copy']);
    expect(run.of('unobserved')).toEqual([]);
  });
});
