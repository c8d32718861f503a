import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Path of the bubblewrap binary. Throws with what to install when there is none. */
export function findBubblewrap(
  path: string = process.env.PATH ?? '',
  usual: readonly string[] = ['/usr/bin', '/usr/local/bin'],
): string {
  for (const dir of [...path.split(delimiter), ...usual]) {
    const candidate = join(dir, 'bwrap');
    try {
      accessSync(candidate, constants.X_OK);
      return candidate;
    } catch {
      // not in this directory
    }
  }
  throw new Error(
    'The local engine runs functions under bubblewrap, and there is no "bwrap" in PATH. Install the package bubblewrap: ' +
      'apt-get install bubblewrap',
  );
}
