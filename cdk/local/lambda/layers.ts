/** Merges unpacked layers into one directory that becomes /opt. */
import {
  copyFileSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { UnsupportedFunctionError } from './errors.ts';

/**
 * Directory to mount as /opt, or undefined when there are no layers. A single layer is used in place. Several are merged under
 * `target` in order, files hard-linked where the file system allows (a layer may carry a 120 MB Node binary).
 */
export function mergeLayers(functionName: string, layers: readonly string[], target: string): string | undefined {
  for (const dir of layers) {
    if (!statSync(dir, { throwIfNoEntry: false })?.isDirectory()) {
      throw new UnsupportedFunctionError(functionName, `layer directory ${dir} does not exist. Synthesize the app again.`);
    }
  }
  if (layers.length <= 1) return layers[0];
  mkdirSync(target, { recursive: true });
  for (const dir of layers) overlay(dir, target);
  return target;
}

/** Puts the content of one directory over that of another; files are hard-linked where the file system allows. */
export function overlay(source: string, target: string): void {
  for (const entry of readdirSync(source, { withFileTypes: true })) {
    const from = join(source, entry.name);
    const to = join(target, entry.name);
    const present = lstatSync(to, { throwIfNoEntry: false });
    if (entry.isDirectory()) {
      if (present !== undefined && !present.isDirectory()) rmSync(to);
      mkdirSync(to, { recursive: true });
      overlay(from, to);
      continue;
    }
    if (present !== undefined) rmSync(to, { recursive: true });
    if (entry.isSymbolicLink()) symlinkSync(readlinkSync(from), to);
    else linkOrCopy(from, to);
  }
}

function linkOrCopy(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch {
    // Another file system, or hard links not allowed here.
    copyFileSync(from, to);
  }
}

/** Names of the executables in /opt/extensions, in the order Lambda starts them. */
export function extensionsIn(optDir: string | undefined): string[] {
  if (optDir === undefined) return [];
  const dir = join(optDir, 'extensions');
  if (!statSync(dir, { throwIfNoEntry: false })?.isDirectory()) return [];
  return readdirSync(dir)
    .filter((name) => {
      const stat = statSync(join(dir, name), { throwIfNoEntry: false });
      return stat?.isFile() === true && (stat.mode & 0o111) !== 0;
    })
    .sort();
}
