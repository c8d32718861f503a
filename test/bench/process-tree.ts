/** CPU time and memory of the instances that this process runs, read from /proc. */
import { execFileSync } from 'node:child_process';
import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { descendants } from '../../cdk/local/lambda/freezer.ts';

const TICK_MS = 1000 / Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

/** Pids of everything inside sandboxes, bubblewrap itself included. */
export function sandboxed(): number[] {
  return descendants(process.pid)
    .filter((pid) => read(`/proc/${pid}/comm`).trim() === 'bwrap' && parentOf(pid) === process.pid)
    .flatMap((pid) => [pid, ...descendants(pid)]);
}

/** One process of each instance: its first. */
export function firstOfEach(pids: readonly number[]): number[] {
  const inside = new Set(pids.filter((pid) => read(`/proc/${pid}/comm`).trim() === 'bwrap'));
  return pids.filter((pid) => !inside.has(pid) && inside.has(parentOf(pid)));
}

/** User and system time of these processes and of their children that have ended, ms. */
export function cpuMs(pids: readonly number[]): number {
  let ticks = 0;
  // proc_pid_stat(5): utime, stime, cutime, cstime are fields 14 to 17.
  for (const pid of pids) for (const field of [14, 15, 16, 17]) ticks += Number(stat(pid)[field - 1 - 2] ?? 0);
  return ticks * TICK_MS;
}

/** Resident memory in KiB of the processes whose command line contains `text`: of each, and what it does not share. */
export function memoryKb(pids: readonly number[], text: string): { rss: number; pss: number }[] {
  return pids
    .filter((pid) => read(`/proc/${pid}/cmdline`).includes(text))
    .map((pid) => {
      const rollup = read(`/proc/${pid}/smaps_rollup`);
      const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(rollup)?.[1] ?? 0);
      return { rss: field('Rss'), pss: field('Pss') };
    });
}

/** Disk that the /tmp of the instances takes, KiB; `roots`: pids of one process of each. */
export function tmpKb(roots: readonly number[]): number {
  return roots.reduce((sum, pid) => sum + diskKb(`/proc/${pid}/root/tmp`), 0);
}

/** What a file, or a directory with all below it, takes on its disk, KiB. 0 when it is not there. */
export function diskKb(path: string): number {
  try {
    const stat = lstatSync(path);
    const below = stat.isDirectory() ? readdirSync(path) : [];
    // Blocks of 512 bytes, whatever the file system's own (stat(2)).
    return below.reduce((sum, name) => sum + diskKb(`${path}/${name}`), stat.blocks / 2);
  } catch {
    return 0; // it was removed meanwhile
  }
}

function parentOf(pid: number): number {
  return Number(stat(pid)[1]);
}

/** Fields of /proc/pid/stat from the third on: the second may itself contain spaces. */
function stat(pid: number): string[] {
  const text = read(`/proc/${pid}/stat`);
  return text.slice(text.lastIndexOf(')') + 2).split(' ');
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return ''; // it has ended
  }
}
