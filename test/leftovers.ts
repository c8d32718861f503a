/** Fails the run when a test has left a process behind: one of this tree that was not there before and belongs to nobody. */
import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** Inherited by whatever the tests start, unless it clears its environment. */
const MARK = 'LEFTOVERS_OF_TEST_RUN';

interface Seen {
  readonly pid: number;
  readonly parent: number;
  /** Pid and start time: pids are used again. */
  readonly id: string;
  readonly ours: boolean;
  readonly command: string;
}

/** What was killed may take a moment to be gone. */
const GRACE_MS = 5000;

export function setup(): () => Promise<void> {
  const mark = randomUUID();
  process.env[MARK] = mark;
  const before = new Set(processes(mark).map(({ id }) => id));
  return async () => {
    const until = Date.now() + GRACE_MS;
    let left = leftovers(mark, before);
    while (left.length > 0 && Date.now() < until) {
      await sleep(100);
      left = leftovers(mark, before);
    }
    if (left.length === 0) return;
    console.error(`Tests have left processes behind:\n${left.map(({ pid, command }) => `  ${pid} ${command}`).join('\n')}`);
    process.exitCode = 1;
  };
}

function leftovers(mark: string, before: ReadonlySet<string>): Seen[] {
  const all = processes(mark);
  const parents = new Map(all.map(({ pid, parent }) => [pid, parent]));
  const attended = (pid: number | undefined): boolean =>
    pid !== undefined && (pid === process.pid || attended(parents.get(pid)));
  return all.filter(({ id, pid, ours }) => ours && !before.has(id) && !attended(pid));
}

function processes(mark: string): Seen[] {
  return readdirSync('/proc')
    .map(Number)
    .filter(Number.isInteger)
    .flatMap((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
        // Fields after the command, which is in brackets and may hold anything: state, parent, …, start (the 22nd of all).
        const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        if (fields[0] === 'Z') return [];
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
        const marked = readFileSync(`/proc/${pid}/environ`, 'utf8').includes(mark);
        const root = process.cwd();
        const ours = marked || command.includes(`${root}/`) || readlinkSync(`/proc/${pid}/cwd`).startsWith(root);
        return [{ pid, parent: Number(fields[1]), id: `${pid}@${fields[19]}`, ours, command }];
      } catch {
        // It ended meanwhile, or is somebody else's.
        return [];
      }
    });
}
