import { execFileSync, spawnSync } from 'node:child_process';
import { lstatSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildLayer, type LayerOptions } from '../../layers/build.ts';

export interface LayerSize {
  readonly name: string;
  readonly title: string;
  /** MB (10^6 bytes) of the file that is uploaded. */
  readonly packedMb: number;
  /** MB (10^6 bytes) that it takes where it is unpacked. */
  readonly unpackedMb: number;
  readonly buildMs: number;
}

interface Kind {
  readonly name: string;
  readonly title: string;
  readonly options: LayerOptions;
  /** Lambda layers are zip files; a layer of a container image is a compressed tar file (OCI image format). */
  readonly packed: 'zip' | 'tar';
}

/** The last two are what the one `COPY` of layers/image/Dockerfile.* adds to an image. */
const KINDS: readonly Kind[] = [
  { name: 'layer', title: 'Lambda layer', options: {}, packed: 'zip' },
  { name: 'layer-with-node', title: 'Lambda layer with its own Node', options: { withNode: true }, packed: 'zip' },
  { name: 'image-lambda', title: 'added to a Lambda image', options: { withNode: true }, packed: 'tar' },
  { name: 'image-http', title: 'added to the image of an HTTP container', options: { image: true }, packed: 'tar' },
];

/** Builds all kinds anew, in a folder that is removed again, and packs them. */
export async function layerSizes(): Promise<LayerSize[]> {
  const dir = mkdtempSync(join(tmpdir(), 'alastor-bench-layer-'));
  try {
    const sizes: LayerSize[] = [];
    for (const { name, title, options, packed } of KINDS) {
      const from = performance.now();
      const out = await buildLayer({ out: join(dir, name), ...options });
      const buildMs = performance.now() - from;
      const file = join(dir, `${name}.${packed}`);
      if (packed === 'zip') execFileSync('/usr/bin/python3', ['-c', ZIP, out, file]);
      else pack(out, file);
      sizes.push({ name, title, packedMb: statSync(file).size / 1e6, unpackedMb: bytesIn(out) / 1e6, buildMs });
      for (const done of [out, file]) rmSync(done, { recursive: true });
    }
    return sizes;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function pack(folder: string, file: string): void {
  const { status, stderr, error } = spawnSync('tar', ['-czf', file, '-C', folder, '.'], { encoding: 'utf8' });
  // 1: a file changed meanwhile, as Node does, in name, when another build links it.
  if (status !== 0 && status !== 1) throw new Error(`tar cannot pack ${folder}: ${error?.message ?? stderr}`);
}

function bytesIn(path: string): number {
  const stat = lstatSync(path);
  if (!stat.isDirectory()) return stat.size;
  return readdirSync(path).reduce((sum, name) => sum + bytesIn(join(path, name)), 0);
}

/** Deflate at its best level: the only compression that Lambda unpacks. */
const ZIP = `
import os, sys, zipfile
source, target = sys.argv[1:]
with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
    for folder, _, names in os.walk(source):
        for name in names:
            path = os.path.join(folder, name)
            archive.write(path, os.path.relpath(path, source))
`;
