/** Files that all instances of a service see: /etc, /var/runtime and the seccomp program. Made once, mounted read-only. */
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { findBubblewrap } from './bubblewrap.ts';
import { lambdaSeccompProgram } from './seccomp.ts';
import type { LambdaOptions } from './types.ts';

export interface SharedFiles {
  /** Removed by `remove`; also holds what single functions and instances need on disk. */
  readonly dir: string;
  readonly bubblewrap: string;
  readonly etc: string;
  readonly runtime: string;
  readonly seccomp: string;
  /** The node_modules that carries the AWS SDK of the Node runtimes; undefined when it is not installed. */
  readonly nodeModules: string | undefined;
  remove(): void;
}

const BOOTSTRAP = join(import.meta.dirname, 'bootstrap');
/** Of the host's /etc only what loading libraries and finding programs, services and types needs. */
const COPIED = ['ld.so.cache', 'ld.so.conf', 'mime.types', 'protocols', 'services'];
const ROOTS = ['/etc/ssl/certs/ca-certificates.crt', '/etc/pki/tls/certs/ca-bundle.crt', '/etc/ssl/cert.pem'];

export function prepareSharedFiles(options: LambdaOptions): SharedFiles {
  const bubblewrap = findBubblewrap();
  mkdirSync(options.stateDir, { recursive: true });
  const dir = mkdtempSync(join(options.stateDir, 'lambda-'));
  const etc = join(dir, 'etc');
  const runtime = join(dir, 'runtime');
  const seccomp = join(dir, 'seccomp.bpf');
  writeEtc(etc, options);
  const nodeModules = sdkNodeModules();
  writeRuntime(runtime, options.trustedCaPem, nodeModules !== undefined);
  writeFileSync(seccomp, lambdaSeccompProgram(process.arch, options.traceable));
  return { dir, bubblewrap, etc, runtime, seccomp, nodeModules, remove: () => rmSync(dir, { recursive: true, force: true }) };
}

function writeEtc(etc: string, options: LambdaOptions): void {
  mkdirSync(etc, { recursive: true });
  for (const name of COPIED) {
    const from = join('/etc', name);
    if (existsSync(from)) copyFileSync(from, join(etc, name));
  }
  mkdirSync(join(etc, 'alternatives')); // a mount point
  const write = (name: string, lines: readonly string[]) => writeFileSync(join(etc, name), `${lines.join('\n')}\n`);
  write('passwd', ['root:x:0:0:root:/root:/sbin/nologin', 'sbx_user1051:x:993:990::/home/sbx_user1051:/sbin/nologin']);
  write('group', ['root:x:0:', 'sbx_user1051:x:990:']);
  write('nsswitch.conf', ['passwd: files', 'group: files', 'hosts: files dns', 'services: files', 'protocols: files']);
  write('hosts', [
    '127.0.0.1 localhost',
    '::1 localhost',
    // Where extensions listen for telemetry on Lambda.
    '127.0.0.1 sandbox.localdomain sandbox',
    ...Object.entries(options.hosts).map(([name, address]) => `${address} ${name}`),
  ]);
  writeFileSync(join(etc, 'resolv.conf'), existsSync('/etc/resolv.conf') ? readFileSync('/etc/resolv.conf') : '');
  symlinkSync('../usr/lib/os-release', join(etc, 'os-release'));
  writeCertificates(etc, options.trustedCaPem);
}

function writeCertificates(etc: string, extra: string | undefined): void {
  const roots = ROOTS.find((file) => existsSync(file));
  // A newline between them: bundles do not always end with one, and two PEM markers on a line break the parser.
  const bundle = `${roots === undefined ? '' : readFileSync(roots, 'latin1')}\n${extra ?? ''}`;
  for (const file of ['ssl/certs/ca-certificates.crt', 'pki/tls/certs/ca-bundle.crt']) {
    mkdirSync(dirname(join(etc, file)), { recursive: true });
    writeFileSync(join(etc, file), bundle);
  }
  symlinkSync('certs/ca-certificates.crt', join(etc, 'ssl', 'cert.pem'));
  if (existsSync('/etc/ssl/openssl.cnf')) copyFileSync('/etc/ssl/openssl.cnf', join(etc, 'ssl', 'openssl.cnf'));
}

function writeRuntime(runtime: string, extraCa: string | undefined, withSdk: boolean): void {
  cpSync(BOOTSTRAP, runtime, { recursive: true });
  if (extraCa !== undefined) writeFileSync(join(runtime, 'ca-cert.pem'), extraCa);
  if (!withSdk) return;
  // Only the SDK's packages are to be found by functions; the packages those need are found beside their real path.
  mkdirSync(join(runtime, 'sdk', 'node_modules'), { recursive: true });
  mkdirSync(join(runtime, 'node_modules'));
  for (const scope of ['@aws-sdk', '@smithy']) {
    symlinkSync(`../sdk/node_modules/${scope}`, join(runtime, 'node_modules', scope));
  }
}

function sdkNodeModules(): string | undefined {
  try {
    const entry = createRequire(import.meta.url).resolve('@aws-sdk/client-s3/package.json');
    return dirname(dirname(dirname(entry)));
  } catch {
    return undefined;
  }
}
