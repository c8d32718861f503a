import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildLayer } from '../../layers/build.ts';

export interface LayerSize {
  readonly name: string;
  /** MB (10^6 bytes) of the zip file that would be uploaded. */
  readonly zippedMb: number;
  readonly buildMs: number;
}

/** Builds both layers anew, in a folder that is removed again, and packs them. */
export async function layerSizes(): Promise<LayerSize[]> {
  const dir = mkdtempSync(join(tmpdir(), 'alastor-bench-layer-'));
  try {
    const sizes: LayerSize[] = [];
    for (const withNode of [false, true]) {
      const name = withNode ? 'layer-with-node' : 'layer';
      const from = performance.now();
      const out = await buildLayer({ out: join(dir, name), withNode });
      const buildMs = performance.now() - from;
      const file = join(dir, `${name}.zip`);
      execFileSync('/usr/bin/python3', ['-c', ZIP, out, file]);
      sizes.push({ name, zippedMb: statSync(file).size / 1e6, buildMs });
    }
    return sizes;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
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
