import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { TRACERS } from '../variants.ts';

/** The last release that runs on Python 3.11. */
const MITMPROXY = 'mitmproxy==11.0.2';

/** Makes the layers of the variants that trace with strace. Returns why a variant cannot run here, by its name. */
export function prepareTracers(): Map<string, string> {
  const obstacles = new Map<string, string>();
  put('strace-wrapper', 'strace/strace/wrapper');
  put('paper-wrapper', 'paper/paper/wrapper');
  put('paper-extension.py', 'paper/extensions/paper');
  if (!existsSync('/usr/bin/strace')) {
    for (const name of ['strace', 'paper']) obstacles.set(name, 'strace is not installed (Debian: apt-get install strace)');
    return obstacles;
  }
  const problem = installMitmproxy(join(TRACERS, 'paper/paper/python'));
  if (problem !== undefined) obstacles.set('paper', problem);
  return obstacles;
}

function put(script: string, to: string): void {
  const path = join(TRACERS, to);
  mkdirSync(dirname(path), { recursive: true });
  copyFileSync(join(import.meta.dirname, script), path);
  chmodSync(path, 0o755);
}

function installMitmproxy(to: string): string | undefined {
  if (existsSync(join(to, 'mitmproxy'))) return undefined;
  process.stderr.write(`bench: installing ${MITMPROXY} from PyPI into ${to}\n`);
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--prefer-binary', '--target', to, MITMPROXY];
  const { status, stderr, error } = spawnSync('/usr/bin/python3', pip, { encoding: 'utf8' });
  if (status === 0) return undefined;
  rmSync(to, { recursive: true, force: true });
  const why = error?.message ?? stderr.trim().split('\n').at(-1) ?? `exit code ${status}`;
  return `mitmproxy cannot be installed with pip for /usr/bin/python3 (Debian: python3-pip): ${why}`;
}
