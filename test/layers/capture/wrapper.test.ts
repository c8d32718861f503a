import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ownProcess } from '../../../layers/capture/runtime-process.ts';

let dir: string;
let home: string;
let shared: string;

beforeEach(() => {
  dir = mkdtempSync('/tmp/alastor-test-');
  home = join(dir, 'opt/alastor');
  shared = join(dir, 'shared');
  mkdirSync(home, { recursive: true });
  mkdirSync(shared);
  copyFileSync(join(import.meta.dirname, '../../../layers/wrapper'), join(home, 'wrapper'));
  for (const name of ['ring', 'ca.pem', 'ca-added.pem']) writeFileSync(join(shared, name), 'x');
  // Not a library: the loader says so on stderr and goes on, which is all that is needed here.
  writeFileSync(join(home, 'libalastor.so'), '');
  writeFileSync(
    join(shared, 'ports'),
    'ALASTOR_RUNTIME_PORT=4001\nALASTOR_PROXY_PORT=4002\nALASTOR_STEER=127.0.0.1:4566,::1:80\n',
  );
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** Environment and arguments of the program that the wrapper becomes. */
function run(env: Record<string, string> = {}, args: readonly string[] = []) {
  const program = 'process.stdout.write(JSON.stringify({ env: process.env, args: process.argv.slice(1), pid: process.pid }))';
  const output = execFileSync(join(home, 'wrapper'), [process.execPath, '-e', program, '--', ...args], {
    env: { ALASTOR_DIR: shared, AWS_LAMBDA_RUNTIME_API: '127.0.0.1:9001', ...env },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return JSON.parse(output) as { env: Record<string, string>; args: string[]; pid: number };
}

describe('the wrapper', () => {
  it('leads the runtime to the proxies, the shim and the certificate', () => {
    const ca = join(shared, 'ca.pem');
    expect(run().env).toEqual({
      ALASTOR_DIR: shared,
      ALASTOR_UPSTREAM: '127.0.0.1:9001',
      AWS_LAMBDA_RUNTIME_API: '127.0.0.1:4001',
      LD_PRELOAD: join(home, 'libalastor.so'),
      ALASTOR_RING: join(shared, 'ring'),
      ALASTOR_PROXY_PORT: '4002',
      ALASTOR_STEER: '127.0.0.1:4566,::1:80',
      NODE_EXTRA_CA_CERTS: join(shared, 'ca-added.pem'),
      SSL_CERT_FILE: ca,
      REQUESTS_CA_BUNDLE: ca,
      AWS_CA_BUNDLE: ca,
      CURL_CA_BUNDLE: ca,
      ...(process.env.PWD === undefined ? {} : { PWD: expect.any(String) }),
    });
  });

  it('tells the shim where the Runtime API really is, when it is to look on', () => {
    writeFileSync(join(shared, 'ports'), 'ALASTOR_RUNTIME_PORT=4001\nALASTOR_TEE=runtime\n');
    // Programs without the shim go to the proxy all the same.
    const tapped = { ALASTOR_TEE: 'runtime', AWS_LAMBDA_RUNTIME_API: '127.0.0.1:4001', ALASTOR_RUNTIME_PORT: '4001' };
    expect(run().env).toMatchObject({ ...tapped, ALASTOR_RUNTIME_API: '127.0.0.1:9001' });
    const behind = { ALASTOR_UPSTREAM_RUNTIME_API: '127.0.0.1:9009' };
    expect(run(behind).env).toMatchObject({ ...tapped, ALASTOR_RUNTIME_API: '127.0.0.1:9009' });
    rmSync(join(home, 'libalastor.so'));
    expect(Object.keys(run().env)).not.toContain('ALASTOR_RUNTIME_API');
  });

  it('loads the tap into Node before what the application loads, where there is one', () => {
    writeFileSync(join(home, 'tap.cjs'), '');
    expect(run().env.NODE_OPTIONS).toBeUndefined();
    writeFileSync(join(shared, 'ports'), 'ALASTOR_TAP=1\nALASTOR_STEER=127.0.0.1:4566\n');
    expect(run({ NODE_OPTIONS: '--no-warnings' }).env).toMatchObject({
      NODE_OPTIONS: `--require ${join(home, 'tap.cjs')} --no-warnings`,
      ALASTOR_STEER: '127.0.0.1:4566',
    });
    rmSync(join(home, 'tap.cjs'));
    expect(run({ NODE_OPTIONS: '--no-warnings' }).env.NODE_OPTIONS).toBe('--no-warnings');
  });

  it('passes arguments on as they are', () => {
    const args = ['a b', '', '$HOME', '*', "it's", '"x"', 'line\nbreak'];
    expect(run({}, args).args).toEqual(args);
  });

  it('keeps what was preloaded before', () => {
    expect(run({ LD_PRELOAD: '/nowhere/other.so' }).env.LD_PRELOAD).toBe(`${home}/libalastor.so:/nowhere/other.so`);
  });

  it('leaves the pid of the runtime for the recorder', () => {
    const { pid } = run();
    expect(execFileSync('cat', [join(shared, 'runtime.pid')], { encoding: 'utf8' }).trim()).toBe(String(pid));
  });

  it('says whether it would be seen', () => {
    const told = () => execFileSync('cat', [join(shared, 'runtime.pid')], { encoding: 'utf8' }).trim();
    writeFileSync(join(shared, 'ports'), `ALASTOR_RECORDER=${ownProcess()}\n`);
    const { pid } = run();
    expect(told()).toBe(`${pid} seen`);
    // Somebody else has our pid there.
    writeFileSync(join(shared, 'ports'), `ALASTOR_RECORDER=${process.pid}@987654321\n`);
    run();
    expect(told()).not.toContain('seen');
  });

  it('goes on to a wrapper that was there before', () => {
    const next = join(dir, 'next');
    writeFileSync(next, '#!/bin/sh\nexport FROM_NEXT=1\nexec "$@"\n');
    chmodSync(next, 0o755);
    expect(run({ ALASTOR_NEXT_WRAPPER: next }).env).toMatchObject({ FROM_NEXT: '1', ALASTOR_PROXY_PORT: '4002' });
    expect(run({ ALASTOR_NEXT_WRAPPER: join(dir, 'missing') }).env.FROM_NEXT).toBeUndefined();
  });
});

describe('the runtime starts untouched', () => {
  const untouched = { ALASTOR_DIR: expect.any(String), AWS_LAMBDA_RUNTIME_API: '127.0.0.1:9001' };
  const withoutPwd = ({ env: { PWD: _, ...rest } }: { env: Record<string, string> }) => rest;

  it('without a recorder', () => {
    expect(withoutPwd(run({ ALASTOR_DIR: join(dir, 'nowhere') }))).toEqual(untouched);
  });

  it('with a ports file that is not one', () => {
    writeFileSync(join(shared, 'ports'), 'PATH=/evil\n$(touch pwned)\nALASTOR_STEER\n\u0000');
    rmSync(join(shared, 'ring'));
    expect(withoutPwd(run())).toEqual(untouched);
  });

  it('as far as a part is missing: no proxy, then the shim alone', () => {
    rmSync(join(shared, 'ca.pem'));
    const { env } = run();
    expect(env).toMatchObject({ AWS_LAMBDA_RUNTIME_API: '127.0.0.1:4001', ALASTOR_RING: join(shared, 'ring') });
    expect(Object.keys(env)).not.toContain('ALASTOR_PROXY_PORT');
    expect(Object.keys(env)).not.toContain('SSL_CERT_FILE');
  });

  it('as far as a part is missing: no shim, then no audit certificate either', () => {
    rmSync(join(home, 'libalastor.so'));
    const { env } = run();
    expect(env.AWS_LAMBDA_RUNTIME_API).toBe('127.0.0.1:4001');
    expect(Object.keys(env)).not.toContain('LD_PRELOAD');
    expect(Object.keys(env)).not.toContain('SSL_CERT_FILE');
  });
});
