import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BuildOptions, build, version as esbuildVersion, type Plugin } from 'esbuild';
import { networkBundlePlugins } from './capture/network/bundle.ts';
import { buildShim } from './shim/build.ts';

export interface LayerOptions {
  /** Folder to build into; what was there is replaced. Default: build/layer, or build/layer-with-node. */
  readonly out?: string;
  /** Adds a Node binary, for runtimes that have none (Python, Java, …). */
  readonly withNode?: boolean;
}

const LAYERS = dirname(fileURLToPath(import.meta.url));
const ROOT = dirname(LAYERS);
const NODE = join(ROOT, 'node_modules/node/bin/node');
/** Says from which sources a layer was built. */
const STAMP = 'alastor/build-id';

/**
 * Builds the layer (what is unpacked to /opt) and returns its folder. Nothing is done when it is there already, built from
 * the same sources. The same sources give the same bytes.
 * @throws Error when a compiler or a package is missing, with what it said
 */
export async function buildLayer(options: LayerOptions = {}): Promise<string> {
  const withNode = options.withNode ?? false;
  const out = resolve(options.out ?? join(ROOT, 'build', withNode ? 'layer-with-node' : 'layer'));
  const stamp = sourceDigest(withNode);
  if (stampOf(out) === stamp) return out;

  const making = `${out}.${process.pid}.new`;
  const home = join(making, 'alastor');
  rmSync(making, { recursive: true, force: true });
  mkdirSync(join(making, 'extensions'), { recursive: true });
  mkdirSync(home);
  try {
    await Promise.all([bundle(home), buildShim(join(home, 'libalastor.so'))]);
    compileProbe(join(home, 'probe'));
    for (const script of ['wrapper', 'standby']) copyFileSync(join(LAYERS, script), join(home, script));
    copyFileSync(join(LAYERS, 'launcher'), join(making, 'extensions/alastor'));
    if (withNode) linkOrCopy(NODE, join(home, 'node'));
    writeFileSync(join(making, STAMP), `${stamp}\n`);
    replace(making, out, stamp);
  } finally {
    rmSync(making, { recursive: true, force: true });
  }
  return out;
}

/** CommonJS packages inside an ES module still call `require`. `createRequire` itself comes without an import, see below. */
const BANNER = "const require = process.getBuiltinModule('node:module').createRequire(import.meta.url);";

/**
 * Node's own modules by `require` instead of `import`. An import names every export at once, and for `node:http` that runs
 * getters which load undici (for the global WebSocket): 36 ms of CPU and 10 MB that nobody here uses.
 */
const builtinsByRequire: Plugin = {
  name: 'builtins-by-require',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^(node:|[a-z_]+(\/[a-z]+)?$)/ }, ({ path, kind }) => {
      if (kind !== 'import-statement' || !isBuiltin(path)) return undefined;
      return { path: path.replace(/^node:/, ''), namespace: 'builtin' };
    });
    onLoad({ filter: /.*/, namespace: 'builtin' }, ({ path }) => ({ contents: `module.exports = require('node:${path}');` }));
  },
};

const environmentCredentials: Plugin = {
  name: 'credentials-from-the-environment',
  setup({ onResolve }) {
    const path = join(LAYERS, 'capture/environment-credentials.ts');
    onResolve({ filter: /^@aws-sdk\/credential-provider-node$/ }, () => ({ path }));
  },
};

async function bundle(home: string): Promise<void> {
  const common: BuildOptions = {
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'node',
    target: 'node22',
    banner: { js: BANNER },
    legalComments: 'none',
    logLevel: 'error',
    absWorkingDir: ROOT,
  };
  const entry = (path: string, out: string): BuildOptions => ({
    ...common,
    entryPoints: [join(LAYERS, path)],
    outfile: join(home, out),
  });
  await Promise.all([
    build({ ...entry('capture/recorder-main.ts', 'recorder.mjs'), plugins: [builtinsByRequire] }),
    build({
      ...entry('capture/s3-store.ts', 's3.mjs'),
      mainFields: ['module', 'main'],
      plugins: [environmentCredentials, builtinsByRequire],
    }),
    build({ ...entry('capture/network/main.ts', 'network.mjs'), plugins: [...networkBundlePlugins, builtinsByRequire] }),
  ]);
}

/** Static, so that it runs under whatever C library the runtime has. */
function compileProbe(out: string): void {
  const options = ['-O2', '-s', '-static', '-Wall', '-Wl,--build-id=none', '-o', out, join(LAYERS, 'capture/probe.c')];
  const { status, stderr, error } = spawnSync('gcc', options, { encoding: 'utf8' });
  if (error !== undefined)
    throw new Error('gcc is needed to build the layer: install it (Debian: apt-get install gcc libc6-dev)', { cause: error });
  if (status !== 0) throw new Error(`gcc could not compile the capability probe:\n${stderr}`);
}

/** Everything the layer is made of: all sources, the versions of what is bundled, and the compiler. */
function sourceDigest(withNode: boolean): string {
  const hash = createHash('sha256').update(`${esbuildVersion} ${process.arch} ${withNode}\n`);
  const files = readdirSync(LAYERS, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(ts|c|h|map|S)$|^(wrapper|launcher|standby)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  for (const file of [...files, join(ROOT, 'package-lock.json')]) {
    hash.update(`${relative(ROOT, file)}\n`).update(readFileSync(file));
  }
  return hash.digest('hex');
}

function stampOf(out: string): string | undefined {
  try {
    return readFileSync(join(out, STAMP), 'utf8').trim();
  } catch {
    return undefined;
  }
}

/** Puts a finished build in place in one step: another process may be using, or building, the same folder. */
function replace(making: string, out: string, stamp: string): void {
  const old = `${making}.old`;
  for (let attempt = 0; ; attempt++) {
    try {
      if (existsSync(out)) renameSync(out, old);
      renameSync(making, out);
      break;
    } catch (error) {
      // Someone else was faster. With the same sources theirs is as good.
      if (stampOf(out) === stamp) break;
      if (attempt === 5) throw error;
    }
  }
  rmSync(old, { recursive: true, force: true });
}

function linkOrCopy(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch {
    copyFileSync(from, to);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const withNode of [false, true]) process.stdout.write(`${await buildLayer({ withNode })}\n`);
}
