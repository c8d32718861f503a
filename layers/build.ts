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
import { parseArgs } from 'node:util';
import { type BuildOptions, build, version as esbuildVersion, type Metafile, type Plugin } from 'esbuild';
import { networkBundlePlugins } from './capture/network/bundle.ts';
import { bundledPackages, libcComponent, nodeComponent, writeNotices } from './notices.ts';
import { type Arch, buildShim, compiler, hostArch } from './shim/build.ts';

export interface LayerOptions {
  /** Folder to build into; what was there is replaced. Default: build/layer, or build/layer-with-node. */
  readonly out?: string;
  /** Adds a Node binary, for runtimes that have none (Python, Java, …). */
  readonly withNode?: boolean;
  /** For container images: adds what stands before a function that serves HTTP, and a Node. Default folder: build/image. */
  readonly image?: boolean;
  /** Processor to build for. Default: this machine's. Another one needs a cross compiler (Debian: gcc-aarch64-linux-gnu). */
  readonly arch?: Arch;
}

const LAYERS = dirname(fileURLToPath(import.meta.url));
const ROOT = dirname(LAYERS);
/** Says from which sources a layer was built. */
const STAMP = 'alastor/build-id';

/**
 * Builds the layer (what is unpacked to /opt) and returns its folder. Nothing is done when it is there already, built from
 * the same sources. The same sources give the same bytes.
 * @throws Error when a compiler or a package is missing, with what it said
 */
export async function buildLayer(options: LayerOptions = {}): Promise<string> {
  const image = options.image ?? false;
  const withNode = image || (options.withNode ?? false);
  const arch = options.arch ?? hostArch();
  const name = image ? 'image' : withNode ? 'layer-with-node' : 'layer';
  const out = resolve(options.out ?? join(ROOT, 'build', arch === hostArch() ? name : `${name}-${arch}`));
  const stamp = sourceDigest(`${withNode} ${image}`, arch);
  if (stampOf(out) === stamp) return out;

  const making = `${out}.${process.pid}.new`;
  const home = join(making, 'alastor');
  rmSync(making, { recursive: true, force: true });
  mkdirSync(join(making, 'extensions'), { recursive: true });
  mkdirSync(home);
  try {
    const packages = bundledPackages(await bundle(home, image), ROOT);
    const others = [...packages, libcComponent(libcVersion(arch)), ...(withNode ? [nodeComponent(ROOT)] : [])];
    writeNotices(home, `Alastor, ${image ? 'for container images' : 'Lambda layer'}`, others);
    buildShim(join(home, 'libalastor.so'), arch);
    for (const program of ['probe', 'standby'] as const) compileStatic(program, join(home, program), arch);
    copyFileSync(join(LAYERS, 'wrapper'), join(home, 'wrapper'));
    copyFileSync(join(LAYERS, 'launcher'), join(making, 'extensions/alastor'));
    if (image) {
      for (const script of ['entrypoint', 'bootstrap']) copyFileSync(join(LAYERS, 'image', script), join(home, script));
      copyFileSync(join(LAYERS, 'image/Dockerfile'), join(making, 'Dockerfile'));
    }
    if (withNode) linkOrCopy(nodeFor(arch), join(home, 'node'));
    writeFileSync(join(making, STAMP), `${stamp}\n`);
    replace(making, out, stamp);
  } finally {
    rmSync(making, { recursive: true, force: true });
  }
  return out;
}

/** CommonJS packages inside an ES module still call `require`. `createRequire` itself comes without an import, see below. */
const BANNER = "const require = process.getBuiltinModule('node:module').createRequire(import.meta.url);";

/** What the runtime waits for is not an ES module: Node's loader for those costs 3 ms of CPU and 2.5 MB. */
const commonjs: BuildOptions = {
  format: 'cjs',
  banner: { js: "const bundle = { get url() { return require('node:url').pathToFileURL(__filename).href; } };" },
  define: { 'import.meta.dirname': '__dirname', 'import.meta.url': 'bundle.url' },
};

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

