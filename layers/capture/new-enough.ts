import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import zlib from 'node:zlib';

/**
 * Imported before everything else: a Node before 22.15 (Lambda's nodejs20.x) cannot run the recorder, and an extension that ends
 * takes the function with it. The standby then registers in its place, and the function runs unobserved.
 */
if (typeof zlib.zstdCompressSync !== 'function') {
  spawnSync(fileURLToPath(new URL('./standby', import.meta.url)), { stdio: 'inherit' });
  process.exit(0);
}
