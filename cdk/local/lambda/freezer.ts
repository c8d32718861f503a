/**
 * Stops and continues every process of a sandbox, as Lambda does between requests.
 *
 * SIGSTOP, not a cgroup: it needs no privilege. Signals sent from outside reach every process of the pid namespace.
 */
import { readdirSync, readFileSync } from 'node:fs';

/** Host pids of everything below `root`, `root` itself excluded. Processes that end meanwhile are left out. */
export function descendants(root: number): number[] {
  const found: number[] = [];
  const open = [root];
  for (let pid = open.pop(); pid !== undefined; pid = open.pop()) {
    for (const child of childrenOf(pid)) {
      found.push(child);
      open.push(child);
    }
  }
  return found;
}

/** Children hang on the thread that made them (proc(5), /proc/pid/task/tid/children). */
function childrenOf(pid: number): number[] {
  const children: number[] = [];
  for (const tid of entries(`/proc/${pid}/task`)) {
    const text = contents(`/proc/${pid}/task/${tid}/children`);
    if (text === '') continue;
    for (const word of text.split(' ')) if (word !== '') children.push(Number(word));
  }
  return children;
}

/**
 * Stops everything below `root` and returns what was stopped, for `thaw`. Looks again until a look finds nothing new: a process
 * with a pending SIGSTOP cannot fork any more (fork restarts on a pending signal), so the last look was complete.
 */
export function freeze(root: number): number[] {
  const stopped = new Set<number>();
  for (let fresh = descendants(root); fresh.length > 0; fresh = descendants(root).filter((pid) => !stopped.has(pid))) {
    for (const pid of fresh) {
      stopped.add(pid);
      signal(pid, 'SIGSTOP');
    }
  }
  return [...stopped];
}

export function thaw(pids: readonly number[]): void {
  for (const pid of pids) signal(pid, 'SIGCONT');
}

/** Kills everything below `root`, also what is born meanwhile. Zombies are left for `root` to collect. */
export function killBelow(root: number): void {
  const killed = new Set<number>();
  for (let fresh = descendants(root); fresh.length > 0; fresh = descendants(root).filter((pid) => !killed.has(pid))) {
    for (const pid of fresh) {
      killed.add(pid);
      signal(pid, 'SIGKILL');
    }
  }
}

/** False when there is no such process any more. */
export function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

function entries(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch {
    return []; // the process has ended
  }
}

function contents(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return ''; // the thread has ended
  }
}
