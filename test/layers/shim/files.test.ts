import { execFileSync } from 'node:child_process';
import { symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type Run, Watched } from './watched.ts';

const watched = new Watched();
afterAll(() => watched.close());
const at = (name: string) => join(watched.dir, name);
const opened = (run: Run, name: string) => run.of('file-open').filter((o) => o.path === at(name));
const closed = (run: Run, name: string) => run.of('file-close').filter((o) => o.path === at(name));
const changes = (run: Run) =>
  run
    .of('file-change')
    .map((o) => [o.op, o.path, o.to, o.mode?.toString(8)].filter((part) => part !== undefined).join(' '))
    .map((line) => line.replaceAll(`${watched.dir}/`, ''));

it('names what is below a folder as the folder is called at that moment, whoever has renamed it', async () => {
  const program = `
    #include <fcntl.h>
    #include <stdio.h>
    #include <stdlib.h>
    #include <sys/stat.h>
    #include <unistd.h>
    int main(void) {
      char name[16];
      mkdir("f1", 0700); mkdir("other", 0700);
      close(creat("other/6", 0600));
      int folder = open("f1", O_RDONLY | O_DIRECTORY);
      for (int i = 0; i < 6; i++) { sprintf(name, "%d", i); close(openat(folder, name, O_CREAT | O_WRONLY, 0600)); }
      unlinkat(folder, "0", 0); unlinkat(folder, "1", 0);
      rename("f1", "f2");
      unlinkat(folder, "2", 0); unlinkat(folder, "3", 0);
      system("mv f2 f3");
      unlinkat(folder, "4", 0); unlinkat(folder, "5", 0);
      int other = open("other", O_RDONLY | O_DIRECTORY);
      dup2(other, folder);
      return unlinkat(folder, "6", 0);
    }`;
  execFileSync('gcc', ['-x', 'c', '-', '-o', at('folders')], { input: program, stdio: ['pipe', 'inherit', 'inherit'] });
  const run = await watched.run(at('folders'), []);
  expect(run).toMatchObject({ status: 0, stderr: '' });
  expect(changes(run).filter((change) => change.startsWith('unlink'))).toEqual([
    ...['unlink f1/0', 'unlink f1/1', 'unlink f2/2', 'unlink f2/3', 'unlink f3/4', 'unlink f3/5', 'unlink other/6'],
  ]);
});

describe('files of Node', () => {
  it('reports how a file was opened, and what moved, once, when it is closed', async () => {
    const run = await watched.run(process.execPath, [
      '-e',
      `const fs = require('fs');
       fs.writeFileSync('a', 'hello'); fs.appendFileSync('a', '!!'); fs.writeFileSync('a', 'new');
       fs.readFileSync('a'); fs.copyFileSync('a', 'b');
       const s = fs.createWriteStream('c'); s.write('12'); s.end('345');
       s.on('close', () => fs.promises.readFile('c'));`,
    ]);
    expect(run).toMatchObject({ status: 0, stderr: '' });
    expect(opened(run, 'a').map((o) => [o.mode, o.created, o.truncated])).toEqual([
      ['w', true, false],
      ['w', false, false],
      ['w', false, true],
      ['r', false, false],
      ['r', false, false],
    ]);
    expect(closed(run, 'a').map((o) => [o.read, o.written])).toEqual([
      [0, 5],
      [0, 2],
      [0, 3],
      [3, 0],
      [3, 0],
    ]);
    expect(closed(run, 'b')).toEqual([expect.objectContaining({ read: 0, written: 3 })]);
    expect(closed(run, 'c').map((o) => [o.read, o.written])).toEqual([
      [0, 5],
      [5, 0],
    ]);
  });

  it('reports changes of names and modes with absolute paths', async () => {
    const run = await watched.run(process.execPath, [
      '-e',
      `const fs = require('fs');
       fs.mkdirSync('d'); fs.writeFileSync('d/x', ''); fs.renameSync('d/x', './d/../d/y'); fs.chmodSync('d/y', 0o700);
       fs.linkSync('d/y', 'd/z'); fs.symlinkSync('../z', 'd/s'); fs.truncateSync('d/y', 1);
       fs.unlinkSync('d/s'); fs.rmSync('d', { recursive: true });`,
    ]);
    const seen = changes(run);
    expect(seen.slice(0, 7)).toEqual([
      'mkdir d 777',
      'rename d/x d/y',
      'chmod d/y 700',
      'link d/y d/z',
      'symlink z d/s',
      'truncate d/y',
      'unlink d/s',
    ]);
    expect(seen.slice(7).sort()).toEqual(['rmdir d', 'unlink d/y', 'unlink d/z']);
  });
});

