import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ProcessId } from '../record/types.ts';

/** File in the shared directory in which the wrapper leaves the pid that the runtime will have. */
export const PID_FILE = 'runtime.pid';

/**
 * Watches whether the runtime process lives. A runtime that dies sends no answer and no further request; waiting for its
 * deadline would hold up the platform's own recovery.
 */
export class RuntimeProcess {
  readonly #dir: string;
  #known: { readonly pid: number; readonly start: string } | undefined;

  constructor(dir: string) {
    this.#dir = dir;
  }

  /** To be called when it has just started, or asked for a request, both of which may be some time ago. */
  look(): void {
    const { pid, seen } = this.#told();
    const start = pid === undefined ? undefined : startTime(pid);
    if (pid !== undefined && start !== undefined) this.#known = { pid, start };
    else if (pid === this.#known?.pid)
      return; // Seen before, and ended since it said what it is looked for.
    // Out of our sight nothing can be said, and the deadline decides.
    else this.#known = pid !== undefined && seen ? { pid, start: '' } : undefined;
  }

  /** What the wrapper has left. `seen`: from where it is, it sees us, so we would see it. */
  #told(): { readonly pid: number | undefined; readonly seen: boolean } {
    try {
      const [first, second] = readFileSync(join(this.#dir, PID_FILE), 'latin1').trim().split(' ');
      const pid = Number(first);
      return { pid: Number.isSafeInteger(pid) && pid > 0 ? pid : undefined, seen: second === 'seen' };
    } catch {
      return { pid: undefined, seen: false };
    }
  }

  /** Undefined when it has not been seen. */
  get pid(): number | undefined {
    return this.#known?.pid;
  }

  /** True only if it was seen alive before, or would be seen, and is not any more. */
  get gone(): boolean {
    return this.#known !== undefined && startTime(this.#known.pid) !== this.#known.start;
  }
}

/** The id of this process. */
export function ownProcess(): ProcessId | undefined {
  const start = startTime(process.pid);
  return start === undefined ? undefined : `${process.pid}@${start}`;
}

/** Whether the process that had this id has it still. */
export function isAlive(proc: ProcessId): boolean {
  const [pid, start] = proc.split('@');
  return startTime(Number(pid)) === start;
}

/** Start time in ticks (field 22 of /proc/pid/stat); undefined when there is no such process or only its remains (zombie). */
function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The second field is the program's name in parentheses, and may itself contain both spaces and parentheses.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}
