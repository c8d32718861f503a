import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const PYTHON = fileURLToPath(new URL('../../../build/consumers/bin/python', import.meta.url));
const SCRIPT = fileURLToPath(new URL('consumers.py', import.meta.url));

/** Whether this can be imported where the programs of others are; scripts/export-consumers brings them. */
export function has(module: string): boolean {
  const found = spawnSync(PYTHON, ['-c', `import ${module}`]).status === 0;
  if (!found) console.warn(`Python's ${module} is missing: its tests are skipped; bash scripts/export-consumers brings it`);
  return found;
}

/** Has documents opened by what `consumers.py` names so; what it read of each. */
export function opened<T>(reader: string, documents: readonly string[]): readonly T[] {
  const ran = spawnSync(PYTHON, [SCRIPT, reader], {
    input: JSON.stringify(documents),
    encoding: 'utf8',
    maxBuffer: 512 * 1024 * 1024,
    env: { ...process.env, PYTHONIOENCODING: 'utf-8' },
  });
  if (ran.status !== 0) throw new Error(`${reader}: ${ran.stderr}`);
  return JSON.parse(ran.stdout) as readonly T[];
}
