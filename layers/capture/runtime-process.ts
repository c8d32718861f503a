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

  /** To be called when it is likely to live: when it has asked for a request. */
  look(): void {
    const pid = this.#told();
    const start = pid === undefined ? undefined : startTime(pid);
    if (pid !== undefined && start !== undefined) this.#known = { pid, start };
    // Seen before and ended since it said what it is looked for: then it is gone. Else nothing can be said, and the deadline decides.
    else if (pid !== this.#known?.pid) this.#known = undefined;
  }

  /** A first process of the function has started: perhaps long ago, so that it may not live any more. */
  started(proc: ProcessId, parent: ProcessId | null): void {
    this.look();
    const [pid, start = ''] = proc.split('@');
    // Its parent is where it should be, so it is not only out of our sight.
    const visible = parent !== null && isAlive(parent);
    if (this.#known === undefined && visible && this.#told() === Number(pid)) this.#known = { pid: Number(pid), start };
  }

  /** Undefined without a wrapper. */
  #told(): number | undefined {
    try {
      const pid = Number(readFileSync(join(this.#dir, PID_FILE), 'latin1'));
      return Number.isSafeInteger(pid) && pid > 0 ? pid : undefined;
    } catch {
      return undefined;
    }
  }

  /** Undefined when it has not been seen. */
  get pid(): number | undefined {
    return this.#known?.pid;
  }

  /** True only if it was seen alive before and is not any more. */
  get gone(): boolean {
    return this.#known !== undefined && startTime(this.#known.pid) !== this.#known.start;
  }
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
