import { exec } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(exec);

/**
 * Fingerprint of a cardholder's name (SHA-256, hex), by which rules recognise a person without seeing the name.
 * Vulnerability of both attacks: the name is put into a shell command as it is.
 */
export async function fingerprintOf(holder: string): Promise<string> {
  const { stdout } = await run(`printf %s "${holder}" | sha256sum`);
  return stdout.slice(0, 64);
}
