/** The command line of bubblewrap: what an instance sees and may do. */
import { lstatSync, readlinkSync } from 'node:fs';
import type { SharedFiles } from './shared-files.ts';

export interface SandboxLayout {
  readonly shared: SharedFiles;
  readonly codeDir: string;
  readonly optDir: string | undefined;
  /** Arguments that make /var/lang. */
  readonly langMounts: readonly string[];
  readonly ephemeralMb: number;
}

/** Lambda's own user, as `id` shows it there. */
const UID = '993';
const GID = '990';
const DEVICES = ['null', 'zero', 'full', 'random', 'urandom'];
const MEGABYTE = 1024 * 1024;

export function sandboxArguments(layout: SandboxLayout, fds: { jsonStatus: number; seccomp: number }): string[] {
  const { shared } = layout;
  return [
    ...isolation(fds),
    ...['--ro-bind', '/usr', '/usr'],
    ...systemDirectories(),
    ...['--ro-bind', shared.etc, '/etc'],
    // Where Debian's links such as /usr/bin/awk lead.
    ...['--ro-bind-try', '/etc/alternatives', '/etc/alternatives'],
    ...['/var', '/var/lang', '/var/lang/bin', '/dev'].flatMap((dir) => ['--perms', '0755', '--dir', dir]),
    ...['--ro-bind', layout.codeDir, '/var/task'],
    ...(layout.optDir === undefined ? ['--dir', '/opt'] : ['--ro-bind', layout.optDir, '/opt']),
    ...layout.langMounts,
    ...['--ro-bind', shared.runtime, '/var/runtime'],
    ...(shared.nodeModules === undefined ? [] : ['--ro-bind', shared.nodeModules, '/var/runtime/sdk/node_modules']),
    // Modules imported with ES syntax do not look into NODE_PATH: this is how they find the SDK.
    ...['--symlink', 'runtime/node_modules', '/var/node_modules'],
    ...['--proc', '/proc'],
    ...devices(),
    ...['--size', String(layout.ephemeralMb * MEGABYTE), '--tmpfs', '/tmp'],
    ...['--remount-ro', '/', '--chdir', '/'],
    '/bin/bash',
    '/var/runtime/init.sh',
  ];
}

function isolation(fds: { jsonStatus: number; seccomp: number }): string[] {
  return [
    ...['--unshare-user', '--unshare-pid', '--unshare-ipc', '--unshare-uts', '--unshare-cgroup-try'],
    ...['--uid', UID, '--gid', GID, '--hostname', '169.254.0.2', '--cap-drop', 'ALL'],
    ...['--die-with-parent', '--new-session', '--as-pid-1', '--clearenv'],
    ...['--json-status-fd', String(fds.jsonStatus), '--seccomp', String(fds.seccomp)],
  ];
}

/** /bin, /lib … are links into /usr on merged systems and directories of their own on others. */
function systemDirectories(): string[] {
  return ['/bin', '/sbin', '/lib', '/lib32', '/lib64'].flatMap((dir) => {
    const stat = lstatSync(dir, { throwIfNoEntry: false });
    if (stat === undefined) return [];
    return stat.isSymbolicLink() ? ['--symlink', readlinkSync(dir), dir] : ['--ro-bind', dir, dir];
  });
}

/** Lambda has no /dev/shm and no terminals. */
function devices(): string[] {
  return [
    ...DEVICES.flatMap((name) => ['--dev-bind', `/dev/${name}`, `/dev/${name}`]),
    ...['--symlink', '/proc/self/fd', '/dev/fd'],
    ...['--symlink', '/proc/self/fd/0', '/dev/stdin'],
    ...['--symlink', '/proc/self/fd/1', '/dev/stdout'],
    ...['--symlink', '/proc/self/fd/2', '/dev/stderr'],
  ];
}
