import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import type { Asset, StackArtifact } from './assembly.ts';
import { TemplateError, type Where } from './problem.ts';
import { unzip } from './zip.ts';

const ASSET_PATH = 'aws:asset:path';

/** Asset that `S3Key` means, by its destination, by its hash, or by the path CDK leaves in the metadata. */
function find(stack: StackArtifact, key: string, metadata: Readonly<Record<string, unknown>>): Asset | null {
  const known = stack.assets.find((one) => one.objectKeys.includes(key) || (one.id !== '' && key.includes(one.id)));
  if (known !== undefined) return known;
  const path = metadata[ASSET_PATH];
  if (typeof path !== 'string') return null;
  return { id: path, path: isAbsolute(path) ? path : join(stack.directory, path), packaging: 'zip', objectKeys: [] };
}

/**
 * Directory with the code of a function or the content of a layer, unpacked. `code` is the resolved `Code` / `Content` property.
 * Directories are used where they are; zip files are unpacked once under `stateDir`. Throws TemplateError.
 */
export function codeDirectory(
  stack: StackArtifact,
  code: Readonly<Record<string, unknown>>,
  metadata: Readonly<Record<string, unknown>>,
  stateDir: string,
  where: Where,
): string {
  const { S3Key: key } = code;
  if (typeof key !== 'string') throw new TemplateError(where, 'has no S3Key; give the code as a CDK asset or inline.');
  const asset = find(stack, key, metadata);
  if (asset === null || !existsSync(asset.path))
    throw new TemplateError(
      where,
      `the asset ${key} is not in the cloud assembly ${stack.directory}; only code from assets or inline code can run locally.`,
    );
  if (statSync(asset.path).isDirectory()) return asset.path;
  const target = join(stateDir, 'assets', asset.id.replaceAll(/[^A-Za-z0-9._-]/g, '_'));
  if (!existsSync(target)) {
    mkdirSync(target, { recursive: true });
    try {
      unzip(asset.path, target);
    } catch (cause) {
      throw new TemplateError(where, cause instanceof Error ? cause.message : String(cause), { cause });
    }
  }
  return target;
}

/** Writes inline code where the service would: `index.js` (CommonJS) or `index.py`. */
export function inlineDirectory(source: string, runtime: string, logicalId: string, stateDir: string, where: Where): string {
  const extension = runtime.startsWith('nodejs') ? 'js' : runtime.startsWith('python') ? 'py' : null;
  if (extension === null) throw new TemplateError(where, `inline code needs a Node.js or Python runtime, not ${runtime}.`);
  const directory = join(stateDir, 'inline', logicalId);
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, `index.${extension}`), source);
  return directory;
}
