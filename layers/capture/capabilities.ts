import { execFile } from 'node:child_process';
import type { Capabilities } from '../record/types.ts';
import { log } from './log.ts';

export type PlatformCapabilities = Pick<Capabilities, 'ptrace' | 'seccomp' | 'userNamespaces'>;

const NOTHING: PlatformCapabilities = { ptrace: false, seccomp: false, userNamespaces: false };
const LIMIT_MS = 500;

/**
 * Asks the kernel what it lets us do, by running the probe beside the bundle. Some sandboxes kill who asks: the probe forks a
 * child for each question, and what it does not answer counts as not allowed. The outcome is never kept on disk, where the
 * function could change it.
 * @param bell named pipe that it makes on the way, which Node cannot; what stands there already stays
 */
export function probePlatform(program: string, bell?: string): Promise<PlatformCapabilities> {
  return new Promise((resolve) => {
    execFile(
      program,
      bell === undefined ? [] : [bell],
      { timeout: LIMIT_MS, killSignal: 'SIGKILL', env: {} },
      (error, stdout) => {
        if (error !== null) log('the capability probe failed', error);
        const allowed = (name: string): boolean => new RegExp(`^${name}=1$`, 'm').test(stdout);
        resolve({ ptrace: allowed('ptrace'), seccomp: allowed('seccomp'), userNamespaces: allowed('userns') });
      },
    ).on('error', () => resolve(NOTHING));
  });
}
