import type { BuildOptions, Plugin } from 'esbuild';

/**
 * What mockttp brings along and a proxy that only passes through never calls: decoding bodies, upstream proxies (PAC
 * files are JavaScript, hence a whole interpreter), rewriting JSON, reading forms. 2.9 of 3.9 MB.
 */
const UNUSED = [
  'http-encoding',
  'pac-proxy-agent',
  'https-proxy-agent',
  'socks-proxy-agent',
  'fast-json-patch',
  'parse-multipart-data',
  'tls-impersonate',
];

/** Loads as an empty module; touching anything in it says what happened. */
const refusal = (name: string): string => `
  module.exports = new Proxy({}, {
    get(_, property) {
      if (property === '__esModule') return true;
      if (typeof property === 'symbol' || property === 'then') return undefined;
      throw new Error('${name} was left out of the network bundle (layers/capture/network/bundle.ts), but its ' + property + ' is needed');
    },
  });`;

const leaveOut: Plugin = {
  name: 'leave-out-what-a-passthrough-proxy-never-calls',
  setup(build) {
    build.onResolve({ filter: new RegExp(`^(${UNUSED.join('|')})$`) }, ({ path }) => ({ path, namespace: 'left-out' }));
    build.onLoad({ filter: /.*/, namespace: 'left-out' }, ({ path }) => ({ contents: refusal(path), loader: 'js' }));
  },
};

/**
 * mockttp writes its troubles to the console, request details included; what the bundle has to say goes through `log`.
 * It also uses url.parse(), about which Node would warn in the function's log.
 */
const keepQuiet: Plugin = {
  name: 'keep-mockttp-off-the-console',
  setup({ initialOptions }) {
    initialOptions.drop = [...(initialOptions.drop ?? []), 'console'];
    append(initialOptions, 'footer', 'process.noDeprecation = true;');
  },
};

/** CommonJS inside an ES module asks for Node's own modules with require(), which an ES module lacks. */
const bringRequire: Plugin = {
  name: 'bring-require',
  setup({ initialOptions }) {
    if (initialOptions.format !== 'esm' || initialOptions.banner?.js?.includes('createRequire')) return;
    append(
      initialOptions,
      'banner',
      "import { createRequire } from 'node:module';\nconst require = createRequire(import.meta.url);",
    );
  },
};

function append(options: BuildOptions, where: 'banner' | 'footer', code: string): void {
  options[where] = { ...options[where], js: [options[where]?.js ?? '', code].join('\n') };
}

/** For the esbuild run whose entry is main.ts, ESM output `network.mjs` beside the recorder's bundle. */
export const networkBundlePlugins: readonly Plugin[] = [leaveOut, keepQuiet, bringRequire];
