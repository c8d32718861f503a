import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { linkage } from './program.ts';
import type { Backend, HttpSettings } from './settings.ts';

const PROBE_MS = 2000;

export interface BackendChoice {
  /** `none`: neither can work here, only requests are recorded. */
  readonly backend: Backend | 'none';
  /** Why, for the instance's record. */
  readonly why: string;
}

/**
 * Decides how the program is watched. `auto` prefers the shim, which costs less and sees exchanges; a statically linked program
 * would not load it and is traced, where that is allowed: tried out in a child, since some sandboxes kill who asks.
 */
export async function chooseBackend(
  { backend }: Pick<HttpSettings, 'backend'>,
  command: readonly string[],
  home: string,
  env: NodeJS.ProcessEnv,
): Promise<BackendChoice> {
  const shim = existsSync(join(home, 'libalastor.so'));
  const linked = linkage(command[0] ?? '', env.PATH);
  if (backend === 'shim' && shim) return { backend: 'shim', why: 'as set' };
  if (backend === 'auto' && shim && linked !== 'static')
    return { backend: 'shim', why: `auto: the program is ${linked}ally linked`.replace('unknownally', 'perhaps dynamically') };
  const failure = await tryStrace(env);
  if (failure === undefined) {
    return { backend: 'strace', why: backend === 'strace' ? 'as set' : `auto: the program is ${linked}ally linked` };
  }
  const why = `${backend}: strace cannot be used (${failure})`;
  return shim ? { backend: 'shim', why } : { backend: 'none', why };
}

/** What keeps strace from working here; undefined when it works. */
function tryStrace(env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const args = ['-f', '-qq', '--seccomp-bpf', '-e', 'trace=execve', '-o', '/dev/null', '--', '/bin/sh', '-c', ':'];
  return new Promise((resolve) => {
    execFile('strace', args, { timeout: PROBE_MS, killSignal: 'SIGKILL', env: { PATH: env.PATH } }, (error, _out, stderr) => {
      if (error === null) resolve(undefined);
      else resolve(error.code === 'ENOENT' ? 'not installed' : (stderr.split('\n')[0] ?? '').slice(0, 200) || error.message);
    });
  });
}