/** @returns what went into each bundle */
async function bundle(home: string, image: boolean): Promise<readonly Metafile[]> {
  const common: BuildOptions = {
    bundle: true,
    metafile: true,
    minify: true,
    format: 'esm',
    platform: 'node',
    target: 'node22',
    banner: { js: BANNER },
    legalComments: 'none',
    logLevel: 'error',
    absWorkingDir: ROOT,
    // Said here, so that what comes out depends on the sources alone, and not on a tsconfig.json found beside them.
    tsconfigRaw: { compilerOptions: { strict: true } },
  };
  const entry = (path: string, out: string): BuildOptions => ({
    ...common,
    entryPoints: [join(LAYERS, path)],
    outfile: join(home, out),
  });
  const built = await Promise.all([
    build({ ...entry('capture/recorder-main.ts', 'recorder.cjs'), ...commonjs }),
    ...(image ? [build({ ...entry('image/http-main.ts', 'http.mjs'), plugins: [builtinsByRequire] })] : []),
    build({ ...entry('capture/network/main.ts', 'network.mjs'), plugins: [...networkBundlePlugins, builtinsByRequire] }),
    // Loaded with --require, which every Node has, into whatever Node the function brings.
    build({ ...entry('tap/node/main.ts', 'tap.cjs'), format: 'cjs', target: 'node18', banner: {} }),
  ]);
  return built.map(({ metafile }) => metafile as Metafile);
}

/** Static, so that it runs under whatever C library the runtime has. */
function compileStatic(program: 'probe' | 'standby', out: string, arch: Arch): void {
  const source = join(LAYERS, `capture/${program}.c`);
  const options = ['-O2', '-s', '-static', '-Wall', '-Wl,--build-id=none', '-o', out, source];
  const { status, stderr, error } = spawnSync(compiler(arch), options, { encoding: 'utf8' });
  if (error !== undefined)
    throw new Error('gcc is needed to build the layer: install it (Debian: apt-get install gcc libc6-dev)', { cause: error });
  if (status !== 0) throw new Error(`gcc could not compile ${source}:\n${stderr}`);
}

/** Of the C library that the compiler links with. */
function libcVersion(arch: Arch): string {
  const input = '#include <features.h>\n__GLIBC__.__GLIBC_MINOR__\n';
  const { stdout } = spawnSync(compiler(arch), ['-E', '-P', '-'], { input, encoding: 'utf8' });
  return (
    /^(\d+) ?\. ?(\d+)$/m
      .exec(stdout ?? '')
      ?.slice(1)
      .join('.') ?? 'unknown'
  );
}

class MissingNodeError extends Error {
  override readonly name = 'MissingNodeError';
}

/** @throws MissingNodeError when the package with the binary for another processor is not installed */
function nodeFor(arch: Arch): string {
  const places = [
    ...(arch === hostArch() ? ['node/bin/node'] : []),
    `node-linux-${arch}/bin/node`,
    `node/node_modules/node-linux-${arch}/bin/node`,
  ].map((place) => join(ROOT, 'node_modules', place));
  const found = places.find((place) => existsSync(place));
  if (found !== undefined) return found;
  throw new MissingNodeError(`no Node for ${arch}: install it with \`npm install --no-save --force node-linux-${arch}\``);
}

/** Everything the layer is made of: all sources, the versions of what is bundled, and the compiler. */
function sourceDigest(variant: string, arch: Arch): string {
  const hash = createHash('sha256').update(`${esbuildVersion} ${arch} ${variant}\n`);
  const files = readdirSync(LAYERS, { recursive: true, withFileTypes: true })
    .filter(
      (entry) => entry.isFile() && /\.(ts|c|h|map|S)$|^(wrapper|launcher|entrypoint|bootstrap|Dockerfile)$/.test(entry.name),
    )
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
    // Someone else was faster: theirs is as good, and perhaps in use already.
    if (stampOf(out) === stamp) break;
    try {
      if (existsSync(out)) renameSync(out, old);
      renameSync(making, out);
      break;
    } catch (error) {
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
  const { values } = parseArgs({ options: { arch: { type: 'string' }, image: { type: 'boolean' } } });
  const { arch = hostArch() } = values;
  if (arch !== 'x64' && arch !== 'arm64') throw new Error(`--arch must be x64 or arm64; it is ${JSON.stringify(arch)}`);
  const variants = values.image ? [{ image: true }] : [{ withNode: false }, { withNode: true }, { image: true }];
  for (const variant of variants) {
    try {
      process.stdout.write(`${await buildLayer({ ...variant, arch })}\n`);
    } catch (error) {
      // For another processor the layer without Node is of use by itself.
      if (!(error instanceof MissingNodeError) || arch === hostArch()) throw error;
      process.stderr.write(`${error.message}; the variant with a Node is left out\n`);
    }
  }
}
