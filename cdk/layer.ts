import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Architecture, Code, LayerVersion } from 'aws-cdk-lib/aws-lambda';
import type { Construct } from 'constructs';

/** `layer-with-node` carries a Node of its own, for runtimes that have none: the recorder needs one. */
export type LayerVariant = 'layer' | 'layer-with-node';

/** Where `npm run build` puts the layers. */
export const builtLayers = resolve(import.meta.dirname, '../build');

/** The shim is machine code: the layer runs where it was built. */
export const layerArchitecture = process.arch === 'arm64' ? Architecture.ARM_64 : Architecture.X86_64;

/** @throws Error saying what to run when the layer has not been built. */
export function auditLayer(scope: Construct, id: string, directory: string, variant: LayerVariant): LayerVersion {
  const folder = join(directory, variant);
  if (!existsSync(folder)) {
    throw new Error(
      `Alastor (${scope.node.path}): there is no layer in ${folder}. Build it with \`npm run build\`, then synthesise again.`,
    );
  }
  return new LayerVersion(scope, id, {
    code: Code.fromAsset(folder),
    compatibleArchitectures: [layerArchitecture],
    description: variant === 'layer' ? 'Alastor: recorder and shim' : 'Alastor: recorder, shim and Node',
  });
}
