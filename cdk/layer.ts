import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Architecture, Code, LayerVersion } from 'aws-cdk-lib/aws-lambda';
import type { Construct } from 'constructs';

/** `layer-with-node` carries a Node of its own, for runtimes that have none: the recorder needs one. */
export type LayerVariant = 'layer' | 'layer-with-node';

/** Where `npm run build` puts the layers. */
export const builtLayers = resolve(import.meta.dirname, '../build');

/** Processor of Alastor's own functions, and the one that `npm run build` builds the layers for: this machine's. */
export const layerArchitecture = process.arch === 'arm64' ? Architecture.ARM_64 : Architecture.X86_64;

/** As the build names processors. */
export const nameOf = (architecture: Architecture): string =>
  architecture.name === Architecture.ARM_64.name ? 'arm64' : 'x64';

/** Folder of a built layer below `directory`; null when there is none for this processor. The shim is machine code. */
export function layerFolder(directory: string, variant: LayerVariant, architecture: Architecture): string | null {
  const named = join(directory, `${variant}-${nameOf(architecture)}`);
  if (existsSync(named)) return named;
  const own = join(directory, variant);
  return architecture.name === layerArchitecture.name && existsSync(own) ? own : null;
}

/** What to do when there is none. */
export function missingLayer(directory: string, variant: LayerVariant, architecture: Architecture): string {
  const own = architecture.name === layerArchitecture.name;
  const build = own ? 'npm run build' : `node layers/build.ts --arch ${nameOf(architecture)}`;
  const folder = join(directory, own ? variant : `${variant}-${nameOf(architecture)}`);
  return `there is no layer in ${folder}. Build it with \`${build}\`, then synthesise again`;
}

/** @throws Error saying what to run when the layer has not been built. */
export function auditLayer(
  scope: Construct,
  directory: string,
  variant: LayerVariant,
  architecture: Architecture,
): LayerVersion {
  const id = `${variant === 'layer' ? 'Layer' : 'LayerWithNode'}${nameOf(architecture) === 'arm64' ? 'Arm64' : ''}`;
  const made = scope.node.tryFindChild(id);
  if (made !== undefined) return made as LayerVersion;
  const folder = layerFolder(directory, variant, architecture);
  if (folder === null) throw new Error(`Alastor (${scope.node.path}): ${missingLayer(directory, variant, architecture)}.`);
  return new LayerVersion(scope, id, {
    code: Code.fromAsset(folder),
    compatibleArchitectures: [architecture],
    description: variant === 'layer' ? 'Alastor: recorder and shim' : 'Alastor: recorder, shim and Node',
  });
}
