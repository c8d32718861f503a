/**
 * Makes one executable of the command, for responders without Node: Node's own, with the bundled command in it
 * (https://nodejs.org/docs/latest-v24.x/api/single-executable-applications.html). It runs on machines like this one.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { build, type Plugin } from 'esbuild';

const ROOT = resolve(import.meta.dirname, '..');
/** What Node looks for; see the page above. */
const FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';

/** What runs whole apps needs their sources, the layer and a sandbox: in the executable it says so. */
const withoutEngine: Plugin = {
  name: 'without-engine',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /cdk\/local\/|demo\/main\.ts$|^\.\/main\.ts$/ }, ({ path, kind }) =>
      kind === 'dynamic-import' ? { path, namespace: 'checkout' } : undefined,
    );
    onLoad({ filter: /.*/, namespace: 'checkout' }, () => ({
      contents: "throw new Error('this needs a checkout of Alastor: npm run -s alastor -- …; the one file has what asks');",
    }));
  },
};

/** Builds the executable and returns its path. */
export async function buildCli(out = join(ROOT, 'build/alastor')): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'alastor-cli-'));
  const making = `${out}.${process.pid}.new`;
  try {
    const main = join(folder, 'alastor.cjs');
    await build({
      entryPoints: [join(ROOT, 'cli/alastor.ts')],
      outfile: main,
      ...{ bundle: true, platform: 'node', target: 'node24', format: 'cjs', minify: true, logLevel: 'warning' },
      plugins: [withoutEngine],
    });
    const [config, blob] = [join(folder, 'sea.json'), join(folder, 'sea.blob')];
    writeFileSync(config, JSON.stringify({ main, output: blob, disableExperimentalSEAWarning: true, useCodeCache: true }));
    run(['--experimental-sea-config', config]);
    mkdirSync(resolve(out, '..'), { recursive: true });
    copyFileSync(process.execPath, making);
    chmodSync(making, 0o755);
    const postject = createRequire(import.meta.url).resolve('postject/dist/cli.js');
    run([postject, making, 'NODE_SEA_BLOB', blob, '--sentinel-fuse', FUSE]);
    renameSync(making, out);
    return out;
  } finally {
    rmSync(making, { force: true });
    rmSync(folder, { recursive: true, force: true });
  }
}

/** With this Node. @throws Error with what it said when it failed */
function run(args: readonly string[]): void {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`node ${args.join(' ')} failed: ${stderr || stdout}`);
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { out: { type: 'string' } } });
  process.stdout.write(`${await buildCli(values.out === undefined ? undefined : resolve(values.out))}\n`);
}
