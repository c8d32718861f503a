import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { ProcessId } from '../record/types.ts';

export interface SocketOwner {
  readonly pid: number;
  readonly fd: number;
}

/** Parent and start time (fields 4 and 22 of /proc/pid/stat), or undefined when it is gone. */
function stat(pid: number): { readonly parent: number; readonly start: string } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The second field is the program's name in parentheses, and may itself contain both spaces and parentheses.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { parent: Number(fields[1]), start: fields[19] ?? '0' };
  } catch {
    return undefined;
  }
}

/** The processes that descend from one of `roots`, the roots included, as far as they live. */
function family(roots: ReadonlySet<number>): Map<number, string> {
  const all = new Map<number, { readonly parent: number; readonly start: string }>();
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    const found = pid > 0 && pid !== process.pid ? stat(pid) : undefined;
    if (found) all.set(pid, found);
  }
  const ours = new Map<number, string>();
  for (const [pid, { start }] of all) {
    const line = new Set<number>();
    for (let at = pid; at > 1 && !line.has(at) && !roots.has(at); at = all.get(at)?.parent ?? 0) line.add(at);
    const last = [...line].at(-1) ?? pid;
    if (roots.has(pid) || roots.has(all.get(last)?.parent ?? 0)) ours.set(pid, start);
  }
  return ours;
}

function openSockets(pid: number): (readonly [inode: string, fd: number])[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1];
        return inode === undefined ? [] : [[inode, Number(fd)] as const];
      } catch {
        return []; // closed meanwhile
      }
    });
  } catch {
    return []; // gone, or another user's
  }
}

/** Sockets open in these processes, by inode. `descendants`: also in all that come from them, for which all of /proc is read. */
export function socketsOf(
  pids: ReadonlySet<number>,
  descendants: boolean,
  isNews: (inode: string) => boolean,
): Map<string, SocketOwner> {
  const owners = new Map<string, SocketOwner>();
  for (const pid of descendants ? family(pids).keys() : pids)
    for (const [inode, fd] of openSockets(pid)) if (isNews(inode) && !owners.has(inode)) owners.set(inode, { pid, fd });
  return owners;
}

/** Who it is, as records name processes, and its program. */
export function describe(pid: number): { readonly proc: ProcessId; readonly exe: string } {
  const proc = `${pid}@${stat(pid)?.start ?? 0}`;
  try {
    return { proc, exe: readlinkSync(`/proc/${pid}/exe`) };
  } catch {
    return { proc, exe: '?' }; // it has ended since
  }
}
