import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const PYTHON = fileURLToPath(new URL('../../../build/consumers/bin/python', import.meta.url));
const SCRIPT = fileURLToPath(new URL('consumers.py', import.meta.url));

/** What can be imported where the export tests' programs are; scripts/export-consumers brings them. */
function has(module: string): boolean {
  const found = spawnSync(PYTHON, ['-c', `import ${module}`]).status === 0;
  if (!found) console.warn(`Python's ${module} is missing: its tests are skipped; bash scripts/export-consumers brings it`);
  return found;
}
export const hasProv = has('prov');
export const hasNetworkx = has('networkx');
export const hasOtlp = has('opentelemetry.proto');
export const hasOcsf = has('ocsf.v1_7_0');
export const hasStix = has('stix2');
export const hasStixValidator = has('stix2validator');
export const hasWeasyprint = has('weasyprint');
export const hasDot = spawnSync('dot', ['-V']).status === 0;
if (!hasDot) console.warn('dot is missing: its tests are skipped; install graphviz (scripts/export-consumers does)');

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
