import { vi } from 'vitest';
import type { Command } from '../../cli/command.ts';

/** A command with `--json` in this process, for starting one takes longer than what it does: its exit code, and what it printed. */
export async function inProcess<T>(
  command: Command,
  ...args: readonly string[]
): Promise<{ readonly code: number | undefined; readonly told: T }> {
  const out: string[] = [];
  const kept = [process.stdout, process.stderr].map((stream, i) =>
    vi.spyOn(stream, 'write').mockImplementation((chunk, ...more) => {
      if (i === 0) out.push(String(chunk));
      (more.at(-1) as (() => void) | undefined)?.();
      return true;
    }),
  );
  try {
    const code = await command.start(['--json', ...args]);
    return { code, told: JSON.parse(out.join('')) as T };
  } finally {
    for (const one of kept) one.mockRestore();
  }
}
