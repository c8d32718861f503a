import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

export interface Workload {
  readonly name: string;
  readonly command: readonly string[];
  /** Programs without which it is skipped. */
  readonly needs?: readonly string[];
  /** Made ready outside the trace, in the folder the program will work in; what it returns undoes it. */
  readonly prepare?: (work: string) => Promise<(() => void) | undefined>;
}

const PROGRAMS = join(import.meta.dirname, 'programs');
const program = (name: string) => join(PROGRAMS, name);
const PYTHON = '/usr/bin/python3';

async function certificate(work: string): Promise<undefined> {
  const child = spawn('openssl', [
    ...[
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-days',
      '2',
      '-subj',
      '/CN=localhost',
    ],
    ...['-keyout', join(work, 'key.pem'), '-out', join(work, 'cert.pem')],
  ]);
  await once(child, 'close');
}

async function webServer(work: string): Promise<() => void> {
  const server = createServer((request, response) => request.resume().on('end', () => response.end('x'.repeat(50_000))));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  writeFileSync(join(work, 'port'), `${(server.address() as AddressInfo).port}`);
  return () => {
    server.close();
    server.closeAllConnections();
  };
}

/** A port that was free a moment ago, for programs that cannot say which one they were given. */
async function freePort(work: string): Promise<undefined> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  writeFileSync(join(work, 'port'), `${(server.address() as AddressInfo).port}`);
  server.close();
}

async function compiled(work: string): Promise<undefined> {
  execFileSync('gcc', ['-o', join(work, '..', 'direct'), program('direct.c')], { stdio: ['ignore', 'ignore', 'inherit'] });
}

async function classes(work: string): Promise<undefined> {
  mkdirSync(join(work, '..', 'classes'));
  execFileSync('javac', ['-d', join(work, '..', 'classes'), program('Hello.java')]);
}

const node = (name: string) => [process.execPath, program(name)];
const bash = (name: string) => ['/bin/bash', program(name)];

export const WORKLOADS: readonly Workload[] = [
  { name: 'node-files', command: node('node-files.mjs') },
  { name: 'node-threads', command: node('node-threads.mjs') },
  { name: 'node-children', command: node('node-children.mjs') },
  { name: 'node-network', command: node('node-network.mjs'), needs: ['openssl'], prepare: certificate },
  { name: 'python-files', command: [PYTHON, '-B', program('python-files.py')], needs: [PYTHON] },
  { name: 'python-processes', command: [PYTHON, '-B', program('python-processes.py')], needs: [PYTHON] },
  {
    name: 'python-network',
    command: [PYTHON, '-B', program('python-network.py')],
    needs: [PYTHON, 'openssl'],
    prepare: certificate,
  },
  { name: 'shell', command: bash('shell.sh') },
  { name: 'curl', command: bash('curl.sh'), needs: ['curl'], prepare: webServer },
  { name: 'tar', command: bash('tar.sh'), needs: ['tar', 'gzip'] },
  { name: 'git', command: bash('git.sh'), needs: ['git'] },
  { name: 'gcc', command: bash('gcc.sh'), needs: ['gcc', 'objdump'] },
  { name: 'openssl', command: bash('openssl.sh'), needs: ['openssl'], prepare: freePort },
  { name: 'java', command: ['java', '-Xshare:auto', '-cp', '../classes', 'Hello'], needs: ['java', 'javac'], prepare: classes },
  { name: 'direct', command: ['../direct'], needs: ['gcc'], prepare: compiled },
];

/** The first program that is not there, if any. */
export function missingProgram({ needs = [] }: Workload): string | undefined {
  const folders = (process.env.PATH ?? '').split(':');
  return needs.find((name) => !(name.startsWith('/') ? existsSync(name) : folders.some((dir) => existsSync(join(dir, name)))));
}