describe('files of Python', () => {
  it('follows folders given by descriptor and temporary files', async () => {
    const run = await watched.run('/usr/bin/python3', [
      '-c',
      `
import os, tempfile
os.mkdir('e'); d = os.open('e', os.O_RDONLY)
f = os.open('x', os.O_CREAT | os.O_WRONLY, dir_fd=d); os.write(f, b'1234'); os.close(f)
os.rename('x', 'y', src_dir_fd=d, dst_dir_fd=d); os.unlink('y', dir_fd=d)
fd, name = tempfile.mkstemp(dir='.'); os.pwrite(fd, b'12', 7); os.close(fd)
`,
    ]);
    expect(run).toMatchObject({ status: 0, stderr: '' });
    expect(opened(run, 'e/x')).toEqual([expect.objectContaining({ created: true, mode: 'w' })]);
    expect(closed(run, 'e/x')).toEqual([expect.objectContaining({ written: 4 })]);
    expect(changes(run)).toEqual(['mkdir e 777', 'rename e/x e/y', 'unlink e/y']);
    expect(run.of('file-close').filter((o) => o.written === 2)).toHaveLength(1);
  });
});

describe('files of shells and tools', () => {
  it('counts what goes through redirections and stdio', async () => {
    writeFileSync(at('in'), 'one\ntwo\nthree\n');
    const run = await watched.run('/bin/bash', ['-c', 'sort in > out; read line < out; echo "$line" >> log; sed -n 1p out']);
    expect(run.stdout).toBe('one\n');
    expect(closed(run, 'in')).toEqual([expect.objectContaining({ read: 14, written: 0 })]);
    expect(closed(run, 'out').find((o) => o.written > 0)).toMatchObject({ written: 14 });
    expect(closed(run, 'out').filter((o) => o.read > 0).length).toBeGreaterThanOrEqual(2);
    expect(opened(run, 'log')).toEqual([expect.objectContaining({ mode: 'w', created: true, truncated: false })]);
  });

  it('says under which name a file was used, also through a link and with a name that is no text', async () => {
    symlinkSync('in', at('alias'));
    const run = await watched.run('/bin/bash', ['-c', "cat alias; echo x > $'odd\\xff\\n'"]);
    expect(closed(run, 'alias')).toEqual([expect.objectContaining({ read: 14 })]);
    expect(run.of('file-open').map((o) => o.path)).toContain(at('odd\ufffd\n'));
  });

  it('reports a long path whole', async () => {
    const long = `${'d'.repeat(200)}/${'e'.repeat(200)}/${'f'.repeat(200)}`;
    const run = await watched.run('/bin/bash', ['-c', `mkdir -p ${long.slice(0, 401)} && echo deep > ${long} && cat ${long}`]);
    expect(run.stdout).toBe('deep\n');
    expect(opened(run, long).map((o) => o.mode)).toEqual(['w', 'r']);
    expect(closed(run, long).some((o) => o.read === 5)).toBe(true);
  });

  it('reports libraries that are loaded while a program runs', async () => {
    const run = await watched.run('/usr/bin/python3', ['-c', 'import _ctypes']);
    expect(run.of('file-open').map((o) => o.path)).toContainEqual(expect.stringMatching(/_ctypes.*\.so$/));
  });
});
