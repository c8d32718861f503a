import { closeSync, fstatSync, lstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Stack, Stage } from 'aws-cdk-lib';
import { CfnLayerVersion, type Function as LambdaFunction, type LayerVersion } from 'aws-cdk-lib/aws-lambda';
import type { IConstruct } from 'constructs';

/** What code and all layers of a function may unpack to ("Lambda quotas" in the developer guide), in bytes. */
export const unpackedLimit = 262_144_000;

/**
 * Bytes that code and layers of a function unpack to, as far as the synthesis knows: assets and layers of its own stack. What it
 * does not know (code in somebody's bucket, layers by ARN) counts nothing.
 */
export function unpackedSize(fn: LambdaFunction): number {
  const stack = Stack.of(fn);
  const { code, layers = [] } = stack.resolve(cfnProperties(fn)) as {
    readonly code?: { readonly s3Key?: unknown };
    readonly layers?: readonly unknown[];
  };
  return layers.reduce<number>((sum, layer) => sum + layerByReference(stack, layer), assetSize(fn, code?.s3Key));
}

export function layerSize(layer: LayerVersion | CfnLayerVersion): number {
  const resource = layer instanceof CfnLayerVersion ? layer : (layer.node.defaultChild as CfnLayerVersion);
  const content = Stack.of(resource).resolve(resource.content) as { readonly s3Key?: unknown };
  return assetSize(resource, content.s3Key);
}

function cfnProperties(fn: LambdaFunction): object {
  const { code, layers } = fn.node.defaultChild as unknown as { readonly code: unknown; readonly layers: unknown };
  return { code, layers };
}

function layerByReference(stack: Stack, reference: unknown): number {
  const { Ref: logicalId } = (reference ?? {}) as { readonly Ref?: unknown };
  if (typeof logicalId !== 'string') return 0;
  const found = stack.node
    .findAll()
    .find((one): one is CfnLayerVersion => one instanceof CfnLayerVersion && stack.resolve(one.logicalId) === logicalId);
  return found === undefined ? 0 : layerSize(found);
}

/** Assets are staged as `asset.<hash>`, and uploaded under a key that ends in `<hash>.zip`. */
function assetSize(node: IConstruct, key: unknown): number {
  const staged = Stage.of(node)?.assetOutdir;
  if (staged === undefined || typeof key !== 'string') return 0;
  const name = basename(key);
  try {
    return zipSize(join(staged, `asset.${name}`));
  } catch {
    try {
      return directorySize(join(staged, `asset.${name.replace(/\.[a-z]+$/, '')}`));
    } catch {
      // Not staged in a form that is known here: another synthesizer, or bundling left out.
      return 0;
    }
  }
}

function directorySize(directory: string): number {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + lstatSync(join(entry.parentPath, entry.name)).size, 0);
}

const END = 0x06054b50;
const ENTRY = 0x02014b50;
const END_SIZE = 22;
const MAX_COMMENT = 65_535;

/** Sum over the central directory of a zip file (APPNOTE.TXT 4.3). @throws Error when it is none */
function zipSize(file: string): number {
  const fd = openSync(file, 'r');
  try {
    const { size } = fstatSync(fd);
    const tail = slice(fd, Math.max(0, size - END_SIZE - MAX_COMMENT), size);
    const end = tail.lastIndexOf(Buffer.from([0x50, 0x4b, 0x05, 0x06]));
    if (end < 0 || end + END_SIZE > tail.length || tail.readUInt32LE(end) !== END) throw new Error(`${file} is no zip file`);
    const start = tail.readUInt32LE(end + 16);
    const directory = slice(fd, start, Math.min(size, start + tail.readUInt32LE(end + 12)));
    let sum = 0;
    for (let at = 0; at + 46 <= directory.length && directory.readUInt32LE(at) === ENTRY; ) {
      sum += directory.readUInt32LE(at + 24);
      at += 46 + directory.readUInt16LE(at + 28) + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32);
    }
    return sum;
  } finally {
    closeSync(fd);
  }
}

function slice(fd: number, from: number, to: number): Buffer {
  const bytes = Buffer.alloc(Math.max(0, to - from));
  return bytes.subarray(0, readSync(fd, bytes, 0, bytes.length, from));
}
